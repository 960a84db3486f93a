from __future__ import annotations

import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from fake_runs import DEMO, SMALL, write_demo, write_run
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from mmspec.report import render_report
from mmspec.report.formats import html, latex, latex_text, markdown
from mmspec.report.text import Code, listed, minus, one_line, spans

ALL = ("markdown", "latex", "html", "csv", "json")
HOSTILE = [
    "<script>alert(1)</script>", "a|b", "`rm -rf`", "[x](javascript:y)", "**bold**", "100% & $x_1$ #1 {~^}",
    "\\input{/etc/passwd}", "\\\\[1em]", "* star", "a\nb\r\nc\x00\x1b[31m", "\u202egnp.exe", "=1+2",
    '"q" \'q\'', "--- ?` !` << ,,", "[bold red]", "\ud800", "é ß ± †",
]  # fmt: skip

VOID = {"meta", "br", "use", "path"}


class Checker(HTMLParser):
    """Balanced tags, unique ids, and which tags and attributes there are."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids, self.links, self.text = [], set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href" and tag == "a"]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID or tag in ("use", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)
    return checker


@pytest.fixture(scope="module")
def written(tmp_path_factory, registry):
    """A folder with the demo's runs and its report in all formats."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "runs")
    render_report(DEMO, runs_root=folder / "runs", out=folder / "out", registry=registry)
    return folder


@pytest.fixture
def files(written):
    """The report's files by name."""
    return {path.name: path for path in (written / "out").rglob("*") if path.is_file()}


@pytest.fixture
def experiment(written):
    """The folder of the demo's runs."""
    return written / "runs" / "colored_digits"


PICTURES = ("learning-speed", "utilisation", "confusion")


def test_every_format_is_written(files):
    assert set(files) == {
        "table.md", "table.tex", "index.html", "table.csv", "report.json",
        *(f"{name}.{kind}" for name in PICTURES for kind in ("svg", "png", "pgf")),
    }  # fmt: skip


def test_html_is_one_whole_file_with_links_to_the_runs(files, experiment):
    text = files["index.html"].read_text()
    checker = checked(text)
    assert {"svg", "table", "caption", "details", "figcaption"} <= checker.seen
    assert not {"script", "link", "img", "iframe"} & checker.seen
    assert 'scope="row"' in text
    assert 'role="img" aria-label="Difference of' in text
    folders = {(files["index.html"].parent / unquote(link)).resolve() for link in checker.links}
    assert folders == {folder.resolve() for folder in experiment.iterdir()}


def test_markdown_is_a_table(files):
    lines = files["table.md"].read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows[:8]} == {9}
    assert re.match(r"\| guided \| 8\d\.\d ± \d\.\d† \|", next(row for row in rows if "guided" in row))
    assert "**9" in next(row for row in rows if "grey alone" in row)


def test_latex_is_booktabs(files):
    text = files["table.tex"].read_text()
    assert r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}\cmidrule(lr){8-8}" in text
    assert r"\multicolumn{3}{c}{Test accuracy (\%)}" in text
    assert re.search(r"\\textbf\{\\boldmath 9\d\.\d\\mmspecpm \d\.\d\}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multi" not in line]
    assert [row.count(" & ") for row in rows] == [7] * 6
    assert "\\hline" not in text


def test_json_holds_full_precision_and_the_runs(files, experiment):
    whole = json.loads(files["report.json"].read_text())
    ids = {run["id"] for run in whole["runs"]}
    assert ids == {folder.name for folder in experiment.iterdir()}
    cell = whole["tables"][0]["rows"][-1]["cells"][0]
    assert cell["n"] == 3
    for said in cell["values"]:
        result = json.loads((experiment / said["run"] / "result.json").read_text())
        assert said["value"] == result["values"]["test/accuracy"]


def test_csv_is_tidy(files):
    rows = list(csv.DictReader(io.StringIO(files["table.csv"].read_text())))
    assert len(rows) == 3 * (2 * 2 + 4 * 7)
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
    assert all(math.isfinite(float(row["number"])) for row in rows)


NAMED = """
mmspec = 1
title = NAME
text = NAME
runs = ["colored_digits"]
rows = { by = "variant" }
[[figures]]
use = "bars"
title = NAME
values = ["test/accuracy"]
labels = [NAME]
y_label = NAME
[[tables]]
title = NAME
text = NAME
baseline = "plain"
columns = [{ label = NAME, group = NAME, value = "test/accuracy", better = "max" }]
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_harmless_everywhere(runs, render, tmp_path, name):
    for index, label in enumerate((name, "plain")):
        for seed in (0, 1, 2):
            value = math.nan if index == seed == 1 else 0.5 + seed / 10
            write_run(runs, {"variant": label}, seed, {"test/accuracy": value}, name=f"{index}{seed}")
    quoted = json.dumps(name) if name != "\ud800" else '"x"'
    report = render(NAMED.replace("NAME", quoted), formats=ALL)
    out = tmp_path / "out"
    page = checked((out / "index.html").read_text())
    assert one_line(name) in "".join(page.text)
    assert not {"script", "iframe"} & page.seen
    rows = [line for line in (out / "table.md").read_text().splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows[:4]}) == 1
    tex = (out / "table.tex").read_text()
    assert len([line for line in tex.splitlines() if line.endswith(r" \\")]) == 4
    json.loads((out / "report.json").read_text())
    assert len({len(row) for row in csv.reader(io.StringIO((out / "table.csv").read_text()))}) == 1
    console = Console(file=io.StringIO(), width=200)
    console.print(report.terminal())
    assert one_line(name) in console.file.getvalue()


@given(st.text())
@example("".join(HOSTILE))
def test_html_shows_any_text_letter_by_letter(text):
    checker = Checker()
    checker.feed(f'<p title="{html.escape(text)}">{html.escape(text)}</p>')
    checker.close()
    assert "".join(checker.text) == one_line(text)


@given(st.text(st.characters(codec="ascii")))
def test_markdown_escapes_every_sign_that_could_mean_something(text):
    bare = re.sub(r"\\[\\`*_{}\[\]<>#|~$&]", "", markdown.escape(text))
    assert not re.search(r"[\\`*_{}\[\]<>|~$]", bare)
    assert "\n" not in bare


@given(st.text(st.characters(codec="ascii")))
def test_a_code_span_never_ends_early(text):
    span = markdown.sentence((Code(text),))
    fence = re.match("`+", span).group()
    assert span.endswith(fence)
    inner = span[len(fence) : -len(fence)]
    assert fence not in re.findall("`+", inner)


@given(st.text(st.characters(codec="ascii")))
def test_latex_leaves_no_active_character(text):
    bare = latex.escape(text)
    for command in sorted(set(latex_text.LETTERS.values()), key=len, reverse=True):
        bare = bare.replace(command, "")
    assert not set(bare) & set("\\{}$&#_%~^<>|\"'`[]*\n")


@given(st.text())
def test_one_line_can_be_printed_and_encoded(text):
    line = one_line(text)
    assert line.encode() is not None
    assert not set(line) & set("\n\r\t\x00\x1b\u202e\u2028")
    assert one_line(line) == line


def test_small_words():
    assert spans([3, 0, 1, 2, 7, 9, 8, 20]) == "0–3, 7–9, 20"
    assert spans([1, 0]) == "0, 1"
    assert [minus(text) for text in ("-0.00", "-1.5", "2")] == ["0.00", "−1.5", "2"]
    assert listed("abcd", limit=3) == ("a", ", ", "b", " and 2 more")


def test_the_best_is_told_on_paper_as_on_a_terminal(runs, render):
    write_demo(runs, variants=("none", "guided"))
    report = render(SMALL)
    for is_terminal, mark in ((True, "\x1b[1m8"), (False, "**8")):
        console = Console(file=io.StringIO(), width=100, force_terminal=is_terminal, no_color=False)
        console.print(report.terminal())
        assert mark in console.file.getvalue()


def test_a_narrow_terminal_still_shows_every_number(demo, render):
    console = Console(file=io.StringIO(), width=60)
    console.print(render(DEMO.read_text()).terminal())
    assert "Test accuracy" in console.file.getvalue().replace("\n", " ").replace("  ", " ")


def test_a_table_wider_than_the_terminal_comes_in_parts_with_whole_groups(demo, render):
    console = Console(file=io.StringIO(), width=80)
    console.print(render(DEMO.read_text()).terminal())
    lines = console.file.getvalue().split("Mean ±")[0].splitlines()
    assert [line.split("─ ")[1].split(" ─")[0] for line in lines if "─ " in line] == [
        "Test accuracy (%)", "Conditional utilisation, shifted test"
    ]  # fmt: skip
    assert sum(line.startswith("guided") for line in lines) == 2
    assert max(map(len, lines)) <= 80
