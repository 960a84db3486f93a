"""Whatever runs, heads and captions are called, every format shows it and nothing else happens."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from fake_tables import document, printed, run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mmspec.report.formats import html, latex, latex_text, markdown, numbers
from mmspec.report.formats.html_grid import grid_section, links_from
from mmspec.report.text import one_line

NAMES = st.text(
    st.characters(codec="utf-8")
    | st.sampled_from("\\{}$&#_%~^<>|\"'`[]*-\n\t ")
    | st.sampled_from("\u05d0\u0627\u202e\u200f\u0301\u0338\U0001f468\u200d\U0001f469é±−†"),
    min_size=1,
    max_size=60,
).filter(lambda name: "${" not in name and "\n\n" not in name and name.strip() not in ("", "plain", "third"))
AWKWARD = [
    "<script>alert(1)</script>", "</th></table><img src=x onerror=y>", "&lt;b&gt;", "a|b||c\\|", "\\input{x}",
    "\\\\[1em]", "}\\end{table}", "$x^2$ 100 % #1 ~^", "a\nb\r\n\r\nc", "\u202eevil\u202c", "שלום עולם",
    "مرحبا", "e\u0301\u0323\u0338", "👩\u200d👩\u200d👧 👍🏽", "--- ***", "<!-- x", "{{ x }}", "`` ` ``",
    "![x](javascript:y)", "δ-α ≤ Ω² 中文",
    "=HYPERLINK(1)", "x" * 2000, "ab " * 700, "†", "\x00\x1b[31m", "![CDATA[", "'; drop table", "\\", "|",
]  # fmt: skip

TEXT = """
mmspec = 1
title = NAME
text = NAME
runs = ["*"]
rows = {{ by = "variant", order = [NAME, "plain", "third"] }}
[[texts]]
title = NAME
text = NAME
[[tables]]
title = NAME
text = NAME
mean_rank = true
underline_second = true
baseline = "plain"
across = {{ by = "dataset", labels = {{ d = NAME }} }}
[[tables.columns]]
group = [NAME, NAME]
label = NAME
value = "test/accuracy"
better = "max"
aggregate = "mean_ci"
[[tables.columns]]
group = [NAME, "other"]
label = NAME
value = "test/accuracy"
better = "max"
show = "delta"
[[tables.columns]]
label = "rank"
value = "test/accuracy"
better = "max"
show = "rank"
""".replace("{{", "{").replace("}}", "}")


def named(name, tmp_path, registry, shuffled=0):
    """A report in which everything is called `name` that can be."""
    found = [
        run(label, seed, {"test/accuracy": value + seed * step}, experiment="d")
        for label, value, step in ((name, -0.5, 0.01), ("plain", 0.3, 0.02), ("third", 0.3, 0.07))
        for seed in (0, 1, 2)
    ]
    random.Random(shuffled).shuffle(found)
    quoted = json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
    return document(TEXT.replace("NAME", quoted), found, tmp_path, registry)


class Parsed(HTMLParser):
    """The tags, attributes and text of a page, as a browser would have them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text, self.titles = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.titles += [value for name, value in attrs if name in ("title", "aria-label")]
        if tag not in ("col", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment that we did not make: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def section(made):
    block = made.tables[0]
    return grid_section(block.grid, block.notes, links_from(made.folder))


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def with_examples(test):
    for name in AWKWARD:
        test = example(name=name)(test)
    return test


@with_examples
@given(name=NAMES)
@QUICK
def test_html_has_no_tag_that_we_did_not_make_and_the_exact_text(tmp_path, registry, name):
    page = Parsed(section(named(name, tmp_path, registry)))
    assert not page.open
    innocent = Parsed(section(named("innocent", tmp_path, registry)))
    assert page.tags == innocent.tags
    assert page.text.count(one_line(name)) >= innocent.text.count("innocent") - 2
    assert one_line(name) in page.titles or not one_line(name)
    whole = Parsed(html.render(named(name, tmp_path, registry)).removeprefix("<!doctype html>"))
    assert one_line(name) in "".join(whole.text)


@with_examples
@given(name=NAMES)
@QUICK
def test_latex_is_balanced_and_every_special_is_escaped(tmp_path, registry, name):
    tex = latex.render(named(name, tmp_path, registry))
    lines = [line for line in tex.splitlines() if not line.startswith("%")]
    bare = re.sub(r"\\[\\{}$&#_%]", "", "\n".join(lines))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    expected = latex.render(named("innocent", tmp_path, registry))
    for table in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", tex, re.DOTALL):
        columns = re.match(r"\\begin\{tabular\}\{@\{\}l([rl]*)@\{\}\}", table).group(1)
        body = table.partition(r"\midrule")[2]
        rows = [line.count(" & ") for line in body.splitlines() if line.endswith(r" \\")]
        assert rows == [len(columns)] * 3
    own = (
        {r"\allowbreak"}
        | set(re.findall(r"\\[a-zA-Z]+", expected))
        | set(re.findall(r"\\[a-zA-Z]+", "".join(latex_text.LETTERS.values())))
    )
    assert set(re.findall(r"\\[a-zA-Z]+", "\n".join(lines))) <= own
    unescaped = re.sub(r"\$[^$\n]*\$|#1", "", bare)
    assert not re.search(r"[#_^$]", unescaped)


@with_examples
@given(name=NAMES)
@QUICK
def test_markdown_keeps_its_lines_and_pipes(tmp_path, registry, name):
    lines, expected = (
        markdown.render(named(which, tmp_path, registry)).splitlines() for which in (name, "innocent")
    )
    tables, wanted = ([line for line in these if line.startswith("|")] for these in (lines, expected))
    pipes = re.compile(r"(?<!\\)(?:\\\\)*\|")
    assert [len(pipes.findall(line)) for line in tables] == [len(pipes.findall(line)) for line in wanted]
    assert len(lines) == len(expected)
    assert not any(re.search(r"(?<!\\)<(?!br>|ins>|/ins>)", line) for line in lines)


@with_examples
@given(name=NAMES)
@QUICK
def test_csv_and_json_are_read_back(tmp_path, registry, name):
    made = named(name, tmp_path, registry)
    rows = list(csv.DictReader(io.StringIO(numbers.as_csv(made), newline="")))
    assert len(rows) == 3 * 9
    assert {row["row"] for row in rows} == {one_line(name), "plain", "third"}
    assert {row["table"] for row in rows} == {one_line(name)}
    assert None not in {key for row in rows for key in row}
    whole = json.loads(numbers.as_json(made))
    assert name in {row["label"] for row in whole["tables"][0]["rows"]}
    assert whole["tables"][0]["columns"][0]["groups"] == [name, name, name]


@with_examples
@given(name=NAMES)
@QUICK
def test_the_terminal_shows_every_number(tmp_path, registry, name):
    said = printed(named(name, tmp_path, registry), width=72)
    assert "0.320" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


@given(st.integers(1, 10**6))
@settings(QUICK, max_examples=15)
def test_the_order_of_runs_never_matters(tmp_path, registry, shuffled):
    first, second = (named("name", tmp_path, registry, order) for order in (0, shuffled))
    for render in (markdown.render, latex.render, html.render, numbers.as_csv, numbers.as_json, printed):
        assert render(first) == render(second)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_awkward_names_compile(tmp_path, registry):
    tables = [latex.render(named(name, tmp_path, registry)) for name in AWKWARD]
    paper = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "paper.tex").write_text(
        paper + "\n\\clearpage\n".join(tables) + "\n\\end{document}\n", encoding="utf-8"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
