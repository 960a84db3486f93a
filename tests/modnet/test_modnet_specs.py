"""The shipped specs of ModNet: they say what their sources say, share what they can, and run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import mmspec
from mmspec.engine.recorder import Silent
from mmspec.engine.run import execute_run
from mmspec.graph.identity import stage_ids

SPECS = Path(__file__).parents[2] / "specs"
VARIANTS = ("conventional", "lr_scaled", "frozen")
ANIMALS, CANINES, FELINES = "n00015388", "n02083346", "n02120997"


@cache
def plans(spec):
    """The plan of each (variant, seed)."""
    runs = mmspec.load(SPECS / f"{spec}.toml").runs
    return {(run.plan.labels["variant"], run.plan.seed): run.plan for run in runs}


def stage(spec, variant, name):
    [found] = [s for s in plans(spec)[variant, 0].resolved["stages"] if s["name"] == name]
    return found


@pytest.mark.parametrize("spec", ["modnet", "modnet_felines", "modnet_compat"])
def test_three_ways_by_three_seeds(spec):
    assert set(plans(spec)) == {(variant, seed) for variant in VARIANTS for seed in (0, 1, 2)}


def test_settings_are_the_published_ones():
    for variant in VARIANTS:
        grown = stage("modnet", variant, "grown")
        assert (grown["optimizer"]["lr"], grown["optimizer"]["momentum"]) == (0.1, 0.9)
        assert grown["optimizer"]["weight_decay"] == 1e-4
        assert (grown["schedule"]["step_size"], grown["schedule"]["gamma"]) == (30, 0.1)
        assert grown["train"]["batch_size"] == 256
        assert grown["train"]["epochs"] == (135 if variant == "frozen" else 72)
        assert stage("modnet", variant, "animals")["train"]["epochs"] == 72
        assert stage("modnet", variant, "animals_after")["train"]["epochs"] == 0
        assert (grown["dataset"]["resize"], grown["dataset"]["size"]) == (256, 224)
    scales = [group["lr_scale"] for group in stage("modnet", "lr_scaled", "grown")["optimizer"]["groups"]]
    assert scales == [0.4, 0.4, 0.65]


def test_the_second_task_is_of_the_first_one_s_positives():
    for spec, target in (("modnet", CANINES), ("modnet_felines", FELINES)):
        grown = stage(spec, "conventional", "grown")["dataset"]
        assert (grown["positive"], grown["negative"]) == ([target], [ANIMALS])
        assert stage(spec, "conventional", "animals")["dataset"]["positive"] == [ANIMALS]


def test_both_tasks_hold_out_the_same_images():
    first, second = (stage("modnet", "frozen", name)["dataset"] for name in ("animals", "grown"))
    assert {first["held_out"], second["held_out"]} == {0.3}
    assert first["seed"] == second["seed"]


def test_animals_are_learnt_once_for_all_ways_and_both_second_tasks():
    """Equal ids: the launcher runs one of them."""
    ids = {
        (spec, variant): stage_ids(plans(spec)[variant, 0], {})["animals"]
        for spec in ("modnet", "modnet_felines", "modnet_compat")
        for variant in VARIANTS
    }
    assert len({found for (spec, _), found in ids.items() if spec != "modnet_compat"}) == 1
    assert len(set(ids.values())) == 2


def test_slips_are_in_the_spec_of_slips_alone():
    for spec in ("modnet", "modnet_felines", "modnet_compat"):
        slips = spec == "modnet_compat"
        for variant in VARIANTS:
            grown = stage(spec, variant, "grown")
            assert (grown["dataset"]["compat"] == "modnet") == slips
            assert grown["evaluate"]["random_transforms"] == slips
            assert grown["freeze_statistics"] == (not slips or variant != "frozen")
            assert ("branches.image.head.*" in grown["freeze"]) == (slips and variant != "conventional")
    assert not stage("modnet_compat", "lr_scaled", "grown")["optimizer"]["groups"]


@pytest.mark.parametrize(
    "spec",
    [
        "modnet",
        pytest.param("modnet_felines", marks=pytest.mark.slow),
        pytest.param("modnet_compat", marks=pytest.mark.slow),
    ],
)
def test_it_runs_on_stand_ins(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    for run in mmspec.load(SPECS / f"{spec}.toml", smoke=True).runs:
        values = execute_run(run.plan, Silent(), tmp_path / run.plan.labels["variant"]).values
        for name in ("accuracy", "sensitivity", "specificity"):
            before, after = (values[f"{of}/test/{name}"] for of in ("animals", "animals_after"))
            assert values[f"forgetting/{name}"] == before - after
            assert f"forgetting_trained/{name}" in values
            assert f"grown/test/{name}" in values
