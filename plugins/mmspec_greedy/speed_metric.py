"""Conditional learning speed, gathered during training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mmspec.plugins.api import MultiModalNetwork, Step, TrainingMetric
from mmspec_greedy.naming import given_others
from mmspec_greedy.speed import SpeedMeter, difference, known, speeds


class SpeedMetric(TrainingMetric):
    """Sums μ over the regular steps. State: `sums` (2, M), θ' first."""

    sums: Tensor

    def __init__(self, network: MultiModalNetwork) -> None:
        super().__init__()
        self.meter = SpeedMeter(network)
        self._names = [given_others("s", m, network.modalities) for m in network.modalities]
        device = self.meter.membership.device
        self.register_buffer("sums", torch.zeros(2, len(self._names), dtype=torch.float64, device=device))

    def after_backward(self, step: Step) -> None:
        """Add this step's μ, unless a gate was replaced in it."""
        rebalance = step.decision.rebalance
        replaced = None if rebalance is None else rebalance.any()
        if replaced is not None and known(replaced):
            return
        measured = self.meter.measure(step)
        if replaced is not None:
            measured = torch.where(replaced, torch.zeros_like(measured), measured)
        self.sums = self.sums + measured

    def figures(self) -> Mapping[str, Tensor]:
        """s(others|m) for each modality, and `d_speed`."""
        s = speeds(self.sums)
        return {**dict(zip(self._names, s, strict=True)), "d_speed": difference(s)}
