"""Small plugins of every kind, for tests that must not depend on the first-party ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs

from mmspec.data.samplers import KPerGroup, Shuffle
from mmspec.plugins.api import (
    Analysis,
    Backbone,
    Balancing,
    DataInfo,
    Dataset,
    Fusion,
    Launcher,
    Metric,
    Mistake,
    ModalityInfo,
    Objective,
    Optimizer,
    Schedule,
    Tracker,
    at_least,
    between,
    option,
)
from mmspec.plugins.registry import Registry


class _Builds:
    """What a spec's checks never call."""

    def build(self, *args, **kwargs):
        raise AssertionError

    launch = start = open = fingerprint = build


@attrs.frozen(kw_only=True)
class Digits(_Builds, Dataset):
    """Toy digits."""

    root: Path = option("where the data are", default=Path("data"))
    noise: float = option("standard deviation", default=0.02, validator=at_least(0))

    def describe(self):
        modalities = {"grey": ModalityInfo((1, 28, 28)), "color": ModalityInfo((3, 28, 28))}
        splits = {"train": "train", "val": "validation", "test": "test", "test_iid": "test"}
        return DataInfo(modalities, tuple("0123456789"), splits)


@attrs.frozen(kw_only=True)
class Subjects(_Builds, Dataset):
    """A toy dataset without a validation split."""

    def describe(self):
        modalities = {"rgb": ModalityInfo((3, 8, 8)), "depth": ModalityInfo((1, 8, 8))}
        return DataInfo(modalities, ("a", "b"), {"train": "train", "test": "test"}, ("subject",))


@attrs.frozen(kw_only=True)
class Cnn(_Builds, Backbone):
    """Toy convolutions."""

    channels: tuple[int, ...] = option("channels of each stage", default=(16, 32))

    def stage_names(self):
        return ("conv1", "conv2", "conv3", "conv4")


@attrs.frozen(kw_only=True)
class Gated(_Builds, Fusion):
    """Toy gates."""

    capabilities = frozenset({"gates"})
    ratio: int = option("reduction", default=4, validator=at_least(1))
    compat: Literal["right", "wu2022"] = option("whose slips", default="right")


@attrs.frozen(kw_only=True)
class Plain(_Builds, Fusion):
    """Toy fusion that can do nothing."""


@attrs.frozen(kw_only=True)
class Nothing(_Builds, Balancing):
    """No balancing."""


@attrs.frozen(kw_only=True)
class Guided(_Builds, Balancing):
    """Toy guided balancing."""

    requires = frozenset({"gates"})
    min_modalities = 2
    alpha: float = option("tolerance", default=0.01, validator=at_least(0))
    window: int = option("steps", default=5, validator=at_least(1))
    start_epoch: int = option("first epoch", default=2, validator=at_least(1))


@attrs.frozen(kw_only=True)
class Picky(_Builds, Balancing):
    """A strategy that looks at the rest of the spec."""

    biased: str = option("a modality or all", default="all")

    def mistakes(self, outline):
        if self.biased not in ("all", *outline.modalities):
            yield Mistake(
                f"there is no modality {self.biased!r}",
                "biased",
                f"modalities: {', '.join(outline.modalities)}",
            )


@attrs.frozen(kw_only=True)
class CrossEntropy(_Builds, Objective):
    """Toy objective."""

    smoothing: float = option("label smoothing", default=0.0, validator=between(0, 1))


@attrs.frozen(kw_only=True)
class Sgd(_Builds, Optimizer):
    """Toy optimizer."""

    lr: float = option("learning rate", validator=at_least(0))
    momentum: float = option("momentum", default=0.0, validator=between(0, 1))
    nesterov: bool = option("look ahead", default=False)


@attrs.frozen(kw_only=True)
class Constant(_Builds, Schedule):
    """Toy constant schedule."""


@attrs.frozen(kw_only=True)
class Plateau(_Builds, Schedule):
    """Toy plateau schedule."""

    monitor: str = option("a metric", default="train/loss")
    factor: float = option("factor", default=0.1)


@attrs.frozen(kw_only=True)
class Accuracy(_Builds, Metric):
    """Toy accuracy."""

    def epoch_metrics(self, outline):
        return [f"{split}/accuracy" for split, role in outline.splits.items() if role != "test"]


@attrs.frozen(kw_only=True)
class TopK(_Builds, Metric):
    """Toy top-k accuracy."""

    k: int = option("how many guesses", default=5, validator=at_least(1))


@attrs.frozen(kw_only=True)
class Wandb(_Builds, Tracker):
    """Toy tracker."""

    project: str | None = option("project", default=None)
    mode: Literal["auto", "online", "offline", "disabled"] = option("mode", default="auto")
    tags: tuple[str, ...] = option("tags", default=())


@attrs.frozen(kw_only=True)
class Local(_Builds, Launcher):
    """Toy launcher."""

    retries: int = option("retries", default=1)


@attrs.frozen(kw_only=True)
class Compare(Analysis):
    """Toy comparison of a table and whatever a stage has measured."""

    tables = ("features",)
    outputs = ("model",)
    draws: int = option("how many draws", default=10, validator=at_least(1))

    def analyse(self, inputs, *, workers):
        raise AssertionError


TOYS = {
    ("analysis", "compare"): Compare,
    ("dataset", "digits"): Digits,
    ("dataset", "subjects"): Subjects,
    ("backbone", "cnn"): Cnn,
    ("fusion", "gated"): Gated,
    ("fusion", "plain"): Plain,
    ("balancing", "none"): Nothing,
    ("balancing", "guided"): Guided,
    ("balancing", "picky"): Picky,
    ("objective", "cross_entropy"): CrossEntropy,
    ("optimizer", "sgd"): Sgd,
    ("schedule", "constant"): Constant,
    ("schedule", "plateau"): Plateau,
    ("metric", "accuracy"): Accuracy,
    ("metric", "top_k"): TopK,
    ("tracker", "wandb"): Wandb,
    ("launcher", "local"): Local,
    ("sampler", "shuffle"): Shuffle,
    ("sampler", "k_per_group"): KPerGroup,
}

#: A registry of these alone.
REGISTRY = Registry({}).with_plugins(TOYS)

#: A spec in which nothing is wrong.
GOOD = """\
mmspec = 1
name = "toy"
seeds = [0, 1]

[dataset]
use = "digits"

[modalities.grey]
backbone = "cnn"
[modalities.color]
backbone = { use = "cnn", channels = [8, 8] }

[fusion]
use = "gated"
at = ["conv2", "conv4"]

[balancing]
use = "guided"
alpha = 0.1

[optimizer]
use = "sgd"
lr = 0.1
groups = [{ match = "branches.grey.*", lr_scale = 0.5 }]

[train]
epochs = 3

[select]
metric = "val/accuracy"
"""

#: Stages of every kind to put behind it.
STAGES = """
[[stages]]
name = "model"
[[stages]]
name = "measured"
init_from = "model"
train.epochs = 0
[[stages]]
name = "features"
init_from = "model"
extract = { modality = "grey" }
[[stages]]
name = "compare"
analysis = { use = "compare", draws = 3 }
reads = { features = { stage = "features", shuffle = "class" }, model = "model" }
"""
