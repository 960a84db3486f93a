"""Two losses that look at conditional learning speeds (Comito and Fedeli's replication of Wu et al. 2022).

Speeds s (M,) are figures of past gradients: they are constants here, and no gradient flows through them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmspec_greedy.speed import difference

#: From the branches' losses (M,) and speeds s (M,) to the scalar that is differentiated.
SpeedLoss = Callable[[Tensor, Tensor], Tensor]


def plus_d_speed(losses: Tensor, s: Tensor) -> Tensor:
    """Σ_m L_m + |d_speed|. The gradient is that of the sum alone: only who looks at the loss sees it."""
    penalty = difference(s).abs().to(losses.dtype)
    return losses.sum() + torch.where(penalty.isfinite(), penalty, 0.0)


def weighted_by_speed(losses: Tensor, s: Tensor) -> Tensor:
    """M · |Σ_m w_m L_m| with w_m = s_m / Σ s.

    Speeds are logarithms: where their signs differ, weights are negative or above 1, and this is no average.
    """
    weights = (s / s.sum()).to(losses.dtype)
    weights = torch.where(weights.isfinite().all(), weights, 1 / len(s))
    return len(s) * (weights * losses).sum().abs()


LOSSES: Mapping[str, SpeedLoss] = {
    "plus_d_speed": plus_d_speed,
    "weighted_by_speed": weighted_by_speed,
}
