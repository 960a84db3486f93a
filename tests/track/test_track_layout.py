"""What goes into a tracker's config and summary comes back as it was."""

from __future__ import annotations

import json
import math

import pytest

from mmspec.plugins.api import RunInfo
from mmspec.track.layout import (
    DIFF_LIMIT,
    from_config,
    from_summary,
    named_stages,
    to_config,
    to_summary,
)

SPEC = {
    "name": "digits/für",
    "seed": 0,
    "labels": {"train.lr": 0.1, "a.b": {"b": None}},
    "stages": [
        {"name": "z.last", "modalities": {"grey": {}, "color": {}}, "lr": [1, 2.5, math.inf]},
        {"name": "a/first", "modalities": {}, "lr": []},
    ],
}
IDENTITY = {"id": "digits-s0-01", "spec_hash": "01", "code": {"metric/x": {"version": "1"}}, "data": {}}
RESULT = {
    "status": "finished",
    "values": {"test/accuracy.color": 0.1 + 0.2, "test/u(color|grey)": math.nan, "test/loss": -math.inf},
    "stages": {
        "z.last": {"epochs": 1, "steps": 3, "selected": None, "values": {"val/a": 1.0}},
        "a/first": {
            "epochs": 2,
            "steps": 7,
            "selected": {"epoch": 1, "metric": "val/a", "value": math.nan},
            "values": {"test/accuracy.color": 0.1 + 0.2},
        },
    },
    "seconds": 1.25,
    "identity": "digits-s0-01",
}


def info(**changed):
    facts = {
        "experiment": "digits",
        "run_id": "digits-s0-01",
        "label": "",
        "config": SPEC,
        "identity": IDENTITY,
        "provenance": {"command": "mmspec run 'ä.toml'", "git": {"commit": "c0", "diff": "+1"}},
    }
    return RunInfo(**{**facts, **changed})


def through_wandb(value):
    """What a service leaves of a value: keys sorted, floats that JSON does not know as null."""
    if isinstance(value, dict):
        return {key: through_wandb(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [through_wandb(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_spec_identity_and_provenance_come_back():
    run = info()

    found = from_config(through_wandb(to_config(run)))

    assert json.dumps(found.spec) == json.dumps(SPEC), "in order, too"
    assert (found.identity, found.provenance) == (IDENTITY, run.provenance)


def test_what_people_filter_by_stands_in_tables():
    config = to_config(info())

    assert config["stages"]["z.last"]["modalities"] == {"grey": {}, "color": {}}
    ours = config["mmspec_run"]
    assert (ours["id"], ours["spec_hash"], ours["commit"], ours["smoke"]) == (
        "digits-s0-01",
        "01",
        "c0",
        False,
    )


def test_a_long_diff_is_cut_and_says_so():
    git = {"commit": "c0", "diff": "+" * (DIFF_LIMIT + 1), "diff_cut": False}

    found = from_config(to_config(info(provenance={"git": git})))

    assert len(found.provenance["git"]["diff"]) == DIFF_LIMIT
    assert found.provenance["git"]["diff_cut"] is True


@pytest.mark.parametrize(
    "ours",
    [None, "text", {}, {"layout": 2, "record": "{}"}, {"layout": 1}, {"layout": 1, "record": "{"},
     {"layout": 1, "record": "[]"}, {"layout": 1, "record": '{"spec": {}, "identity": {}}'}],
)  # fmt: skip
def test_a_config_that_is_not_ours_gives_nothing(ours):
    assert from_config({} if ours is None else {"mmspec_run": ours}) is None


def test_the_result_comes_back():
    summary = to_summary("finished", RESULT["values"], RESULT)

    assert summary["test/accuracy.color"] == 0.1 + 0.2
    assert (summary["status"], summary["seconds"]) == ("finished", 1.25)
    assert summary["stages"]["z.last"] == {"epochs": 1, "steps": 3, "selected": None}
    status, result = from_summary(through_wandb(summary), running=True)
    assert status == "finished"
    assert json.dumps(result) == json.dumps(RESULT), "with not-a-number, infinity, and in order"


@pytest.mark.parametrize(
    ("summary", "running", "status"),
    [
        ({}, True, "running"),
        ({}, False, "unfinished"),
        (to_summary("running", {}), False, "unfinished"),
        (to_summary("interrupted", {}), False, "unfinished"),
        (to_summary("failed", {}), False, "failed"),
        (to_summary("failed", {}), True, "running"),
        (to_summary("finished", {"a/b": 1.0}), False, "unfinished"),
        ({"status": "finished", "mmspec_result": "{"}, False, "unfinished"),
    ],
)
def test_a_run_without_its_result_is_not_finished(summary, running, status):
    assert from_summary(summary, running=running) == (status, None)


def test_stages_become_a_table_by_name():
    stages = [{"name": "a", "x": 1}, {"name": "b", "x": 2}]

    assert named_stages({"seed": 0, "stages": stages}) == {
        "seed": 0,
        "stages": {"a": {"name": "a", "x": 1}, "b": {"name": "b", "x": 2}},
    }
    assert named_stages({"stages": "?"}) == {"stages": "?"}
