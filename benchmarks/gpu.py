"""On a CUDA device: what `guided` costs there, and whether the loader keeps it busy."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.loop import Large, in_steps, large_trainer
from benchmarks.paired import alternate
from mmspec.engine.trainer import Trainer

STEPS = 20


def gpu() -> list[str]:
    """Two ResNet-18 at 224 in bf16, batch 64; without a device, that nothing was measured."""
    if not torch.cuda.is_available():
        return ["on CUDA: unmeasured, torch sees no device"]
    none, guided, still = (_trainer(name) for name in ("none", "guided", "none"))
    loaded = alternate(_waiting(in_steps(none, STEPS)), _waiting(_same_batch(still)), rounds=9)
    cost = alternate(_waiting(in_steps(guided, STEPS)), _waiting(in_steps(none, STEPS)), rounds=9)
    return [
        cost.show("CUDA, two ResNet-18, batch 64: guided / none", 1.02),
        loaded.show("  steps with the loader / on one batch held there", round(1 / 0.95, 3)),
    ]


def _trainer(balancing: str) -> Trainer:
    options = (f'balancing.use="{balancing}"', 'train.precision="bf16"', "train.batch_size=64")
    trainer = large_trainer(*options, 'train.device="cuda"', data=Large(samples={"train": 640}))
    trainer.epoch = 2  # from where guided decides
    return trainer


def _same_batch(trainer: Trainer) -> Callable[[], None]:
    batch = next(iter(trainer.batches()))

    def steps() -> None:
        for _ in range(STEPS):
            trainer.step(batch)

    return steps


def _waiting(steps: Callable[[], None]) -> Callable[[], None]:
    """The same, to the end of what the device has been given to do."""

    def wait() -> None:
        steps()
        torch.cuda.synchronize()

    return wait
