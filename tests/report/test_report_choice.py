from __future__ import annotations

import json

import pytest
from fake_runs import FUSED, PAPER, REPORTS, plain, write_paper, write_run

from mmspec.errors import ReportError
from mmspec.report import render_report

REPORT = """
mmspec = 1
title = "Best"
runs = ["a", "b"]
[[rows]]
label = "alone"
by = "val/accuracy"
best_of = [{ variant = "left" }, { variant = "right" }]
[[rows]]
label = "both"
where = { variant = "both" }
[[tables]]
title = "Accuracy"
[[tables.columns]]
label = "one"
value = "test/accuracy"
where = { experiment = "a" }
better = "max"
[[tables.columns]]
group = "Second"
label = "two"
value = "test/accuracy"
where = { experiment = "b" }
better = "max"
"""


def write(runs, experiment, variant, val, test=None, select="val/accuracy", seeds=(0, 1, 2), **stage):
    for seed in seeds:
        values = {"val/accuracy": val + seed / 1000, "test/accuracy": (1 - val if test is None else test)}
        stage = {
            "select": {"metric": select, "mode": "max"} if select else None,
            "balancing": variant,
            **stage,
        }
        write_run(runs, {"variant": variant}, seed, values, experiment=experiment, **stage)


@pytest.fixture
def filled(runs):
    """On validation, left is better in a and right in b; on test it is the other way round."""
    for experiment, left, right in (("a", 0.9, 0.8), ("b", 0.6, 0.7)):
        write(runs, experiment, "left", left)
        write(runs, experiment, "right", right)
        write(runs, experiment, "both", 0.5)
    return runs


def row(report, label="alone"):
    return report.document.tables[0].table.cells[label]


def notes(report):
    return plain(report.document.tables[0].notes)


def test_the_best_is_chosen_on_validation_in_each_column(filled, render):
    report = render(REPORT)
    assert [{run.label for run, _ in cell.taken} for cell in row(report)] == [{"left"}, {"right"}]
    assert [cell.values for cell in row(report)] == [pytest.approx((0.1,) * 3), pytest.approx((0.3,) * 3)]


def test_a_note_says_what_was_chosen_and_by_how_much(filled, render):
    assert (
        "alone is chosen by the highest val/accuracy: a: left (0.9010, right 0.8010; mean over seeds 0–2); "
        "Second: right (0.7010, left 0.6010; mean over seeds 0–2)."
    ) in notes(render(REPORT))


def test_what_is_on_test_never_decides(filled, render):
    before = [{run.label for run, _ in cell.taken} for cell in row(render(REPORT))]
    for path in filled.glob("*/*/result.json"):
        result = json.loads(path.read_text())
        result["values"]["test/accuracy"] = 1 - result["values"]["test/accuracy"]
        path.write_text(json.dumps(result))
    assert [{run.label for run, _ in cell.taken} for cell in row(render(REPORT))] == before


def test_candidates_are_compared_over_the_seeds_that_all_have(runs, render):
    write(runs, "a", "left", 0.7, seeds=(0, 1))
    write(runs, "a", "right", 0.6, seeds=(1, 2))
    write(runs, "a", "right", 0.9, seeds=(3,))
    report = render(REPORT)
    assert len(row(report)[0].taken) == 2
    assert "a: left (0.7010, right 0.6010; mean over seed 1)" in notes(report)
    assert "left (a) without seeds 2, 3" in notes(report)
    assert "right (a) without seed 0" in notes(report)


@pytest.mark.parametrize(
    ("val", "seeds", "said"),
    [
        (None, (), "a: not chosen, no finished run of right"),
        (0.5, (7,), "a: not chosen, no seed is common to left, right"),
        (float("nan"), (0,), "a: not chosen, no val/accuracy of right"),
    ],
)
def test_the_best_of_fewer_never_passes_for_the_best_of_all(runs, render, val, seeds, said):
    write(runs, "a", "left", 0.7)
    write(runs, "a", "right", val, test=0.5, seeds=seeds)
    report = render(REPORT)
    assert row(report)[0].mean is None
    assert said in notes(report)


def test_candidates_of_other_experiments_take_no_part(filled, render):
    text = REPORT.replace(
        '{ variant = "left" }, { variant = "right" }',
        '{ experiment = "a", variant = "left" }, { experiment = "a", variant = "right" }, '
        '{ experiment = "b", variant = "left" }',
    )
    assert [{run.label for run, _ in cell.taken} for cell in row(render(text))] == [{"left"}, {"left"}]


def test_a_candidate_never_averages_over_different_settings(filled, render):
    text = REPORT[: REPORT.rindex("[[tables.columns]]")].replace('where = { experiment = "a" }\n', "")
    with pytest.raises(ReportError, match="would average over runs that differ in experiment"):
        render(text)


@pytest.mark.parametrize(
    ("stage", "is_known"),
    [
        ({"select": "dev/accuracy"}, True),
        ({"select": None, "train": {"stop": {"metric": "dev/accuracy", "above": 1}}}, True),
        ({"select": "val/accuracy"}, False),
        ({"select": None}, False),
    ],
)
def test_a_split_counts_only_if_the_runs_show_that_it_is_not_for_testing(runs, render, stage, is_known):
    for variant in ("left", "right"):
        write(runs, "a", variant, 0.5, **stage)
    for path in runs.glob("*/*/result.json"):
        result = json.loads(path.read_text())
        result["values"]["dev/accuracy"] = 0.5
        path.write_text(json.dumps(result))
    text = REPORT.replace('"val/accuracy"', '"dev/accuracy"')
    if is_known:
        assert row(render(text))[0].mean is not None
    else:
        with pytest.raises(ReportError, match="shows that dev is no test split") as error:
            render(text)
        assert "report.toml:" in str(error.value)


def test_val_is_for_validation_where_the_spec_split_it_off(runs, render):
    for variant in ("left", "right"):
        write(runs, "a", variant, 0.5, select=None, split={"fraction": 0.2})
    assert row(render(REPORT))[0].mean is not None


WHERE = 'where = { variant = "both" }'
MISTAKES = [
    (
        'by = "val/accuracy"',
        'by = "test/accuracy"',
        ["rows[0].by", "nothing is chosen on test", "val/accuracy"],
    ),
    ('by = "val/accuracy"', 'by = "test_iid/accuracy"', ["test_iid is a test split"]),
    ('by = "val/accuracy"', 'by = "accuracy"', ["names no metric"]),
    ('by = "val/accuracy"', "", ["rows[0]: best_of needs two or more, and by"]),
    (', { variant = "right" }', "", ["rows[0]: best_of needs two or more"]),
    (WHERE, WHERE + '\nby = "val/accuracy"', ["rows[1]: has both where and best_of"]),
    (WHERE, "", ["rows[1]: where is missing", "best_of"]),
    (
        "[[tables]]",
        '[[figures]]\nuse = "bars"\ntitle = "x"\nvalues = ["x"]\n[[tables]]',
        ["rows[0]: a row that is chosen column by column is for tables"],
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_mistakes_of_such_rows_are_told(filled, render, old, new, said):
    assert old in REPORT
    with pytest.raises(ReportError) as error:
        render(REPORT.replace(old, new))
    assert all(part in str(error.value) for part in said), str(error.value)
    assert "report.toml:" in str(error.value)


# ---------------------------------------------------------------- columns over several experiments


@pytest.fixture
def paper(tmp_path, runs, registry):
    def render_paper(**kwargs):
        write_paper(runs, **kwargs)
        path = REPORTS / "wu2022.toml"
        return render_report(path, runs_root=runs, out=tmp_path / "out", registry=registry)

    return render_paper


def test_a_report_with_one_of_three_experiments_renders_and_says_what_makes_the_others(paper):
    report = paper(experiments=("nvgesture_scratch",))
    filled = {
        label: [bool(c.taken) for c in cells]
        for label, cells in report.document.tables[0].table.cells.items()
    }
    assert set(map(tuple, filled.values())) == {(False, True, False)}
    under = notes(report)
    assert "No finished run of ModelNet40; mmspec run specs/modelnet40.toml makes them." in under
    assert "No finished run of NVGesture, pretrained; mmspec run specs/nvgesture_pretrained.toml" in under
    assert "specs/nvgesture_scratch.toml" not in under


def test_missing_rows_and_seeds_are_told_with_the_experiment_they_are_missing_in(paper, runs):
    write_paper(runs, experiments=("modelnet40",))
    for folder in (runs / "modelnet40").glob("guided-*"):
        folder.rename(folder.with_name("." + folder.name))
    under = notes(paper(experiments=("nvgesture_scratch",), seeds=(1,)))
    assert "No finished run of guided (ModelNet40); mmspec run specs/modelnet40.toml makes it." in under
    lacking = ", ".join(["uni-modal color", "uni-modal depth", "none", "RUBi", "random", "guided"])
    command = "mmspec run specs/nvgesture_scratch.toml"
    assert f"{lacking} (NVGesture, scratch) without seeds 0, 2; {command} makes them." in under


def test_without_any_run_all_commands_are_told(tmp_path, registry):
    with pytest.raises(ReportError) as error:
        render_report(REPORTS / "wu2022.toml", runs_root=tmp_path, out=tmp_path, registry=registry)
    assert all(f"mmspec run specs/{name}.toml" in str(error.value) for name in PAPER)


def test_the_paper_has_its_figures(paper, tmp_path):
    report = paper(seeds=(0, 1))
    assert [picture.name for picture in report.document.pictures] == ["observation", "strategies"]
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("observation", "strategies") for kind in ("svg", "png", "pgf")
    }
    assert len(report.document.used) == len(PAPER) * 2 * (len(FUSED) + 2)


def test_a_command_is_for_an_experiment_that_is_read(filled, render):
    with pytest.raises(ReportError) as error:
        render(REPORT.replace('title = "Best"', 'title = "Best"\nmade_by = { aa = "make a" }'))
    assert "made_by.aa: this report reads no such experiment" in str(error.value)
