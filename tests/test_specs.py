"""The shipped specs of published experiments: every cell is there, and says what its source says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[1] / "specs"


def stages(name):
    """The stage of each run by (variant, seed)."""
    runs = resolve(read_document(SPECS / f"{name}.toml"))
    return {(run.labels.get("variant"), run.seed): run.resolved["stages"][0] for run in runs}


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("modelnet40", ("front", "rear")),
        ("nvgesture_scratch", ("color", "depth")),
        ("nvgesture_pretrained", ("color", "depth")),
    ],
)
def test_every_cell_has_three_seeds(name, alone):
    found = stages(name)
    rows = [f"uni-modal {m}" for m in alone] + ["none", "rubi", "random", "guided"]
    assert list(found) == [(row, seed) for row in rows for seed in (0, 1, 2)]
    for m in alone:
        assert list(found[f"uni-modal {m}", 0]["modalities"]) == [m]
    for row in rows[2:]:
        assert found[row, 0]["balancing"]["use"] == row
        assert list(found[row, 0]["modalities"]) == list(alone)


def test_a_cell_by_itself_is_the_cell_of_the_table():
    alone, table = stages("nvgesture_guided"), stages("nvgesture_scratch")
    assert [alone[None, seed] for seed in (0, 1, 2)] == [table["guided", seed] for seed in (0, 1, 2)]


def test_weights_lie_where_the_environment_says(monkeypatch):
    assert {
        branch["backbone"]["weights"]
        for branch in stages("nvgesture_pretrained")["none", 0]["modalities"].values()
    } == {"weights/rgb_imagenet.pt"}
    monkeypatch.setenv("MMSPEC_WEIGHTS", "/elsewhere")
    branch = stages("nvgesture_pretrained")["uni-modal depth", 0]["modalities"]["depth"]
    assert branch["backbone"]["weights"] == "/elsewhere/rgb_imagenet.pt"


def test_slips_are_reproduced_where_asked_for_and_nowhere_else():
    for stage in stages("modelnet40_compat").values():
        assert stage["dataset"]["compat"] == stage["fusion"]["compat"] == "wu2022"
        assert stage["balancing"].get("compat", "wu2022") == "wu2022"
        assert stage["evaluate"]["each_epoch"] == ["val", "test"]
        assert stage["train"]["epochs"] == 299
    for name in ("modelnet40", "nn_exam", "nvgesture_scratch"):
        for stage in stages(name).values():
            parts = [stage["dataset"], stage["fusion"] or {}, stage["balancing"]]
            assert not any(part.get("compat") for part in parts)


def test_the_replication_monitors_the_loss_of_validation():
    found = stages("nn_exam")
    assert found["same view twice", 0]["dataset"]["views"] == {"a": 0, "b": 0}
    assert found["unbalanced", 0]["dataset"]["views"] == {"a": 0, "b": 6}
    losses = {row: stage["balancing"].get("loss") for (row, seed), stage in found.items() if seed == 0}
    assert losses == {
        "same view twice": None,
        "unbalanced": None,
        "balanced": "sum",
        "balanced + sum": "plus_d_speed",
        "balanced + weighted average": "weighted_by_speed",
    }
    assert {stage["schedule"]["monitor"] for stage in found.values()} == {"val/loss"}
