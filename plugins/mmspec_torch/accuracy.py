"""Accuracy over a whole split."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmspec.plugins.api import Batch, NetworkOutput, StreamingMetric


class StreamingAccuracy(StreamingMetric):
    """Counts of samples and of right predictions, by the mean logits and by each branch.

    State: `counts` (1 + names,) int64, samples first.
    """

    counts: Tensor

    def __init__(self, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self._branches = modalities if len(modalities) > 1 else ()
        self._names = ["accuracy", *(f"accuracy.{m}" for m in self._branches)]
        self.register_buffer("counts", torch.zeros(1 + len(self._names), dtype=torch.int64))

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Count a batch."""
        logits = torch.stack([output.prediction, *(output.logits[m] for m in self._branches)])
        right = (logits.argmax(dim=2) == batch.target).sum(dim=1)
        self.counts += pad(right, (1, 0), value=len(batch))

    def compute(self) -> Mapping[str, float]:
        """Shares of right predictions; NaN without samples."""
        samples, *right = self.counts.tolist()
        return {
            name: count / samples if samples else math.nan
            for name, count in zip(self._names, right, strict=True)
        }

    def reset(self) -> None:
        """Forget all batches."""
        self.counts.zero_()
