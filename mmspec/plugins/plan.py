"""What is going to run: typed specs with their plugins in place, still without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from mmspec.plugins.api import (
    Backbone,
    Balancing,
    Dataset,
    Fusion,
    Launcher,
    Metric,
    Objective,
    Optimizer,
    Plugin,
    Role,
    Sampler,
    Schedule,
    Tracker,
)
from mmspec.spec.model import Stage


@attrs.frozen
class PluginOrigin:
    """Where a plugin comes from: distribution, version, import target, and its source's hash if editable."""

    kind: str
    name: str
    target: str
    distribution: str
    version: str
    source_hash: str | None = None


@attrs.frozen(kw_only=True)
class StagePlan:
    """One stage of a run: its typed spec and the plugins that the spec names.

    `resolved` is the same as plain JSON values, every default filled in. `splits` are the splits that will
    exist, with their roles (the dataset's own, and `val` where `[split]` makes one).
    """

    name: str
    spec: Stage
    resolved: Mapping[str, Any]
    splits: Mapping[str, Role]
    dataset: Dataset
    backbones: Mapping[str, Backbone]
    fusion: Fusion | None
    balancing: Balancing
    objective: Objective
    optimizer: Optimizer
    schedule: Schedule
    sampler: Sampler
    metrics: Mapping[str, Metric]

    @property
    def plugins(self) -> dict[str, Plugin]:
        """All plugins by their place in the spec, such as `dataset` or `modalities.rgb.backbone`."""
        singles = ("dataset", "balancing", "objective", "optimizer", "schedule", "sampler")
        one = {key: getattr(self, key) for key in singles}
        fusion = {} if self.fusion is None else {"fusion": self.fusion}
        backbones = {f"modalities.{m}.backbone": backbone for m, backbone in self.backbones.items()}
        metrics = {f"evaluate.metrics.{name}": metric for name, metric in self.metrics.items()}
        return {**one, **fusion, **backbones, **metrics}


@attrs.frozen(kw_only=True)
class RunPlan:
    """One run: a point of the sweep, a variant and a seed.

    `labels` tell it from its siblings: `variant`, and each swept key with its value. `resolved` is plain
    JSON, enough to make the same plan again in another process.
    """

    experiment: str
    labels: Mapping[str, Any]
    seed: int
    stages: tuple[StagePlan, ...]
    trackers: Mapping[str, Tracker]
    launcher: Launcher
    origins: tuple[PluginOrigin, ...]
    resolved: Mapping[str, Any]
