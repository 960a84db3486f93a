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
    for output, batch in evaluation.passes(evaluation.train_split):
        samples += len(batch)
        for unit, squeezes in output.squeezes.items():
            batch_sums = [s.double().sum(dim=0) for s in squeezes]
            known = sums.get(unit)
            sums[unit] = (
                batch_sums if known is None else [a + b for a, b in zip(known, batch_sums, strict=True)]
            )
    return {unit: [total / samples for total in totals] for unit, totals in sums.items()}


def branch_accuracies(
    evaluation: Evaluation, split: str, squeezes: Mapping[str, Sequence[Tensor | None]] | None = None
) -> list[float]:
    """The share of samples each branch has right, in one pass."""
    correct: list[Tensor] = []
    samples = 0
    for output, batch in evaluation.passes(split, squeezes):
        samples += len(batch)
        correct.append(
            torch.stack(
                [(output.logits[m].argmax(1) == batch.target).sum() for m in evaluation.network.modalities]
            )
        )
    return [count / samples for count in torch.stack(correct).sum(dim=0).tolist()]


class Utilization(SplitMetric):
    """u(others|m) for each modality, and `d_util`."""

    def __init__(self, modalities: tuple[str, ...], splits: tuple[str, ...] | None = None) -> None:
        self._modalities, self._splits = modalities, splits

    def measure(self, evaluation: Evaluation, split: str) -> Mapping[str, float]:
        """The rates on one split; nothing on a split that was not asked for."""
        if self._splits is not None and split not in self._splits:
            return {}
        averages = evaluation.once("mmspec_greedy.average_squeezes", lambda: average_squeezes(evaluation))
        full = branch_accuracies(evaluation, split)
        rates = []
        for m in range(len(self._modalities)):
            others = {unit: [None if i == m else a for i, a in enumerate(s)] for unit, s in averages.items()}
            rates.append(utilization(full[m], branch_accuracies(evaluation, split, others)[m]))
        names = [given_others("u", m, self._modalities) for m in self._modalities]
        return {**dict(zip(names, rates, strict=True)), "d_util": difference(rates)}
