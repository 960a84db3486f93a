"""What is going to run: typed specs with their plugins in place, still without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs

from mmspec.plugins.api import (
    Analysis,
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
from mmspec.spec.model import INPUT, LOGITS, AnalysisStage, ExtractStage, NetworkStage, Stage


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
class AnyStagePlan(ABC):
    """One stage of a run: `resolved` is its spec as plain JSON values, every default filled in.

    `origins` say where its plugins come from.
    """

    name: str
    resolved: Mapping[str, Any]
    origins: tuple[PluginOrigin, ...] = ()

    @property
    @abstractmethod
    def plugins(self) -> dict[str, Plugin]:
        """All plugins by their place in the spec, such as `dataset` or `modalities.rgb.backbone`."""

    @property
    @abstractmethod
    def is_random(self) -> bool:
        """Whether what it leaves depends on the run's seed, beside what its parents have left."""

    @property
    @abstractmethod
    def parents(self) -> tuple[str, ...]:
        """The earlier stages that it needs, each once."""


@attrs.frozen(kw_only=True)
class NetworkPlan(AnyStagePlan):
    """A stage with a network.

    `splits` are the splits that will exist, with their roles (the dataset's own, and `val` where `[split]`
    makes one).
    """

    spec: NetworkStage
    splits: Mapping[str, Role]
    dataset: Dataset
    backbones: Mapping[str, Backbone]
    fusion: Fusion | None

    @property
    def read_modalities(self) -> tuple[str, ...]:
        """The modalities whose samples it reads."""
        return tuple(self.backbones)

    @property
    def plugins(self) -> dict[str, Plugin]:
        """Dataset, fusion and backbones."""
        fusion = {} if self.fusion is None else {"fusion": self.fusion}
        backbones = {f"modalities.{m}.backbone": backbone for m, backbone in self.backbones.items()}
        return {"dataset": self.dataset, **fusion, **backbones}

    @property
    def parents(self) -> tuple[str, ...]:
        """The stages whose weights it starts from."""
        return tuple(dict.fromkeys(part.stage for part in self.spec.weights_from))


@attrs.frozen(kw_only=True)
class StagePlan(NetworkPlan):
    """A stage that trains: its typed spec and the plugins that the spec names."""

    spec: Stage
    balancing: Balancing
    objective: Objective
    optimizer: Optimizer
    schedule: Schedule
    sampler: Sampler
    metrics: Mapping[str, Metric]

    @property
    def is_random(self) -> bool:
        """Training draws by the seed."""
        return True

    @property
    def plugins(self) -> dict[str, Plugin]:
        """Those of the network, and those of training."""
        singles = ("balancing", "objective", "optimizer", "schedule", "sampler")
        one = {key: getattr(self, key) for key in singles}
        metrics = {f"evaluate.metrics.{name}": metric for name, metric in self.metrics.items()}
        return {**super().plugins, **one, **metrics}

    @property
    def parents(self) -> tuple[str, ...]:
        """The stages whose weights it starts from, and those whose tables it reads."""
        return tuple(dict.fromkeys([*super().parents, *(read.stage for read in self.spec.reads.values())]))


@attrs.frozen(kw_only=True)
class ExtractPlan(NetworkPlan):
    """A stage that writes a feature table; without a network where it writes the samples themselves."""

    spec: ExtractStage

    @property
    def modality(self) -> str:
        """The modality whose samples or features it writes."""
        return self.spec.extract.modality or next(iter(self.backbones))

    @property
    def of_samples(self) -> bool:
        """Whether it writes the samples as they are, so that there is no network."""
        return self.spec.extract.layer == INPUT

    @property
    def read_modalities(self) -> tuple[str, ...]:
        """That which it writes; with fusion all that a branch sees through it."""
        return (self.modality,) if self.fusion is None else super().read_modalities

    @property
    def is_random(self) -> bool:
        """Whether what it writes depends on the run's seed: on weights or transforms that are drawn by it."""
        extract = self.spec.extract
        if extract.random_transforms:
            return True
        if self.of_samples or self.spec.weights_from:  # what these drew is in their own identities
            return False
        of_head = (
            extract.layer == LOGITS or extract.layer.partition(".")[0] == "head"
        )  # which is always drawn
        return of_head or self.fusion is not None or self.backbones[self.modality].is_random


@attrs.frozen(kw_only=True)
class AnalysisPlan(AnyStagePlan):
    """A stage that analyses what earlier stages have left."""

    spec: AnalysisStage
    analysis: Analysis

    @property
    def is_random(self) -> bool:
        """What an analysis draws, it draws by an option of its own."""
        return False

    @property
    def plugins(self) -> dict[str, Plugin]:
        """The analysis."""
        return {"analysis": self.analysis}

    @property
    def parents(self) -> tuple[str, ...]:
        """The stages that it reads."""
        return tuple(dict.fromkeys(read.stage for read in self.spec.reads.values()))


@attrs.frozen(kw_only=True)
class RunPlan:
    """One run: a point of the sweep, a variant and a seed.

    `labels` tell it from its siblings: `variant`, and each swept key with its value. `resolved` is plain
    JSON, enough to make the same plan again in another process.
    """

    experiment: str
    labels: Mapping[str, Any]
    seed: int
    stages: tuple[AnyStagePlan, ...]
    trackers: Mapping[str, Tracker]
    launcher: Launcher
    origins: tuple[PluginOrigin, ...]
    resolved: Mapping[str, Any]

    @property
    def networks(self) -> tuple[NetworkPlan, ...]:
        """The stages that have a dataset, and most of them a network."""
        return tuple(stage for stage in self.stages if isinstance(stage, NetworkPlan))

    @property
    def trained(self) -> tuple[StagePlan, ...]:
        """The stages that train."""
        return tuple(stage for stage in self.stages if isinstance(stage, StagePlan))
