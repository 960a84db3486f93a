"""Losses gathered over samples: an epoch's while it goes on, and those of a split in evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mmspec.plugins.working import Batch, NetworkOutput, Step, StreamingMetric


class LossSums:
    """The loss and its terms, summed over samples on their device; nothing waits for it before `means`."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._values: Tensor | None = None  # (losses,) float64
        self._samples = 0

    def add(self, step: Step) -> None:
        """Take in one batch; each sample counts the same, also those of a short one."""
        assert step.loss is not None
        losses = torch.stack([step.loss, *step.terms.values()]).detach()
        if self._values is None:
            self._names = ("loss", *(f"loss.{name}" for name in step.terms))
            self._values = torch.zeros_like(losses, dtype=torch.float64)
        self._values.add_(losses, alpha=len(step.batch))
        self._samples += len(step.batch)

    def means(self) -> dict[str, float]:
        """Means over all samples so far: `loss`, and `loss.<term>` for each term."""
        sums = [] if self._values is None else self._values.tolist()
        return {name: total / self._samples for name, total in zip(self._names, sums, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs."""
        return {"names": list(self._names), "values": self._values, "samples": self._samples}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from `state_dict()`, on `device`."""
        values = state["values"]
        self._names = tuple(state["names"])
        self._values = None if values is None else values.to(device)
        self._samples = state["samples"]


class SplitLoss(StreamingMetric):
    """The loss that a split would have in training, where `make` tells a batch's step with its loss."""

    def __init__(self, make: Callable[[NetworkOutput, Batch], Step]) -> None:
        super().__init__()
        self._make = make
        self._sums = LossSums()

    def __deepcopy__(self, memo: object) -> SplitLoss:
        return SplitLoss(self._make)  # which is the trainer's: not to be copied; a copy has seen nothing yet

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Take in a batch."""
        self._sums.add(self._make(output, batch))

    def compute(self) -> Mapping[str, float]:
        """`loss`, and `loss.<modality>` for each branch."""
        return self._sums.means()

    def reset(self) -> None:
        """Forget all batches."""
        self._sums = LossSums()
