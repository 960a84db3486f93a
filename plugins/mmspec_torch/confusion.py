"""Confusion matrices over a whole split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from mmspec.plugins.api import Batch, LabelledArray, NetworkOutput, StreamingMetric


class StreamingConfusion(StreamingMetric):
    """Counts of true against predicted classes, by the mean logits and by each of `modalities`.

    State: `counts` (names, K, K) int64, true class first.
    """

    final: ClassVar[bool] = True
    counts: Tensor

    def __init__(self, classes: Sequence[str], modalities: Sequence[str] = ()) -> None:
        super().__init__()
        self._classes = tuple(classes)
        self._branches = tuple(modalities) if len(modalities) > 1 else ()
        self._names = ["confusion", *(f"confusion.{m}" for m in self._branches)]
        shape = (len(self._names), len(classes), len(classes))
        self.register_buffer("counts", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("_one", torch.ones((), dtype=torch.int64), persistent=False)

    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Count a batch."""
        logits = [output.prediction, *(output.logits[m] for m in self._branches)]
        for counts, given in zip(self.counts, logits, strict=True):
            counts.index_put_((batch.target, given.argmax(dim=1)), self._one, accumulate=True)

    def compute(self) -> Mapping[str, float]:
        """No numbers by name."""
        return {}

    def arrays(self) -> Mapping[str, LabelledArray]:
        """The counts (K, K) by name."""
        axes, entries = ("true class", "predicted class"), (self._classes, self._classes)
        counts = self.counts.cpu().numpy().copy()
        return {name: LabelledArray(counts[i], axes, entries) for i, name in enumerate(self._names)}

    def reset(self) -> None:
        """Forget all batches."""
        self.counts.zero_()
