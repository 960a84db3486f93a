"""Conditional learning speed (Wu et al. 2022).

For parameters θ with gradient G, μ(θ) = ‖G‖² / ‖θ‖², both summed over all tensors of the set. θ_m are a
branch's own parameters, θ'_m the fusion parameters that feed it, and
s_m = log10( Σ_i μ(θ'_m; i) / Σ_i μ(θ_m; i) ) over the steps i so far: how fast the branch learns from the
other modalities, against how fast it learns from its own. In the paper's notation s_0 = s(m1|m0).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmspec.plugins.api import MultiModalNetwork, Step


def squared_norms(tensors: Sequence[Tensor]) -> Tensor:
    """‖t‖² of each tensor, in two kernels for all of them. (len(tensors),) float64.

    Norms are taken in the tensors' own dtype; what is summed over tensors and steps is float64.
    """
    return torch.stack(torch._foreach_norm(list(tensors))).double().square()


def speeds(sums: Tensor) -> Tensor:
    """s_m from the sums of μ: `sums` (2, M), θ' first. (M,)"""
    return torch.log10(sums[0] / sums[1])


def difference(s: Tensor) -> Tensor:
    """d_speed: s_0 − s_1 for two modalities; for more, which of them has no sign, largest minus smallest."""
    return s[0] - s[1] if len(s) == 2 else s.max() - s.min()


def known(flag: Tensor) -> bool:
    """Whether `flag` () is true and reading it waits for nothing, which is so on the CPU.

    There a re-balancing step need not be measured; elsewhere measuring costs less than waiting to know.
    """
    return flag.device.type == "cpu" and bool(flag.numpy())


class SpeedMeter(nn.Module):
    """Measures μ of every parameter set of a network after a backward.

    Its `membership` (2M, P) says which of the P parameters belong to θ'_0 … θ'_{M-1}, θ_0 … θ_{M-1}.
    """

    membership: Tensor

    def __init__(self, network: MultiModalNetwork) -> None:
        super().__init__()
        sets = [network.fusion_parameters(m) for m in network.modalities]
        sets += [network.branch_parameters(m) for m in network.modalities]
        # A plain list: the network's parameters are not this module's.
        self._parameters_measured = list({id(p): p for members in sets for p in members}.values())
        rows = [[float(any(p is q for q in members)) for p in self._parameters_measured] for members in sets]
        membership = torch.tensor(rows, dtype=torch.float64, device=self._parameters_measured[0].device)
        self.register_buffer("membership", membership, persistent=False)

    def measure(self, step: Step) -> Tensor:
        """μ at this step, measured once for all who ask. (2, M) float64: θ' first, then θ."""
        return step.once("mmspec_greedy.speed", self._measure)

    @torch.no_grad()
    def _measure(self) -> Tensor:
        parameters = self._parameters_measured
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        squares = torch.stack([squared_norms(gradients), squared_norms(parameters)], dim=1)
        total = self.membership @ squares
        return (total[:, 0] / total[:, 1]).view(2, -1)
