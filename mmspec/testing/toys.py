"""Small parts of every kind to train a plugin with: a few 4x4 images a modality, three classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from mmspec.data.samplers import Shuffle
from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import (
    ArraySource,
    Backbone,
    Balancing,
    Batch,
    Cut,
    DataInfo,
    Dataset,
    FeatureTable,
    Fusion,
    FusionOutput,
    GatedFusionUnit,
    Metric,
    ModalityInfo,
    MultiModalNetwork,
    NetworkOutput,
    Objective,
    Optimizer,
    Role,
    Schedule,
    Strategy,
)
from mmspec.plugins.plan import StagePlan
from mmspec.spec import model

CLASSES = ("a", "b", "c")
NAMES = ("one", "two", "three", "four", "five")


@attrs.frozen(kw_only=True)
class ToyData(Dataset):
    """A pattern for each class under noise; each modality is noisier than the one before.

    Each class has two objects, which every grouping tells apart.
    """

    modalities: tuple[str, ...]
    samples: int = 18
    groups: tuple[str, ...] = ("object",)
    splits: ClassVar[Mapping[str, Role]] = {"train": "train", "val": "validation", "test": "test"}

    def describe(self) -> DataInfo:
        """Images (2, 4, 4)."""
        info = ModalityInfo((2, 4, 4), mean=(0.5,), std=(0.5,))
        return DataInfo(dict.fromkeys(self.modalities, info), CLASSES, self.splits, self.groups)

    def open(self, modalities: Sequence[str]) -> Mapping[str, ArraySource]:
        """The splits, drawn anew."""
        return {split: self._draw(number, modalities) for number, split in enumerate(self.splits)}

    def fingerprint(self) -> str:
        """What is drawn depends on nothing else."""
        return f"{self.modalities}-{self.samples}"

    def _draw(self, number: int, modalities: Sequence[str]) -> ArraySource:
        patterns = np.random.default_rng(7).integers(0, 200, (len(CLASSES), 2, 4, 4))
        random = np.random.default_rng(number)
        targets = random.integers(0, len(CLASSES), self.samples)
        arrays = {}
        for place, name in enumerate(self.modalities):
            noise = random.integers(0, 30 + 10 * place, (self.samples, 2, 4, 4))
            arrays[name] = (patterns[targets] + noise).astype(np.uint8)
        ids = number * self.samples + np.arange(self.samples)
        objects = np.array([f"{CLASSES[target]}{i % 2}" for i, target in enumerate(targets)])
        groups = dict.fromkeys(self.groups, objects)
        return ArraySource({name: arrays[name] for name in modalities}, targets, ids, groups)


def toy_table(dataset: ToyData) -> FeatureTable:
    """Features (N, 5) of all samples of all splits."""
    sources = dataset.open(())
    ids = np.concatenate([source.ids for source in sources.values()])
    return FeatureTable(
        values=np.random.default_rng(3).normal(size=(len(ids), 5)),
        ids=ids,
        targets=np.concatenate([source.targets for source in sources.values()]),
        splits=np.repeat(list(sources), dataset.samples),
        groups={g: np.concatenate([s.groups[g] for s in sources.values()]) for g in dataset.groups},
        classes=CLASSES,
        name="toy",
    )


@attrs.frozen(kw_only=True)
class ToyNet(Backbone):
    """Two convolutions."""

    def stage_names(self) -> tuple[str, ...]:
        """first, second."""
        return ("first", "second")

    def build(self, shape: tuple[int, ...]) -> Cut:
        """A network of some hundred weights."""
        first = nn.Sequential(nn.Conv2d(shape[0], 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh())
        return Cut({"first": first, "second": second}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))


class ToyUnit(GatedFusionUnit):
    """Each modality is gated by the mean squeeze of all, through a layer of its own."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(sum(channels), c) for c in channels)
        for m, c in enumerate(channels):
            self.register_buffer(f"average_{m}", torch.full((c,), 0.5))

    def feeding(self, modality: int) -> list[nn.Parameter]:
        """The modality's own layer."""
        return list(self.layers[modality].parameters())

    def forward(
        self,
        features: Sequence[Tensor],
        rebalance: Tensor | None = None,
        squeezes: Sequence[Tensor | None] | None = None,
    ) -> FusionOutput:
        """Gate each modality."""
        given = squeezes or [None] * len(features)
        seen = [
            x.flatten(2).mean(2) if s is None else s.expand(len(x), -1)
            for x, s in zip(features, given, strict=True)
        ]
        gates = [layer(torch.cat(seen, 1)).sigmoid() for layer in self.layers]
        averages = [self.get_buffer(f"average_{m}") for m in range(len(gates))]
        if self.training:
            for average, gate in zip(averages, gates, strict=True):
                average.lerp_(gate.detach().mean(0), 0.1)
        if rebalance is not None:
            replaced = zip(rebalance, averages, gates, strict=True)
            gates = [torch.where(wanted, average.clone(), gate) for wanted, average, gate in replaced]
        gated = [x * gate[:, :, None, None] for x, gate in zip(features, gates, strict=True)]
        return FusionOutput(gated, seen)


@attrs.frozen(kw_only=True)
class ToyFusion(Fusion):
    """Gates that average exponentially."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"gates"})

    def build(self, shapes: Sequence[tuple[int, ...]]) -> ToyUnit:
        """One unit."""
        return ToyUnit([shape[0] for shape in shapes])


@attrs.frozen(kw_only=True)
class ToyBalancing(Balancing):
    """None."""

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """The plain sum of the terms."""
        del network, seed
        return Strategy()


@attrs.frozen(kw_only=True)
class ToyObjective(Objective):
    """Cross-entropy of each branch."""

    def build(self) -> Any:
        """One term a modality."""

        def terms(output: NetworkOutput, batch: Batch) -> dict[str, Tensor]:
            return {m: nn.functional.cross_entropy(x, batch.target) for m, x in output.logits.items()}

        return terms


@attrs.frozen(kw_only=True)
class ToyOptimizer(Optimizer):
    """SGD with momentum."""

    lr: float = 0.1

    def build(self, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """Torch's SGD."""
        scaled = [{"params": group["params"], "lr": self.lr * group["lr_scale"]} for group in groups]
        return torch.optim.SGD(scaled, lr=self.lr, momentum=0.9)


class Unchanging:
    """A schedule without state."""

    def after_step(self) -> None:
        """Do nothing."""

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


@attrs.frozen(kw_only=True)
class ToySchedule(Schedule):
    """Constant."""

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> Unchanging:
        """Leave the learning rates alone."""
        del optimizer, epochs, steps_per_epoch
        return Unchanging()


def toy_trainer(
    *,
    modalities: int = 2,
    seed: int = 0,
    precision: str = "float64",
    balancing: Balancing | None = None,
    objective: Objective | None = None,
    metrics: Mapping[str, Metric] | None = None,
    fused: bool = True,
    groups: Sequence[str] = ("object",),
    tables: Sequence[str] = ("target",),
) -> Trainer:
    """A stage of toy parts, built, with these plugins in place of toys; on the CPU, five steps an epoch.

    Its batches have these groups, and rows of feature tables under these names.
    """
    names, toy = NAMES[:modalities], model.Use("toy")
    train: dict[str, Any] = {"epochs": 9, "batch_size": 4, "device": "cpu", "precision": precision}
    spec = model.Stage(
        dataset=toy,
        modalities={name: model.Modality(backbone=toy) for name in names},
        fusion=model.Fusion(use="toy", at=("first", "second")) if fused else None,
        balancing=toy,
        objective=toy,
        optimizer=model.Optimizer(use="toy"),
        schedule=toy,
        train=model.Train(**train),
    )
    dataset = ToyData(modalities=names, groups=tuple(groups))
    plan = StagePlan(
        name="train",
        spec=spec,
        resolved={"name": "train", "train": attrs.asdict(spec.train)},
        splits=dataset.splits,
        dataset=dataset,
        backbones={name: ToyNet() for name in names},
        fusion=ToyFusion() if fused else None,
        balancing=balancing or ToyBalancing(),
        objective=objective or ToyObjective(),
        optimizer=ToyOptimizer(),
        schedule=ToySchedule(),
        sampler=Shuffle(),
        metrics=metrics or {},
    )
    return Trainer(plan, seed, tables=dict.fromkeys(tables, toy_table(dataset)))
