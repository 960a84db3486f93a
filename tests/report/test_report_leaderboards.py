from __future__ import annotations

import csv
import io
import json
import math

import pytest
from fake_runs import REPORTS, plain, write_demo, write_run

from mmspec.errors import ReportError
from mmspec.report.reading import read_definition

HEAD = 'mmspec = 1\ntitle = "Boards"\nruns = ["*"]\n'
BOARD = HEAD + '[[leaderboards]]\ntitle = "Accuracy"\nvalue = "test/accuracy"\nunit = "percent"\ndigits = 2\n'
ENTRIES = """
source = "a page"
url = "https://example.org/page"
method = "theirs"

[[row]]
task = "digits"
dataset = "Digits"
metric = "top-1"
value = 62.50
rank = 26
unit = "percent"

[[row]]
task = "gestures"
dataset = "Elsewhere"
metric = "AUROC"
value = 0.7
"""
MATCH = """
published = ["entries.toml"]
[[leaderboards.match]]
ours = "colored_digits"
dataset = "Digits"
metric = "top-1"
"""


@pytest.fixture
def entries(tmp_path):
    """Write a file of published entries beside the report."""

    def write(text=ENTRIES):
        (tmp_path / "entries.toml").write_text(text, encoding="utf-8")

    write()
    return write


def cells(block):
    """The grid of a board: its rows' labels, and the texts of their cells."""
    return [(row.label, *(cell.text for cell in row.cells)) for row in block.grid.rows]


def test_ours_and_published_stand_in_one_list_by_value(runs, render, entries):
    for seed, number in enumerate((0.60, 0.66)):
        write_run(runs, {"variant": "guided"}, seed, {"test/accuracy": number})
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    (board,) = render(BOARD + MATCH).document.blocks
    assert board.grid.title == "Accuracy: colored_digits"
    assert cells(board) == [
        ("guided", "1", "63.00", "2", "ours"),
        ("theirs", "2", "62.50", "–", "published"),
        ("none", "3", "50.00", "1", "ours"),
    ]
    ours, theirs = board.grid.rows[0].cells[1], board.grid.rows[1].cells[1]
    assert (ours.kind, ours.spread, len(ours.behind)) == ("number", "± 4.24", 2)
    assert (theirs.kind, theirs.remark, theirs.behind) == ("published", "rank 26 there", ())
    notes = plain(board.notes)
    assert "Published: a page (https://example.org/page); “rank … there” is the place on its own" in notes
    assert "Published (a page), on no board here: Elsewhere, AUROC." in notes


def test_published_entries_of_other_metrics_never_enter_a_board(runs, render, entries):
    write_run(runs, {"variant": "guided"}, 0, {"test/accuracy": 0.6})
    text = BOARD + "elsewhere = true\n" + MATCH
    board, elsewhere = render(text).document.blocks
    assert [row[0] for row in cells(board)] == ["theirs", "guided"]
    assert cells(elsewhere) == [("Elsewhere", "theirs", "AUROC", "0.7", "–")]


def test_equal_numbers_as_shown_share_a_rank_and_the_next_place_is_left_out(runs, render):
    for variant, number in {"a": 0.50001, "b": 0.50004, "c": 0.4, "d": math.nan}.items():
        write_run(runs, {"variant": variant}, 0, {"test/accuracy": number})
    (board,) = render(BOARD).document.blocks
    assert [row[:3] for row in cells(board)] == [
        ("a", "1", "50.00"), ("b", "1", "50.00"), ("c", "3", "40.00"), ("d", "–", "NaN")
    ]  # fmt: skip
    assert "Not a finite number: d in d-s0-" in plain(board.notes)


def test_lower_can_be_better_and_a_number_can_stand_beside_percent(runs, render, entries):
    for variant, number in {"a": 0.7, "b": 0.5}.items():
        write_run(runs, {"variant": variant}, 0, {"test/loss": number})
    text = HEAD + '[[leaderboards]]\ntitle = "L"\nvalue = "test/loss"\nbetter = "min"\n' + MATCH
    (board,) = render(text).document.blocks
    assert [row[:3] for row in cells(board)] == [
        ("b", "1", "0.500"), ("theirs", "2", "0.6250"), ("a", "3", "0.700")
    ]  # fmt: skip


def test_each_data_set_has_a_board_and_each_setting_an_entry(runs, render):
    number = {"test/accuracy": 0.5}
    for experiment in ("one", "two"):
        write_run(runs, {"variant": "none"}, 0, number, experiment=experiment, dataset={"use": "d"})
    write_run(runs, {"lr": 0.1}, 0, number, experiment="three", dataset={"use": "e"})
    write_run(runs, {"lr": 0.2}, 0, {"x": 1.0}, experiment="three", dataset={"use": "e"})
    first, second = render(BOARD).document.blocks
    assert (first.grid.title, second.grid.title) == ("Accuracy: d", "Accuracy: e")
    assert [row[0] for row in cells(first)] == ["none (one)", "none (two)"]
    assert [row[0] for row in cells(second)] == ["0.1"]
    assert "Without test/accuracy: 0.2." in plain(second.notes)


def test_a_value_that_no_run_holds_gets_its_nearest_name(demo, render):
    (board,) = render(BOARD.replace("test/accuracy", "test/acuracy")).document.blocks
    assert not board.grid.rows
    assert "No run holds test/acuracy; did you mean test/accuracy?" in plain(board.notes)


def test_a_board_without_runs_of_ours_says_so(runs, render, entries):
    write_run(runs, {"variant": "a"}, 0, {"test/accuracy": 0.5}, dataset={"use": "other"})
    first, _ = render(BOARD + MATCH).document.blocks
    assert cells(first) == [("theirs", "–", "62.50", "–", "published")]
    assert "No finished run of colored_digits." in plain(first.notes)


def test_the_order_of_runs_never_matters(runs, render):
    write_demo(runs, seeds=(0, 1))
    once = cells(render(BOARD).document.blocks[0])
    for index, folder in enumerate(sorted((runs / "colored_digits").iterdir(), key=lambda p: p.name[::-1])):
        folder.rename(folder.with_name(f"{index:03}"))
    assert cells(render(BOARD).document.blocks[0]) == once


def test_every_format_shows_a_board(demo, render, entries, tmp_path):
    text = BOARD + "elsewhere = true\n" + MATCH
    report = render(text, formats=("markdown", "latex", "html", "csv", "json"))
    for file in ("table.md", "table.tex", "index.html"):
        shown = (tmp_path / "out" / file).read_text()
        assert "rank 26 there" in shown, file
        assert "Elsewhere" in shown, file
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    published = [line for line in lines if line["published"]]
    assert [(line["row"], line["published"], line["published_unit"]) for line in published] == [
        ("theirs", "62.50", "percent"), ("theirs", "0.7", "")
    ]  # fmt: skip
    assert all(not line["number"] and not line["run"] for line in published)
    assert len(lines) == 18 + 2
    board, elsewhere = json.loads((tmp_path / "out" / "report.json").read_text())["leaderboards"]
    theirs = next(entry for entry in board["entries"] if "published" in entry)
    assert (theirs["published"]["text"], theirs["published"]["rank_there"]) == ("62.50", 26)
    ours = next(entry for entry in board["entries"] if entry["label"] == "guided")
    assert len(ours["values"]) == 3
    assert elsewhere["entries"][0]["dataset"] == "Elsewhere"
    behind = {value["run"] for entry in board["entries"] for value in entry.get("values", ())}
    assert {run.id for _, run in report.document.used} == behind


def test_names_from_outside_stay_words(runs, render, entries, tmp_path):
    entries(ENTRIES.replace('"theirs"', r'"<b>\\textbf{x}|`*"'))
    write_run(runs, {"variant": "<script>"}, 0, {"test/accuracy": 0.5})
    render(BOARD + MATCH, formats=("markdown", "latex", "html"))
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert r"\textbf{x}" not in (tmp_path / "out" / "table.tex").read_text()


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('dataset = "Digits"', 'dataset = "Digts"', 'did you mean "Digits"'),
        ('metric = "top-1"', 'metric = "top-5"', "its metrics: top-1"),
        ('metric = "top-1"', "", 'no published entry of "Digits" has "test/accuracy"'),
        ('metric = "top-1"', 'metric = "top-1"\nunit = "number"', "the file says another unit"),
        ('dataset = "Digits"\nmetric = "top-1"', 'dataset = "Elsewhere"\nmetric = "AUROC"', "say it: unit"),
        ('published = ["entries.toml"]', "", "names no published file"),
        ("entries.toml", "entires.toml", "did you mean"),
        ("ours =", "our =", 'did you mean "ours"'),
    ],
)
def test_a_match_that_means_nothing_is_told_at_its_place(demo, render, entries, old, new, said):
    with pytest.raises(ReportError) as error:
        render(BOARD + MATCH.replace(old, new))
    assert said in str(error.value)
    assert "report.toml:" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value = 62.50", 'value = "62.50"', "expected a number"),
        ("value = 62.50", "value = nan", "not nan"),
        ("rank = 26", "rank = 0", "must be 1 or above"),
        ('unit = "percent"', 'unit = "%"', "unit"),
        ('task = "digits"', 'tsk = "digits"', 'did you mean "task"'),
        ('method = "theirs"', "", "names no method"),
        ("https://", "javascript:", "no http or https address"),
        ('source = "a page"', "", "source"),
        ('"Elsewhere"\nmetric = "AUROC"', '"Digits"\nmetric = "top-1"', "another row has"),
    ],
)
def test_a_wrong_file_of_entries_is_told_at_its_place(demo, render, entries, old, new, said):
    entries(ENTRIES.replace(old, new))
    with pytest.raises(ReportError) as error:
        render(BOARD + MATCH)
    assert said in str(error.value)
    assert "entries.toml:" in str(error.value)


def test_labels_and_keys_that_no_run_has_are_told(demo, render):
    for key in ("by", "across"):
        with pytest.raises(ReportError, match="no run has a label or a key"):
            render(BOARD + f'{key} = "nonsense"\n')


def test_the_reports_that_come_with_mmspec_are_read(registry, demo, render, tmp_path):
    reading = read_definition(REPORTS / "leaderboards.toml", registry)
    assert [len(entries) for entries in reading.listings] == [25, 0]
    (tmp_path / "published").symlink_to(REPORTS / "published")
    blocks = render((REPORTS / "leaderboards.toml").read_text()).document.blocks
    titles = [block.grid.title for block in blocks]
    assert titles[0] == "Test accuracy: coloured digits"
    assert [len(block.grid.rows) for block in blocks] == [6, 5, 10, 10, 6]


def test_text_blocks_stand_in_every_format_in_their_order(demo, render, tmp_path):
    words = '[[texts]]\ntitle = "Words & more"\ntext = "First_one.\\n\\n50 % <b>."\n'
    report = render(HEAD + words + BOARD[len(HEAD) :], formats=("markdown", "latex", "html"))
    shown = {file: (tmp_path / "out" / file).read_text() for file in ("table.md", "table.tex", "index.html")}
    assert shown["table.md"].index("First\\_one.") < shown["table.md"].index("Accuracy")
    assert "## Words \\& more" in shown["table.md"]
    assert shown["table.tex"].index(r"First\_one.") < shown["table.tex"].index("Accuracy")
    assert r"50 \%" in shown["table.tex"]
    assert "<p>50 % &lt;b&gt;.</p>" in shown["index.html"]
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as captured:
        console.print(report.terminal())
    said = captured.get()
    assert said.index("Words & more") < said.index("First_one.") < said.index("Accuracy")
