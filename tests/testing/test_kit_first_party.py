"""Every plugin that mmspec brings passes the conformance kit; a new one is covered by being registered."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from mmspec import testing
from mmspec.plugins.registry import KINDS, default_registry
from mmspec.spec.structure import fields

#: Options that have no default, by plugin; folders are filled in by type.
REQUIRED = {
    "class_hierarchy": {"positive": ("n02083346",), "negative": ("n00015388",)},
    "sgd": {"lr": 0.1},
    "adam": {"lr": 0.1},
    "adamw": {"lr": 0.1},
    "rmsprop": {"lr": 0.01},
    "adagrad": {"lr": 0.1},
    "step": {"step_size": 2},
    "multistep": {"milestones": (1, 3)},
    "exponential": {"gamma": 0.5},
    "k_per_group": {"k": 2},
    "curves": {"value": "train/loss"},
    "bars": {"values": ("test/accuracy",)},
    "points": {"values": ("test/accuracy",)},
    "paired": {"values": ("test/accuracy",)},
    "scatter": {"x": "val/accuracy", "y": "test/accuracy"},
    "heat_map": {"values": ("rdm/rdm",)},
}
#: Kinds whose plugins have to do with more than one run; their options are checked alone.
OPTIONS_ONLY = {"launcher", "figure"}
LARGE = {
    "resnet34", "resnet50", "resnet101", "resnet152", "r3d_18", "mc3_18", "r2plus1d_18", "alexnet",
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    *(f"densenet{depth}" for depth in (161, 169, 201)),
}  # fmt: skip
#: Objectives and metrics of one branch.
OF_ONE_BRANCH = {"rdm_mse": ("one",), "rdm_similarity": 1}
#: Samples (C, *space) of backbones that do not take images, or no small ones.
SAMPLES = dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18", "i3d"), (3, 9, 17, 32)) | {"alexnet": (3, 64, 70)}


def first_party(*kinds: str) -> list:
    registry = default_registry()
    found = []
    for kind in sorted(kinds):
        for name in registry.names(kind):
            if registry.find(kind, name).distribution == "mmspec":
                marks = [pytest.mark.slow] if name in LARGE else []
                found.append(pytest.param(kind, name, id=f"{kind}-{name}", marks=marks))
    return found


def make(kind: str, name: str, tmp_path: Path):
    """The plugin with its defaults, and a folder that does not exist where it needs one."""
    cls = default_registry().find(kind, name).load()
    options = dict(REQUIRED.get(name, {}))
    for option, field in fields(cls).items():
        if field.type is Path and field.default is attrs.NOTHING:
            options[option] = tmp_path / "absent"
    return cls(**options)


@pytest.mark.parametrize(("kind", "name"), first_party(*(KINDS.keys() - OPTIONS_ONLY - {"tracker"})))
def test_it_conforms(kind, name, tmp_path):
    plugin = make(kind, name, tmp_path)
    check = getattr(testing, f"check_{kind}")
    needs_folder = [tmp_path] if kind in ("dataset", "source") else []
    check(plugin, *needs_folder, *(given[name] for given in (SAMPLES, OF_ONE_BRANCH) if name in given))


@pytest.mark.parametrize(("kind", "name"), first_party("fusion"))
@pytest.mark.parametrize(
    "shapes",
    [((4, 6, 6),), ((4, 7), (6, 3, 4, 4), (8, 5, 5)), ((3,), (2, 4))],
    ids=["one modality", "three of three ranks", "vectors"],
)
def test_fusions_take_feature_maps_of_any_rank(kind, name, shapes, tmp_path):
    testing.check_fusion(make(kind, name, tmp_path), shapes)


@pytest.mark.parametrize(("kind", "name"), first_party("metric"))
def test_metrics_take_three_modalities(kind, name, tmp_path):
    testing.check_metric(make(kind, name, tmp_path), 3)


@pytest.mark.parametrize(
    "guided",
    [
        {"window": 3, "alpha": 0.0},
        {"start_epoch": 1},
        {"compat": "wu2022"},
        {"loss": "plus_d_speed"},
        {"loss": "weighted_by_speed"},
    ],
)
def test_the_guided_strategy_resumes_whatever_its_options(mmspec_plugin, guided):
    testing.check_balancing(mmspec_plugin("balancing", "guided", **guided), 2)


@pytest.mark.parametrize(("kind", "name"), first_party("tracker"))
def test_a_tracker_conforms(kind, name, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    testing.check_tracker(make(kind, name, tmp_path), tmp_path)
    from mmspec.track.wandb.session import restart_service

    restart_service()


@pytest.mark.parametrize(("kind", "name"), first_party(*OPTIONS_ONLY))
def test_its_options_are_declared(kind, name, tmp_path):
    testing.check_options(make(kind, name, tmp_path))


def test_there_is_a_check_for_each_kind():
    assert {k for k in KINDS if not hasattr(testing, f"check_{k}")} == OPTIONS_ONLY
