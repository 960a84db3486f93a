from __future__ import annotations

import csv
import io
import json
import re
import shutil

import pytest
from fake_runs import PAPER, REPORTS, plain, write_paper, write_run
from rich.console import Console
from test_report_formats import HOSTILE, checked

from mmspec.errors import ReportError
from mmspec.report import render_report
from mmspec.report.reading import read_definition
from mmspec.report.tables.table import Cell, PublishedCell
from mmspec.report.text import one_line

FILE = """
source = "Others (2022)"
url = "https://example.org/a_b"
metric = "test/accuracy"
unit = "percent"
columns = ["first", "second"]
[[row]]
method = "vanilla"
label = "plain training"
first = { mean = 83.20, std = 0.10 }
second = 7
[[row]]
method = "theirs"
first = { mean = 99.9, std = 0.2 }
"""
SINGLE = """
source = "Students"
metric = "test/accuracy"
unit = "percent"
[[row]]
method = "vanilla"
value = 88.80
"""
REPORT = """
mmspec = 1
title = "Beside"
runs = ["colored_digits"]
published = ["others.toml"]
[rows]
by = "variant"
published = { none = "vanilla" }
[[tables]]
title = "Accuracy"
[[tables.columns]]
group = "Test"
label = "ours"
value = "test/accuracy"
unit = "percent"
better = "max"
published = { source = "others", column = "first" }
"""


@pytest.fixture
def beside(tmp_path, runs, render):
    """Render REPORT over two variants with a published file."""

    def render_beside(text=REPORT, file=FILE, formats=("json",)):
        (tmp_path / "others.toml").write_text(file, encoding="utf-8")
        for variant, level in (("none", 0.5), ("guided", 0.6)):
            for seed in (0, 1, 2):
                values = {"test/accuracy": level + seed / 100}
                write_run(runs, {"variant": variant}, seed, values, balancing=variant)
        try:
            return render(text, formats=formats)
        finally:
            shutil.rmtree(runs)

    return render_beside


def line(report, label):
    return dict(report.document.tables[0].table.lines())[label]


# ---------------------------------------------------------------- what is shown


def test_published_figures_stand_beside_ours_with_their_digits(beside):
    noted = beside().document.tables[0]
    ours, theirs = dict(noted.table.lines())["none"]
    assert isinstance(ours, Cell)
    assert (theirs.text, theirs.row.label, theirs.claim.mean) == ("83.20 ± 0.10", "plain training", 83.2)
    assert [column.label for column in noted.grid.columns] == ["ours", "published"]
    assert noted.grid.heads(0) == [("Test (%)", 2)]


def test_a_published_figure_is_never_ranked_or_tested(beside):
    file = FILE.replace("83.20", "99.99")
    table = (
        beside(REPORT.replace('title = "Accuracy"', 'title = "A"\nbaseline = "none"'), file)
        .document.tables[0]
        .table
    )
    assert table.cells["guided"][0].is_best
    assert [cell.rank for cells in table.cells.values() for cell in cells] == [1, 2]
    alone = beside(REPORT[: REPORT.index("published = { source")]).document.tables[0].table
    assert [c[0].summary for c in alone.cells.values()] == [c[0].summary for c in table.cells.values()]


def test_a_row_without_a_published_figure_has_a_hole(beside):
    report = beside()
    cell = line(report, "guided")[1]
    assert isinstance(cell, PublishedCell)
    assert (cell.claim, cell.text) == (None, "–")


def test_notes_say_who_published_and_what_stands_in_no_row(beside):
    notes = plain(beside().document.tables[0].notes)
    assert "Published: figures of Others (2022) (https://example.org/a_b)" in notes
    assert "mean ± standard deviation" in notes
    assert "claims to compare with, no results of these runs; they are neither ranked nor tested" in notes
    assert "Published by Others (2022), in no row here: theirs." in notes


def test_single_values_say_that_they_have_no_seeds(beside):
    report = beside(REPORT.replace(', column = "first"', ""), SINGLE)
    assert line(report, "none")[1].text == "88.80"
    assert "single values without seeds or spread" in plain(report.document.tables[0].notes)


def test_labels_of_columns_without_a_group_name_what_was_published(beside):
    report = beside(REPORT.replace('group = "Test"\n', ""))
    labels = [column.label for column in report.document.tables[0].grid.columns]
    assert labels == ["ours (%)", "ours, published (%)"]


def test_every_format_has_them_apart_from_ours(beside, tmp_path):
    report = beside(formats=("markdown", "latex", "html", "csv", "json"))
    out = tmp_path / "out"
    assert "| none | 51.0 ± 1.0 | *83.20 ± 0.10* |" in (out / "table.md").read_text()
    assert r"\textit{83.20\mmspecpm 0.10}" in (out / "table.tex").read_text()
    page = (out / "index.html").read_text()
    assert '<td class="published" title="published as plain training: Others (2022)">' in page
    assert '<a href="https://example.org/a_b" rel="noopener noreferrer">' in page
    console = Console(file=io.StringIO(), width=80)
    console.print(report.terminal())
    assert re.search(r"none +51.0 ± 1.0 +83.20 ± 0.10", console.file.getvalue())


def test_json_and_csv_keep_published_figures_in_fields_of_their_own(beside, tmp_path):
    beside(formats=("csv", "json"))
    whole = json.loads((tmp_path / "out" / "report.json").read_text())["tables"][0]
    assert whole["columns"][0]["published"]["url"] == "https://example.org/a_b"
    cells = {row["label"]: row["cells"][0] for row in whole["rows"]}
    assert cells["guided"]["published"] is None
    assert cells["none"]["mean"] == pytest.approx(0.51)
    assert cells["none"]["published"] == {
        "method": "vanilla", "label": "plain training", "mean": 83.2, "std": 0.1, "unit": "percent",
        "text": "83.20 ± 0.10", "source": "Others (2022)",
    }  # fmt: skip
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    theirs = [row for row in lines if row["published"]]
    assert [(row["published"], row["published_std"], row["number"], row["run"]) for row in theirs] == [
        ("83.20", "0.10", "", "")
    ]
    assert {row["published_source"] for row in theirs} == {"Others (2022)"}


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "\ud800"])
def test_words_of_others_are_harmless_everywhere(beside, tmp_path, name):
    file = FILE.replace('"plain training"', json.dumps(name)).replace('"Others (2022)"', json.dumps(name))
    file = file.replace('method = "theirs"', f"method = {json.dumps(name)}")
    report = beside(file=file, formats=("markdown", "latex", "html", "csv", "json"))
    out = tmp_path / "out"
    page = checked((out / "index.html").read_text())
    assert one_line(name) in "".join(page.text)
    assert not {"script", "iframe"} & page.seen
    rows = [line for line in (out / "table.md").read_text().splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows[:4]} == {4}
    assert (out / "table.tex").read_text().count(r" \\") == 4
    assert {len(row) for row in csv.reader(io.StringIO((out / "table.csv").read_text()))} == {12}
    Console(file=io.StringIO(), width=80).print(report.terminal())


def test_nothing_of_the_environment_gets_into_others_words(beside, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    report = beside(file=FILE.replace("Others (2022)", "${SECRET}"))
    assert "figures of ${SECRET}" in plain(report.document.tables[0].notes)


# ---------------------------------------------------------------- what is refused

FILES = [
    ('source = "Others (2022)"\n', "", ["others.toml", "source is missing"]),
    ('url = "https://example.org/a_b"', 'url = "javascript:alert(1)"', ["url: ", "no http or https address"]),
    ('url = "https://example.org/a_b"', 'uri = "x"', ["uri: no such key", "url"]),
    ('unit = "percent"', 'unit = "%"', ["unit: expected one of"]),
    ('columns = ["first", "second"]', 'columns = ["first"]', ["row[0].second: no such key"]),
    ('columns = ["first", "second"]', 'columns = ["label"]', ['"label" cannot be the name of a column']),
    ("second = 7", "secnd = 7", ["row[0].secnd: no such key", 'did you mean "second"?']),
    ("second = 7", 'second = "7"', ["row[0].second: expected a number, not the string"]),
    ("second = 7", "second = inf", ["row[0].second: must be finite"]),
    ("std = 0.10", "sd = 0.10", ["row[0].first.sd: no such key", "std is missing"]),
    ("std = 0.10", "std = -0.10", ["row[0].first.std: must be 0 or above"]),
    ('method = "theirs"', 'method = "vanilla"', ['another row is called "vanilla"']),
    ('method = "theirs"', "", ["row[1]: method is missing"]),
    ("first = { mean = 99.9, std = 0.2 }", "", ["row[1]: has no figure", "first, second"]),
    ('source = "Others (2022)"', "source = ", ["not valid TOML"]),
]


@pytest.mark.parametrize(("old", "new", "said"), FILES)
def test_a_wrong_file_is_told_with_its_place(beside, old, new, said):
    assert old in FILE
    with pytest.raises(ReportError) as error:
        beside(file=FILE.replace(old, new))
    text = str(error.value)
    assert all(part in text for part in said), text
    assert re.search(r"others\.toml:\d+:\d+", text)
    assert "no published" not in text


MISTAKES = [
    (
        'published = ["others.toml"]',
        'published = ["other.toml"]',
        ["no file", "did you mean", "others.toml?"],
    ),
    ('published = ["others.toml"]\n', "", ["there is no published file", 'published = ["published/….toml"]']),
    ('["others.toml"]', '["others.toml", "./others.toml"]', ["two files are called"]),
    ('source = "others"', 'source = "other"', ["columns[0].published.source", "did you mean"]),
    ('column = "first"', 'column = "frist"', ["published.column", "has no column", 'did you mean "first"?']),
    (', column = "first"', "", ["which column of others?", "first, second"]),
    ('value = "test/accuracy"', 'value = "val/accuracy"', ["the metric of others is", '"val/accuracy"']),
    ('unit = "percent"', 'unit = "number"', ['the unit of others is "percent"']),
    ('none = "vanilla"', 'none = "vanila"', ["rows.published.none", 'no published row is called "vanila"']),
    ('published = { none = "vanilla" }', "", ["tables[0]: no row says", "published = "]),
    ('published = { source = "others"', 'published = { sorce = "others"', ["sorce: no such key"]),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_what_cannot_stand_beside_is_told_with_its_place(beside, old, new, said):
    assert old in REPORT
    with pytest.raises(ReportError) as error:
        beside(REPORT.replace(old, new))
    text = str(error.value)
    assert all(part in text for part in said), text
    assert re.search(r"report\.toml:\d+:\d+", text)


EACH = 'metric = { first = "test/accuracy", second = "test/sensitivity" }'


def test_columns_may_measure_different_things(beside, tmp_path):
    beside(REPORT, FILE.replace('metric = "test/accuracy"', EACH))
    whole = json.loads((tmp_path / "out" / "report.json").read_text())["tables"][0]
    assert whole["columns"][0]["published"]["metric"] == "test/accuracy"


@pytest.mark.parametrize(
    ("report", "file", "said"),
    [
        (REPORT.replace('"first"', '"second"'), EACH, 'the metric of others is "test/sensitivity"'),
        (REPORT, EACH.replace("second", "secnd"), 'did you mean "second"?'),
        (REPORT, 'metric = { first = "test/accuracy" }', 'metric: does not say what "second" measures'),
    ],
)
def test_each_must_be_said_and_be_the_same(beside, report, file, said):
    with pytest.raises(ReportError) as error:
        beside(report, FILE.replace('metric = "test/accuracy"', file))
    assert said in str(error.value)


def test_a_value_that_no_run_has_cannot_be_published(beside):
    with pytest.raises(ReportError, match=r'rows\.published names "nonne"'):
        beside(REPORT.replace('none = "vanilla"', 'nonne = "vanilla"'))


def test_files_are_found_beside_the_definition_that_names_them(tmp_path, registry):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "others.toml").write_text(FILE)
    (tmp_path / "base" / "report.toml").write_text(REPORT)
    path = tmp_path / "report.toml"
    path.write_text('extends = "base/report.toml"\n')
    assert list(read_definition(path, registry).published) == ["others"]


# ---------------------------------------------------------------- the reports that come with mmspec


def test_the_paper_stands_beside_our_table(runs, tmp_path, registry):
    write_paper(runs)
    report = render_report(
        REPORTS / "wu2022.toml", runs_root=runs, out=tmp_path / "out", formats=("json",), registry=registry
    )
    table = report.document.tables[0].table
    shown = {label: [c.text for c in cells if isinstance(c, PublishedCell)] for label, cells in table.lines()}
    assert shown == {
        "uni-modal (best)": ["89.34 ± 0.39", "77.59 ± 0.55", "78.98 ± 2.02"],
        "none": ["90.09 ± 0.58", "79.81 ± 1.14", "83.20 ± 0.21"],
        "RUBi": ["90.45 ± 0.58", "79.95 ± 0.12", "81.60 ± 1.28"],
        "random": ["91.36 ± 0.10", "79.88 ± 0.90", "82.64 ± 0.84"],
        "guided": ["91.37 ± 0.28", "80.22 ± 0.73", "83.82 ± 1.45"],
    }
    assert all(len(cell.taken) == 3 for row in table.cells.values() for cell in row)
    assert len(PAPER) == len(table.columns)


def test_the_replication_stands_beside_our_rows(runs, tmp_path, registry):
    for index, variant in enumerate(("same view twice", "unbalanced", "balanced", "balanced + sum")):
        write_run(runs, {"variant": variant}, 0, {"test/accuracy": 0.88}, experiment="nn_exam", lr=index)
    report = render_report(
        REPORTS / "nn_exam.toml", runs_root=runs, out=tmp_path / "out", formats=("json",), registry=registry
    )
    table = report.document.tables[0]
    assert [cells[1].text for _, cells in table.table.lines()] == [
        "88.51",
        "88.80",
        "89.05",
        "89.84",
        "89.60",
    ]
    assert "No finished run of balanced + weighted average; mmspec run specs/nn_exam.toml" in plain(
        table.notes
    )
