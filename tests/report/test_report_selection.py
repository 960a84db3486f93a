from __future__ import annotations

import random
import shutil

import pytest
from fake_runs import write_demo, write_run

from mmspec.records import find_runs
from mmspec.report.runs.selection import Finder, matches, read_runs, said, select

A = {"variant": "a"}


def left_out(selection):
    return {left.run.path.name: left.reason for left in selection.left_out}


def test_only_finished_runs_enter(runs):
    good = write_run(runs, A, 0, {"x": 1.0})
    failed = write_run(runs, A, 1, {}, status="failed")
    unfinished = write_run(runs, A, 2, {}, status="unfinished")
    smoke = write_run(runs, A, 3, {"x": 1.0}, smoke=True)
    selection = read_runs(runs, ["colored_digits"])
    assert [run.path for run in selection.runs] == [good]
    assert left_out(selection) == {failed.name: "failed", unfinished.name: "unfinished", smoke.name: "smoke"}


def test_of_one_spec_the_newest_code_enters(runs):
    old = write_run(runs, A, 0, {"x": 1.0}, code="1", created="2026-01-01T00:00:00+00:00")
    new = write_run(runs, A, 0, {"x": 2.0}, code="2", created="2026-01-02T00:00:00+00:00")
    selection = read_runs(runs, ["*"])
    assert [run.path for run in selection.runs] == [new]
    assert left_out(selection) == {old.name: "stale"}


def test_runs_of_an_edited_spec_never_mix_with_the_new_ones(runs):
    old = [write_run(runs, A, seed, {"x": 1.0}, optimizer={"lr": 0.1}) for seed in (0, 1, 2)]
    later = "2026-01-02T00:00:00+00:00"
    new = [write_run(runs, A, s, {"x": 2.0}, optimizer={"lr": 0.2}, created=later) for s in (0, 1)]
    selection = read_runs(runs, ["*"])
    assert [run.path for run in selection.runs] == new
    assert left_out(selection) == {folder.name: "spec changed" for folder in old}


def test_what_cannot_change_numbers_is_no_change_of_the_spec(runs):
    write_run(runs, A, 0, {"x": 1.0}, train={"epochs": 1, "workers": 0})
    write_run(runs, A, 1, {"x": 1.0}, train={"epochs": 1, "workers": 4})
    assert len(read_runs(runs, ["*"]).runs) == 2


def test_a_copied_run_counts_once(runs):
    folder = write_run(runs, A, 0, {"x": 1.0})
    shutil.copytree(folder, folder.with_name("copy"))
    selection = read_runs(runs, ["*"])
    assert len(selection.runs) == 1
    assert list(left_out(selection).values()) == ["duplicate"]


def test_patterns_choose_experiments(runs):
    write_run(runs, A, 0, {}, experiment="one")
    write_run(runs, A, 0, {}, experiment="other")
    assert [run.experiment for run in read_runs(runs, ["on*"]).runs] == ["one"]
    assert not read_runs(runs / "missing", ["*"]).all_runs


def test_a_damaged_run_is_told(runs):
    folder = write_run(runs, A, 0, {"x": 1.0})
    (folder / "result.json").write_text("{")
    selection = read_runs(runs, ["*"])
    assert not selection.runs
    assert "is damaged" in str(selection.problems[0])


def test_the_order_of_runs_never_matters(runs):
    write_demo(runs, seeds=(0, 1), variants=("none", "guided"))
    write_run(runs, {"variant": "none"}, 0, {"x": 0.0}, code="0", balancing={"use": "none"})
    found = list(find_runs(runs).runs)
    expected = [run.path for run in select(found).runs]
    for seed in range(5):
        random.Random(seed).shuffle(found)
        assert [run.path for run in select(found).runs] == expected


def test_a_run_answers_by_label_then_by_spec(runs):
    write_run(runs, {"variant": "a", "balancing.alpha": 0.1}, 7, {}, balancing={"use": "guided", "window": 5})
    (run,) = read_runs(runs, ["*"]).runs
    assert said(run, "variant") == "a"
    assert said(run, "balancing.alpha") == 0.1
    assert said(run, "balancing.window") == 5
    assert said(run, "balancing") == "guided"
    assert (said(run, "seed"), said(run, "experiment")) == (7, "colored_digits")
    assert said(run, "balancing.nothing.below") is None
    assert matches(run, {"variant": "a", "balancing.window": 5})
    assert not matches(run, {"balancing.window": 6})


@pytest.mark.parametrize(("value", "wanted"), [(True, 1), (1, True), ("1", 1)])
def test_values_are_compared_with_their_type(runs, value, wanted):
    write_run(runs, {"flag": value}, 0, {})
    (run,) = read_runs(runs, ["*"]).runs
    assert matches(run, {"flag": value})
    assert not matches(run, {"flag": wanted})


@pytest.mark.parametrize(
    "where",
    [{}, {"flag": 1}, {"flag": True}, {"flag": 1.0}, {"flag": "1"}, {"flag": 1, "seed": 1}, {"channels": 1}],
)
def test_runs_are_found_as_they_match(runs, where):
    for seed, flag in enumerate((1, True, 1.0, "1", 1, 0)):
        write_run(runs, {"flag": flag}, seed, {}, channels=[1, 2])
    enter = read_runs(runs, ["*"]).runs
    assert len(enter) == 6
    assert Finder(enter).matching(where) == tuple(run for run in enter if matches(run, where))
