"""Reports of runs of several stages of all kinds, the last of which is an analysis."""

from __future__ import annotations

import pytest
from fake_stages import HEAD, stages_of, write_staged
from strict_html import read_site

import mmspec
from mmspec.errors import ReportError
from mmspec.plugins.recorded import ValuePlace, kind_of_stage, main_stage_of
from mmspec.records import load_run
from mmspec.report.explain.explanation import explain
from mmspec.report.runs.choice import not_for_testing
from mmspec.report.runs.differences import differences
from mmspec.report.runs.selection import said
from mmspec.report.site import write_site
from mmspec.report.site.arrays import array_parts
from mmspec.report.site.provenance import graph_parts
from mmspec.report.site.results import result_parts
from mmspec.report.tables.pairs import not_pairs

TABLE = """
mmspec = 1
title = "Staged"
runs = ["staged"]
rows = { by = "variant" }

[[tables]]
title = "All"
baseline = "frozen"
test = "paired"
columns = [
    { label = "likeness", value = "likeness/mean", better = "max" },
    { label = "learnt", value = "learn/test/accuracy" },
    { label = "grown", value = "grown/test/accuracy" },
    { label = "last", value = "test/accuracy" },
]
"""


@pytest.fixture
def staged(runs):
    return {
        (variant, seed): load_run(write_staged(runs, variant, seed))
        for variant in ("frozen", "free")
        for seed in (0, 1, 2)
    }


@pytest.fixture
def run(staged):
    return staged["frozen", 0]


# ---------------------------------------------------------------- what a run says of its stages


def test_kinds_of_stages():
    stages = stages_of("frozen")
    assert [kind_of_stage(stage) for stage in stages] == ["trains", "trains", "extracts", "analyses"]
    assert kind_of_stage({"train": {"epochs": 0}}) == "measures"


def test_a_run_is_known_by_the_last_stage_that_measures(run, runs):
    assert run.main_stage["name"] == "grown"
    assert load_run(write_staged(runs, "free", 9, measures=False)).main_stage["name"] == "features"
    of_samples = {"name": "it", "extract": {"layer": "input"}, "modalities": {}}
    network = {"name": "features", "extract": {"layer": "features"}, "modalities": {"image": {}}}
    assert main_stage_of([network, of_samples, {"name": "sit", "analysis": {"use": "sit"}}]) is network
    assert main_stage_of([{"name": "sit", "analysis": {"use": "sit"}}])["name"] == "sit"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("likeness/mean", ValuePlace("likeness", None, "mean")),
        ("learn/test/accuracy", ValuePlace("learn", "test", "accuracy")),
        ("test/accuracy", ValuePlace("grown", "test", "accuracy")),
        ("test/u(a|b)", ValuePlace("grown", "test", "u(a|b)")),
    ],
)
def test_where_a_value_was_made(run, value, place):
    assert run.place_of(value) == place


def test_keys_are_of_the_main_stage_or_of_one_that_is_named(run):
    assert said(run, "optimizer.lr") == 0.01
    assert said(run, "learn.optimizer.lr") == 0.1
    assert said(run, "features.extract.layer") == "features"
    assert said(run, "likeness.analysis") == "sit"
    assert said(run, "dataset") == "animals"
    assert said(run, "learn.nothing") is None
    assert said(run, "nothing.optimizer") is None


def test_splits_that_are_not_for_testing_are_of_the_stage(run):
    assert not_for_testing(run) == {"train", "val"}
    assert not_for_testing(run, "features") == {"train"}


def test_differences_name_stages():
    said = list(differences(stages_of("frozen"), stages_of("free")))
    assert said == ['grown.freeze without "branches.*"']


# ---------------------------------------------------------------- tables


def test_tables_of_all_kinds_of_values(staged, render):
    (table,) = [block.table for block in render(TABLE).document.grids]
    by_label = {row.label: table.cells[row.label] for row in table.rows}
    frozen = by_label["frozen"]
    assert [len(cell.taken) for cell in frozen] == [3, 3, 3, 3]
    assert frozen[0].summary.mean == pytest.approx(0.3, abs=0.03)
    assert frozen[1].summary.mean == pytest.approx(frozen[2].summary.mean + 0.1)
    assert frozen[2].values == frozen[3].values
    assert by_label["free"][0].differs  # paired: the runs have data sets to be compared by


def test_runs_without_training_are_pairs_by_what_they_extract(runs):
    one, two = (load_run(write_staged(runs, variant, 0, measures=False)) for variant in ("frozen", "free"))
    assert not_pairs([one], [two]) is None


def test_a_row_chosen_by_an_analysis_is_refused(staged, render):
    row = '{ label = "best", by = "BY", best_of = [{ variant = "frozen" }, { variant = "free" }] }'
    chosen = TABLE.replace('{ by = "variant" }', f"[{row}]").replace('baseline = "frozen"\n', "")
    chosen = chosen.replace('test = "paired"\n', "")
    with pytest.raises(ReportError, match="analysis likeness has looked at no test split"):
        render(chosen.replace("BY", "likeness/mean"))
    with pytest.raises(ReportError, match=r"learn/test/accuracy.*test is a test split"):
        render(chosen.replace("BY", "learn/test/accuracy"))
    document = render(chosen.replace("BY", "learn/val/accuracy")).document
    (table,) = [block.table for block in document.grids]
    assert len(table.cells["best"][0].taken) == 3


def test_load_runs_has_keys_of_all_stages(staged, runs):
    rows = mmspec.load_runs("staged", runs=runs, where={"learn.optimizer.lr": 0.1}, spec=True)
    assert len(rows) == 6
    assert rows[0]["optimizer.lr"] == 0.01
    assert rows[0]["learn.optimizer.lr"] == 0.1
    assert rows[0]["likeness.analysis.use"] == "sit"
    assert "likeness.name" not in rows[0]
    assert rows[0]["likeness/mean"] == staged["free", 0].values["likeness/mean"]


# ---------------------------------------------------------------- a number's way back


def facts_of(render, row, column):
    parts = explain(render(TABLE).document, row, column).parts
    return {name: said for _, facts in parts for name, said in facts}


def test_a_value_of_an_analysis_leads_back_to_the_weights(staged, render):
    facts = facts_of(render, "frozen", "likeness")
    assert facts["made by"] == "stage likeness: analysis sit"
    assert facts["takes"].splitlines() == [
        "features ← features",
        "target ← features, shuffled (object, seed 3)",
    ]
    assert "measured at" not in facts
    learn, grown, features = facts["comes from"].splitlines()
    assert learn.startswith("learn: trains, 5 epochs, animals → resnet18; epoch 4 of 5, by val/accuracy = 0.")
    assert grown.startswith(
        f"grown: trains, 3 epochs, animals → resnet18; weights ← learn, but {HEAD}; epoch 2"
    )
    assert features == "features: extracts features of image, animals → resnet18; weights ← grown"


def test_a_value_of_an_earlier_stage_is_told_with_its_checkpoint(staged, render):
    facts = facts_of(render, "frozen", "learnt")
    assert facts["made by"] == "stage learn: trains, 5 epochs, animals → resnet18"
    assert "comes from" not in facts
    assert facts_of(render, "frozen", "last")["made by"].startswith("stage grown")


# ---------------------------------------------------------------- the page of a run


def test_the_page_has_values_arrays_and_the_graph_of_stages(run):
    results = "".join(result_parts(run))
    assert "<code>likeness/mean</code>" in results
    assert "Stage grown, at the selected checkpoint: epoch 2" in results
    assert "Metrics of stage learn" in results
    assert results.count(f'value="{run.values["test/accuracy"]!r}"') == 1
    assert "extracts features of image" in results
    arrays = "".join(array_parts(run))
    for name in ("learn/test/confusion", "grown/test/confusion", "likeness/rdm"):
        assert f"<summary>{name}</summary>" in arrays
    assert "<td>7</td>" in arrays
    assert "<td>5</td>" in arrays
    graph = "".join(graph_parts(run))
    assert "Stages of the run, drawn" in graph
    assert "target ← features, shuffled (object, seed 3)" in graph


def test_a_run_that_only_analyses_has_a_page_too(runs):
    run = load_run(write_staged(runs, "free", 0, measures=False))
    results = "".join(result_parts(run))
    assert "<code>likeness/mean</code>" in results
    assert "checkpoint" not in results
    assert "<summary>likeness/rdm</summary>" in "".join(array_parts(run))


def test_the_whole_site_is_made(staged, render, tmp_path):
    made = write_site(render(TABLE).document, tmp_path / "site")
    pages = read_site(made.start.parent)
    assert len([name for name in pages if name.startswith("runs/")]) == 6
