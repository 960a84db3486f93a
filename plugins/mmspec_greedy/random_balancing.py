"""The random strategy (Wu et al. 2022): re-balancing steps drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from mmspec.plugins.api import Decision, Step, Strategy

_STREAM = crc32(b"random balancing")


def draw(seed: int, index: int, modalities: int) -> int:
    """Uniform in 0 … `modalities`, keyed by (seed, step): 0 is a regular step, m + 1 one on modality m."""
    return int(np.random.default_rng([seed, index, _STREAM]).integers(modalities + 1))


class RandomStrategy(Strategy):
    """Draws after each backward, from `start_epoch` on, what the next step shall be.

    State: `pending` (M,) bool, the modality to re-balance next, if any.
    """

    choices: Tensor
    pending: Tensor

    def __init__(
        self, modalities: tuple[str, ...], seed: int, *, start_epoch: int, compat: bool = False
    ) -> None:
        super().__init__()
        self.start_epoch = start_epoch
        self._modalities, self._seed, self._compat = modalities, seed, compat
        n = len(modalities)
        # All decisions there are, on the device: choosing one copies nothing to it.
        choices = torch.cat([torch.zeros(1, n), torch.eye(n)]).bool()
        self.register_buffer("choices", choices, persistent=False)
        self.register_buffer("pending", torch.zeros(n, dtype=torch.bool))

    def decide(self, index: int, epoch: int) -> Decision:
        """What was drawn after the last step; before `start_epoch` nothing was."""
        del index
        return Decision(self.pending) if epoch >= self.start_epoch else Decision()

    def after_backward(self, step: Step) -> None:
        """Draw what the next step shall be."""
        if step.epoch >= self.start_epoch:
            chosen = self.choices[draw(self._seed, step.index, len(self._modalities))]
            self.pending = chosen.clone()  # a new tensor: the present step's decision keeps the old one

    def evaluation_decision(self) -> Decision:
        """Nothing special; with `compat`, the pending decision (slip 3 of the released code)."""
        return Decision(self.pending) if self._compat else Decision()

    def figures(self) -> Mapping[str, Tensor]:
        """For each modality whether the next step re-balances it."""
        chosen = zip(self._modalities, self.pending.unbind(), strict=True)
        return {f"rebalance.{name}": mask for name, mask in chosen}
