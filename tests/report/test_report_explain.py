from __future__ import annotations

import json

import pytest
from fake_runs import SMALL, write_demo, write_paper, write_run

from mmspec.errors import ReportError
from mmspec.report.explain.explanation import explain
from mmspec.report.explain.print import Explained, as_lines

TWO = """
[[tables]]
title = "Use"
[[tables.columns]]
group = "Shifted"
label = "d_util"
value = "test/d_util"
[[tables.columns]]
group = "As trained"
label = "d_util"
value = "test_iid/d_util"
[[leaderboards]]
title = "Board"
value = "test_iid/accuracy"
"""
COMMIT = {"commit": "abc123", "dirty": True, "changed": [" M a.py"], "diff": "-1\n+2\n", "diff_cut": False}


@pytest.fixture
def way_back(render):
    """Explain a cell of a report given as text: {part: {fact: text}}."""

    def way_back(row, column, table=None, text=SMALL):
        parts = {}
        for title, facts in explain(render(text).document, row, column, table).parts:
            parts[title] = {name or said: said for name, said in facts}
        return parts

    return way_back


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---------------------------------------------------------------- what is said


def test_a_cell_leads_to_its_runs_in_full_precision(runs, way_back):
    numbers = {0: 0.1 + 0.2, 1: 1 / 3, 2: 0.35}
    folders = [write_run(runs, {"variant": "guided"}, s, {"test/accuracy": v}) for s, v in numbers.items()]
    for seed, value in {0: 0.1, 1: 0.11, 2: 0.12}.items():
        write_run(runs, {"variant": "none"}, seed, {"test/accuracy": value}, balancing={"use": "none"})
    parts = way_back("guided", "test")
    cell = parts["The cell"]
    assert cell["shown"] == "32.8 ± 2.5†"
    assert cell["value"] == "test/accuracy, shown times 100"
    assert cell["aggregate"] == "mean ± standard deviation (n − 1) over n = 3 (seeds 0–2)"
    assert float(cell["mean"]) == pytest.approx(sum(numbers.values()) / 3, abs=1e-15)
    assert cell["rank"] == "1 of 2, as rounded; higher is better"
    assert cell["test"].startswith("Welch's t-test against none: p = 0.00")
    assert parts["Seed 0"]["value"] == "0.30000000000000004"
    assert parts["Seed 1"]["value"] == repr(1 / 3)
    assert parts["Seed 2"]["run"] == folders[2].name
    assert parts["Seed 2"]["address"] == str(folders[2])
    assert parts["Seed 2"]["resolved spec"] == f"{folders[2]}/spec.json"
    same = parts["The same for all 3 runs"]
    assert same["status"] == "finished"
    assert same["command"] == "mmspec run specs/colored_digits.toml"
    assert same["created"] == "2026-01-01T00:00:00+00:00"
    assert same["data"] == "train: d1"
    (change,) = parts["Keys in which they differ from none"]
    assert change == 'balancing {"use": "none"} → nothing'


def test_where_a_run_comes_from_is_said(runs, way_back):
    folder = write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    code = {"mmspec": {"distribution": "mmspec", "version": "1.2", "source_hash": "f" * 64}}
    rewrite(folder / "identity.json", code=code)
    packages = {"torch": "2.0", "numpy": "1.0"}
    rewrite(folder / "provenance.json", git=COMMIT, packages=packages, device="cpu", python="3.11")
    facts = way_back("none", "test/accuracy")["Seed 0"]
    assert facts["code"] == "mmspec: mmspec 1.2, source ffffffffffff"
    assert facts["git"].startswith("abc123, and changes that were not committed (1 files changed, 2 lines of")
    assert f"`mmspec runs show {folder} --diff` shows it" in facts["git"]
    assert facts["packages"] == "torch 2.0, numpy 1.0"
    assert (facts["device"], facts["machine"]) == ("cpu", "Python 3.11")


def test_a_damaged_provenance_hides_nothing_else(runs, way_back):
    folder = write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    (folder / "provenance.json").write_text("{")
    facts = way_back("none", "test")["Seed 0"]
    assert "is damaged" in facts["provenance"]
    assert facts["value"] == "0.5"


def test_an_empty_cell_says_why_and_what_to_run(runs, way_back):
    write_demo(runs, variants=("none", "uni-modal grey"))
    failed = write_run(runs, {"variant": "guided"}, 0, {}, status="failed")
    text = SMALL.replace('by = "variant"', 'by = "variant", order = ["guided", "rubi"]')
    absent = way_back("guided", "test", text=text)["The cell"]
    assert absent["shown"] == "–"
    assert absent["empty"] == "there is no finished run of this row here"
    assert absent["left out"] == f"{failed.name} (failed)"
    assert absent["made by"] == "mmspec run specs/colored_digits.toml"
    assert "left out" not in way_back("rubi", "test", text=text)["The cell"]
    lacking = way_back("uni-modal grey", "d", text=SMALL + TWO.replace('label = "d_util"', 'label = "d"', 1))
    assert lacking["The cell"]["empty"].startswith("its runs do not hold test/d_util: uni-modal-grey-s0-")
    assert "made by" not in lacking["The cell"]


def test_a_cell_with_fewer_seeds_says_so(runs, way_back):
    write_demo(runs, variants=("none",))
    write_demo(runs, variants=("guided",), seeds=(1,))
    cell = way_back("guided", "test")["The cell"]
    assert cell["aggregate"].endswith("over n = 1 (seed 1); other cells have 3")
    assert cell["made by"] == "mmspec run specs/colored_digits.toml"
    assert cell["test"].startswith("none: fewer than 3 finite values")
    assert way_back("none", "test")["The cell"]["test"] == "none: it is the baseline"


def test_a_published_cell_leads_to_its_source(runs, render):
    from fake_runs import REPORTS

    write_paper(runs)
    text = (REPORTS / "wu2022.toml").read_text().replace("published/wu2022", f"{REPORTS}/published/wu2022")
    document = render(text).document
    facts = dict(explain(document, "guided", "ModelNet40, published").parts[0][1])
    assert facts["printed"] == "91.37 ± 0.28"
    assert facts["source"].startswith("Wu et al.")
    assert facts["address"].startswith("https://")
    assert "no result of these runs" in facts["note"]
    chosen = dict(explain(document, "uni-modal (best)", "ModelNet40, ours").parts[0][1])
    assert chosen["chosen by val/accuracy"].startswith("uni-modal rear (0.7")


def test_leaderboards_are_explained_too(demo, render, tmp_path):
    (tmp_path / "e.toml").write_text(
        'source = "a page"\nmethod = "theirs"\n[[row]]\ntask = "t"\ndataset = "D"\nmetric = "m"\n'
        'value = 12.50\nrank = 3\nunit = "percent"\n'
    )
    match = 'published = ["e.toml"]\nmatch = [{ ours = "colored_digits", dataset = "D", metric = "m" }]\n'
    document = render(SMALL + '[[leaderboards]]\ntitle = "B"\nvalue = "test/accuracy"\n' + match).document
    ours = explain(document, "guided", "test/accuracy", "2")
    assert dict(ours.parts[0][1])["rank"] == "2 of 7 on this board, as rounded"
    assert [title for title, _ in ours.parts[1:4]] == ["Seed 0", "Seed 1", "Seed 2"]
    theirs = dict(explain(document, "theirs", "test/accuracy").parts[0][1])
    assert (theirs["printed"], theirs["rank there"], theirs["shown"]) == (
        "12.50",
        "3",
        "0.1250 (rank 3 there)",
    )


def test_a_stale_run_says_why(runs, render, comparing, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_run(runs, {"variant": "none"}, 0, {"test/accuracy": 0.5})
    parts = dict(explain(render(SMALL).document, "none", "test").parts)
    assert dict(parts["The cell"])["stale"] == "1 of its 1 runs, see there"
    facts = dict(parts["Seed 0"])
    assert facts["status"] == "finished, stale"
    assert facts["stale"] == "the code of mmspec has changed since"


# ---------------------------------------------------------------- which cell is meant


def test_cells_are_found_by_head_label_metric_and_table(demo, way_back):
    text = SMALL + TWO
    for name in ("Shifted, d_util", "test/d_util"):
        assert way_back("none", name, text=text)["The cell"]["value"] == "test/d_util"
    for table in ("2", "Use"):
        assert way_back("none", "test/d_util", table, text=text)["The cell"]["value"] == "test/d_util"


@pytest.mark.parametrize(
    ("row", "column", "table", "said"),
    [
        ("gided", "test", None, 'there is no row "gided".*did you mean "guided"'),
        ("guided", "tset", "1", 'row "guided" has no column "tset".*did you mean "test"'),
        ("none", "d_util", None, 'several columns.*"Shifted, d_util", "As trained, d_util"'),
        ("none", "test", "4", "there is no table.*from 1 to 3"),
        ("none", "test", "Usage", 'did you mean "Use"'),
        ("none", "test", "2", 'row "none" has no column "test"'),
    ],
)
def test_what_is_not_there_gets_its_nearest_name(demo, way_back, row, column, table, said):
    with pytest.raises(ReportError, match=f"(?s){said}"):
        way_back(row, column, table, text=SMALL + TWO)


def test_a_cell_of_several_tables_asks_which(demo, way_back):
    twice = SMALL + SMALL[SMALL.index("[[tables]]") :].replace('"Accuracy"', '"Again"')
    with pytest.raises(ReportError, match=r"(?s)several tables.*--table: 1 \(Accuracy\), 2 \(Again\)"):
        way_back("none", "test", text=twice)
    assert way_back("none", "test", "Again", text=twice)


def test_a_report_of_figures_alone_has_no_cells(demo, way_back):
    text = SMALL[: SMALL.index("[[tables]]")]
    text += '[[figures]]\nuse = "bars"\ntitle = "B"\nvalues = ["test/accuracy"]\n'
    with pytest.raises(ReportError, match="this report has no tables"):
        way_back("none", "test", text=text)


# ---------------------------------------------------------------- how it is printed


def test_an_explanation_is_lines_in_a_pipe_and_words_on_a_terminal(runs, render):
    from rich.console import Console

    write_run(runs, {"variant": "[red]a\x1b[2J"}, 0, {"test/accuracy": 0.5})
    text = SMALL.replace('baseline = "none"\n', "")
    label = "[red]a\x1b[2J"
    explanation = explain(render(text).document, label, "test")
    lines = list(as_lines(explanation))
    assert all(line.count("\t") == 2 for line in lines[1:])
    assert "\x1b" not in "".join(lines)
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(Explained(explanation))
    assert "[red]a\ufffd[2J" in captured.get()
    assert "mean ± standard deviation" in captured.get()
