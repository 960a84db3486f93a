"""The engine's loop against a hand-written one, and `guided` against `none`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np
import torch

from benchmarks.bare import BareLoop, GuidedBareLoop
from benchmarks.paired import alternate
from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import ArraySource, DataInfo, ModalityInfo
from mmspec.plugins.plan import RunPlan, StagePlan
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[1] / "specs"


def resolved(spec: str, *overrides: str) -> RunPlan:
    """The first run of a shipped spec."""
    return resolve(read_document(SPECS / spec, overrides))[0]


def stage(spec: str, *overrides: str) -> StagePlan:
    """Its stage."""
    return resolved(spec, *overrides).stages[0]


def in_steps(trainer: Trainer, steps: int) -> Callable[[], None]:
    """A function that goes on for so many steps as the loop does them: batches, steps, rows of metrics."""
    every = trainer.plan.spec.train.log_every

    def endless() -> Iterator[None]:
        while True:
            for batch in trainer.batches():
                result = trainer.step(batch)
                if trainer.steps % every == 0:
                    trainer.step_values(result)
                yield
            trainer.epoch, trainer.position = trainer.epoch + 1, 0

    running = endless()

    def go_on() -> None:
        for _ in range(steps):
            next(running)

    return go_on


def plain(plan: StagePlan) -> StagePlan:
    """Without metrics that a hand-written loop does not have: accuracy over training batches stays."""
    return attrs.evolve(plan, metrics={"accuracy": plan.metrics["accuracy"]})


def digits() -> list[str]:
    """On the digits network, batch 32, one thread; rounds of one measuring and five re-balancing steps."""
    torch.set_num_threads(1)
    trainers = {name: Trainer(plain(stage(f"colored_digits_{name}.toml")), 0) for name in ("none", "guided")}
    bare = {
        "none": BareLoop(Trainer(trainers["none"].plan, 0), 32, 0.1),
        "guided": GuidedBareLoop(Trainer(trainers["guided"].plan, 0), 32, 0.1, 0.01, 5),
    }
    for trainer in trainers.values():
        trainer.epoch = 2  # from where guided decides
    lines = []
    for name, trainer in trainers.items():
        ratio = alternate(in_steps(trainer, 6), bare[name].in_steps(6), rounds=300)
        lines.append(ratio.show(f"digits, {name}: six steps / by hand", 1.05))
    ratio = alternate(in_steps(trainers["guided"], 6), in_steps(trainers["none"], 6), rounds=300)
    lines.append(ratio.show("digits: six steps of guided / of none", 1.03))
    return lines


def large_trainer(*overrides: str, data: Large | None = None, measured: bool = False) -> Trainer:
    """Two ResNet-18 with MMTM after layer2 to layer4, batch 8, random images; `measured`: all metrics."""
    at = 'fusion.at=["layer2", "layer3", "layer4"]'
    backbones = [f'modalities.{m}.backbone="resnet18"' for m in ("grey", "color")]
    plan = stage("colored_digits_none.toml", at, *backbones, "train.batch_size=8", *overrides)
    plan = attrs.evolve(plan if measured else plain(plan), dataset=data or Large())
    return Trainer(plan, 0, sources=plan.dataset.open(()))


def resnets() -> list[str]:
    """Steps of two ResNet-18 at 224, in all threads."""
    ours, other = large_trainer(), large_trainer()
    bare = BareLoop(other, 8, 0.1)
    ratio = alternate(in_steps(ours, 1), bare.in_steps(1), rounds=24)
    return [ratio.show("two ResNet-18 at 224, none: a step / by hand", 1.02)]


@attrs.frozen
class Large:
    """Random images under the names of the digits' modalities; as many as `samples` says in each split."""

    size: int = 224
    samples: Mapping[str, int] = attrs.field(factory=lambda: {"train": 16})

    def describe(self) -> DataInfo:
        shapes = {"grey": (1, self.size, self.size), "color": (3, self.size, self.size)}
        infos = {m: ModalityInfo(shape) for m, shape in shapes.items()}
        return DataInfo(infos, tuple("0123456789"), dict.fromkeys(self.samples, "train"))

    def open(self, modalities: object) -> dict[str, ArraySource]:
        random = np.random.default_rng(0)
        return {split: self._draw(random, samples) for split, samples in self.samples.items()}

    def augmentations(self, modality: str, role: str) -> tuple[()]:
        return ()

    def _draw(self, random: np.random.Generator, samples: int) -> ArraySource:
        arrays = {
            m: random.integers(0, 255, (samples, *info.shape), dtype=np.uint8)
            for m, info in self.describe().modalities.items()
        }
        return ArraySource(arrays, random.integers(0, 10, samples), np.arange(samples))
