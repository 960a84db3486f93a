"""Rates of a binary task over a whole split."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mmspec.plugins.api import Batch, NetworkOutput, StreamingMetric


class StreamingRates(StreamingMetric):
    """Counts of positive and negative samples, and of those predicted so, by the mean logits and each branch.

    A class other than `positive` is negative, whichever it is. State: `samples` (2,) int64, negative first,
    and `right` (names, 2) int64.
    """

    samples: Tensor
    right: Tensor

    def __init__(self, positive: int, modalities: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._positive = positive
        self._branches = modalities if len(modalities) > 1 else ()
        self._suffixes = ["", *(f".{m}" for m in self._branches)]
        self.register_buffer("samples", torch.zeros(2, dtype=torch.int64))
        self.register_buffer("right", torch.zeros((len(self._suffixes), 2), dtype=torch.int64))

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Count a batch."""
        logits = torch.stack([output.prediction, *(output.logits[m] for m in self._branches)])
        true = batch.target == self._positive
        right = (logits.argmax(dim=2) == self._positive) == true
        sides = torch.stack([~true, true], dim=1)  # (N, 2)
        self.samples += sides.sum(dim=0)
        self.right += (right[:, :, None] & sides).sum(dim=1)

    def compute(self) -> Mapping[str, float]:
        """Shares of the positive and of the negative samples predicted right, and their mean.

        NaN where there is no such sample.
        """
        samples, values = self.samples.tolist(), {}
        for suffix, right in zip(self._suffixes, self.right.tolist(), strict=True):
            specificity, sensitivity = (
                count / n if n else math.nan for count, n in zip(right, samples, strict=True)
            )
            values[f"sensitivity{suffix}"] = sensitivity
            values[f"specificity{suffix}"] = specificity
            values[f"balanced_accuracy{suffix}"] = (sensitivity + specificity) / 2
        return values

    def reset(self) -> None:
        """Forget all batches."""
        self.samples.zero_()
        self.right.zero_()
