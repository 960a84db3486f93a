"""MMTM units with running averages of their gates (Joze et al. 2020; Wu et al. 2022).

For feature maps A_0 … A_{M-1} of any rank: S_m is the mean of A_m over space, Z = ReLU(W_z [S_0, …] + b_z),
E_m = scale · sigmoid(W_m Z + b_m), and A_m · E_m goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mmspec.plugins.api import FusionOutput, GatedFusionUnit, GraphError


def squeeze(feature: Tensor) -> Tensor:
    """The mean over everything but batch and channel: (N, C, *space) → (N, C)."""
    return feature.mean(dim=tuple(range(2, feature.ndim))) if feature.ndim > 2 else feature


def excite(feature: Tensor, gate: Tensor) -> Tensor:
    """(N, C, *space) times a gate (N, C), the same over space."""
    return feature * gate.view(*gate.shape, *[1] * (feature.ndim - 2))


class MmtmUnit(GatedFusionUnit):
    """One MMTM unit for M feature maps of `channels` (M entries).

    The running average of a gate is the mean over the batch means of every training forward so far, the
    present one included before it is used. It is detached: a replaced gate passes no gradient on.

    Raises:
        GraphError: `compat` is asked for where the released code would not run.
    """

    count: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        *,
        ratio: int = 4,
        gate_scale: float = 1.0,
        compat: Literal["wu2022"] | None = None,
    ) -> None:
        super().__init__()
        if compat and (len(channels) != 2 or channels[0] != channels[1]):
            raise GraphError(
                f"mmtm: compat = {compat!r} needs two modalities of as many channels, not {list(channels)}",
                hint="the released code feeds one branch's gates into the other's average",
            )
        width = max(1, 2 * sum(channels) // ratio)
        self.joint = nn.Linear(sum(channels), width)
        self.gates = nn.ModuleList(nn.Linear(width, c) for c in channels)
        self.gate_scale = gate_scale
        self._compat = compat is not None
        self._names = [f"average_{m}" for m in range(len(channels))]
        for name, c in zip(self._names, channels, strict=True):
            self.register_buffer(name, torch.zeros(c))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def averages(self) -> list[Tensor]:
        """The running averages of the gates, (C_m,) each."""
        return [getattr(self, name) for name in self._names]

    def feeding(self, modality: int) -> list[nn.Parameter]:
        """W_m and b_m, and the joint layer's W_z and b_z, which feed all."""
        return [*self.gates[modality].parameters(), *self.joint.parameters()]

    def forward(
        self,
        features: Sequence[Tensor],
        rebalance: Tensor | None = None,
        squeezes: Sequence[Tensor | None] | None = None,
    ) -> FusionOutput:
        """Feature maps (N, C_m, *space_m) → the same, gated.

        `rebalance` (M,) bool: whose gates are replaced by their running average. `squeezes`: (C_m,) or
        None for each modality; what is given stands in for the squeeze of every sample.
        """
        seen = [squeeze(feature) for feature in features]
        if squeezes is not None:
            seen = [
                own if given is None else given.to(own.dtype).expand_as(own)
                for own, given in zip(seen, squeezes, strict=True)
            ]
        joint = torch.relu(self.joint(torch.cat(seen, dim=1)))
        gates = [torch.sigmoid(gate(joint)) for gate in self.gates]
        if self.gate_scale != 1:
            gates = [self.gate_scale * gate for gate in gates]
        if self.training or self._compat:
            self._average(gates)
        if rebalance is not None:
            replaced = zip(rebalance.unbind(), self.averages, gates, strict=True)
            gates = [torch.where(mask, average.to(gate.dtype), gate) for mask, average, gate in replaced]
        return FusionOutput([excite(a, g) for a, g in zip(features, gates, strict=True)], seen)

    @torch.no_grad()
    def _average(self, gates: Sequence[Tensor]) -> None:
        """Take this forward's gates into the running averages."""
        self.count += 1
        sources = [gates[0], gates[0]] if self._compat else gates  # slip 1: branch 1 is given branch 0's
        for average, gate in zip(self.averages, sources, strict=True):
            average.lerp_(gate.mean(dim=0).to(average.dtype), 1 / self.count.to(average.dtype))
