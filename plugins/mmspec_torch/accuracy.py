"""Accuracy over a whole split."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mmspec.plugins.api import Batch, NetworkOutput, StreamingMetric


class StreamingAccuracy(StreamingMetric):
    """Counts of samples and of right predictions, by the mean logits and by each branch.

    State: `samples` () and `right` (names,), int64.
    """

    samples: Tensor
    right: Tensor

    def __init__(self, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self._branches = modalities if len(modalities) > 1 else ()
        self._names = ["accuracy", *(f"accuracy.{m}" for m in self._branches)]
        self.register_buffer("samples", torch.zeros((), dtype=torch.int64))
        self.register_buffer("right", torch.zeros(len(self._names), dtype=torch.int64))

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Count a batch."""
        logits = torch.stack([output.prediction, *(output.logits[m] for m in self._branches)])
        self.right.add_((logits.argmax(dim=2) == batch.target).sum(dim=1))
        self.samples.add_(len(batch))

    def compute(self) -> Mapping[str, float]:
        """Shares of right predictions; NaN without samples."""
        samples = int(self.samples)
        return {
            name: count / samples if samples else math.nan
            for name, count in zip(self._names, self.right.tolist(), strict=True)
        }

    def reset(self) -> None:
        """Forget all batches."""
        self.samples.zero_()
        self.right.zero_()
