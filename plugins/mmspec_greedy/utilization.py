"""Conditional utilisation rate (Wu et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmspec.plugins.api import Evaluation, SplitMetric
from mmspec_greedy.naming import given_others

Squeezes = Mapping[str, Sequence[Tensor]]


def utilization(full: float, alone: float) -> float:
    """The rate (A(f) - A(f')) / A(f); NaN where the branch is never right."""
    return (full - alone) / full if full else math.nan


def difference(rates: Sequence[float]) -> float:
    """d_util: u_0 - u_1 for two modalities; for more, largest minus smallest; NaN if any is."""
    if any(math.isnan(rate) for rate in rates):
        return math.nan
    return rates[0] - rates[1] if len(rates) == 2 else max(rates) - min(rates)


def average_squeezes(evaluation: Evaluation) -> dict[str, list[Tensor]]:
    """The mean squeeze (C_m,) of each modality in each unit over the training split, float64."""
    sums: dict[str, list[Tensor]] = {}
    samples = 0
    for squeezes, batch in evaluation.squeezes(evaluation.train_split):
        samples += len(batch)
        for unit, seen in squeezes.items():
            batch_sums = [s.double().sum(dim=0) for s in seen]
            known = sums.get(unit)
            sums[unit] = (
                batch_sums if known is None else [a + b for a, b in zip(known, batch_sums, strict=True)]
            )
    return {unit: [total / samples for total in totals] for unit, totals in sums.items()}


def branch_accuracies(
    evaluation: Evaluation, split: str, squeezes: Squeezes
) -> tuple[list[float], list[float]]:
    """The share of samples each branch has right, and that without the others, in one pass."""
    modalities = evaluation.network.modalities
    correct: list[Tensor] = []
    samples = 0
    for output, alone, batch in evaluation.isolated(split, squeezes):
        samples += len(batch)
        logits = torch.stack([says[m] for says in (output.logits, alone) for m in modalities])
        correct.append((logits.argmax(dim=2) == batch.target).sum(dim=1))
    shares = [count / samples for count in torch.stack(correct).sum(dim=0).tolist()]
    return shares[: len(modalities)], shares[len(modalities) :]


class Utilization(SplitMetric):
    """u(others|m) for each modality, and `d_util`."""

    def __init__(self, modalities: tuple[str, ...], splits: tuple[str, ...] | None = None) -> None:
        self._modalities, self._splits = modalities, splits

    def measure(self, evaluation: Evaluation, split: str) -> Mapping[str, float]:
        """The rates on one split; nothing on a split that was not asked for."""
        if self._splits is not None and split not in self._splits:
            return {}
        averages = evaluation.once("mmspec_greedy.average_squeezes", lambda: average_squeezes(evaluation))
        both = zip(*branch_accuracies(evaluation, split, averages), strict=True)
        rates = [utilization(full, alone) for full, alone in both]
        names = [given_others("u", m, self._modalities) for m in self._modalities]
        return {**dict(zip(names, rates, strict=True)), "d_util": difference(rates)}
