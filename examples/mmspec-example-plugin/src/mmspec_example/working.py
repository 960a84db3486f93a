"""The strategy at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmspec.plugins.api import Step, Strategy


def slow_start_weights(running: Tensor) -> Tensor:
    """Weights (M,) for losses (M,): 1 for the largest, less for those that have come down further."""
    return running / running.max().clamp_min(torch.finfo(running.dtype).tiny)


class SlowStartStrategy(Strategy):
    """Follows running losses (M,); they and the weights are buffers, so a resumed run has them again."""

    running: Tensor
    weights: Tensor

    def __init__(self, modalities: Sequence[str], *, epochs: int, memory: float) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.epochs = epochs
        self.memory = memory
        self.register_buffer("running", torch.ones(len(self.modalities)))
        self.register_buffer("weights", torch.ones(len(self.modalities)))

    def loss(self, step: Step) -> Tensor:
        """The weighted sum of the branches' losses; other terms of the objective count in full."""
        losses = torch.stack([step.terms[m] for m in self.modalities])
        self.running.lerp_(losses.detach().to(self.running), 1 - self.memory)
        if step.epoch <= self.epochs:
            self.weights.copy_(slow_start_weights(self.running))
        else:
            self.weights.fill_(1)
        others = [term for name, term in step.terms.items() if name not in self.modalities]
        return torch.stack([(self.weights.to(losses) * losses).sum(), *others]).sum()

    def figures(self) -> Mapping[str, Tensor]:
        """The weight of each branch."""
        return {f"weight.{m}": weight for m, weight in zip(self.modalities, self.weights, strict=True)}
