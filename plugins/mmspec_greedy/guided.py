"""The guided strategy (Wu et al. 2022), as a state machine of tensors.

A regular step measures; where learning speeds lie more than alpha apart, `window` re-balancing steps follow
on the modality that learns fastest from the others, and then a regular step measures again. Everything
is decided on the device, so that no step waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mmspec.plugins.api import Decision, MultiModalNetwork, Step, Strategy
from mmspec_greedy.speed import SpeedMeter, difference, known, speeds
from mmspec_greedy.speed_losses import LOSSES


class GuidedStrategy(Strategy):
    """Guided re-balancing for M modalities.

    State: `sums` (2, M) of μ(θ') and μ(θ) over the steps measured so far, `d_speed` () as last measured,
    `pending` (M,) bool the modality that the next step re-balances, if any, and `remaining` () such steps.
    """

    sums: Tensor
    d_speed: Tensor
    pending: Tensor
    remaining: Tensor

    def __init__(
        self,
        network: MultiModalNetwork,
        *,
        alpha: float,
        window: int,
        start_epoch: int,
        loss: str = "sum",
        compat: bool = False,
    ) -> None:
        super().__init__()
        self.meter = SpeedMeter(network)
        self.alpha, self.window, self.start_epoch = alpha, window, start_epoch
        self._modalities = network.modalities
        self._combine = LOSSES.get(loss)
        self._compat = compat
        device, n = self.meter.membership.device, len(network.modalities)
        self.register_buffer("sums", torch.zeros(2, n, dtype=torch.float64, device=device))
        self.register_buffer("d_speed", torch.zeros((), dtype=torch.float64, device=device))
        self.register_buffer("pending", torch.zeros(n, dtype=torch.bool, device=device))
        self.register_buffer("remaining", torch.zeros((), dtype=torch.int64, device=device))

    def decide(self, index: int, epoch: int) -> Decision:
        """What the last measurement asked for; before `start_epoch` nothing can have been asked."""
        del index
        return Decision(self.pending) if epoch >= self.start_epoch else Decision()

    def loss(self, step: Step) -> Tensor:
        """The branches' losses, summed or combined with the speeds as they were last measured."""
        if self._combine is None:
            return super().loss(step)
        return self._combine(torch.stack(list(step.terms.values())), speeds(self.sums))

    def after_backward(self, step: Step) -> None:
        """Measure if this was a regular step, and decide on the next."""
        if known(self.remaining > 0):
            self.remaining = self.remaining - 1
            self.pending = self.pending & (self.remaining > 0)
            return
        regular = self.remaining == 0
        measured = self.meter.measure(step)
        self.sums = self.sums + torch.where(regular, measured, torch.zeros_like(measured))
        s = speeds(self.sums)
        self.d_speed = difference(s)
        if step.epoch < self.start_epoch:
            return
        act = regular & (s.max() - s.min() > self.alpha)
        fastest = torch.arange(len(s), device=s.device) == s.argmax()
        self.remaining = torch.where(act, self.window, (self.remaining - 1).clamp(min=0))
        self.pending = torch.where(act, fastest, self.pending) & (self.remaining > 0)

    def evaluation_decision(self) -> Decision:
        """Nothing special; with `compat`, the pending decision (slip 3 of the released code)."""
        return Decision(self.pending) if self._compat else Decision()

    def figures(self) -> Mapping[str, Tensor]:
        """`d_speed`, and for each modality whether the next step re-balances it."""
        chosen = zip(self._modalities, self.pending.unbind(), strict=True)
        return {"d_speed": self.d_speed, **{f"rebalance.{name}": mask for name, mask in chosen}}
