"""Losses over the branches of a network."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from torch import Tensor
from torch.nn.functional import cross_entropy

from mmspec.plugins.api import Batch, NetworkOutput


@attrs.frozen
class BranchCrossEntropy:
    """The mean cross-entropy over the batch, for each branch."""

    label_smoothing: float = 0.0

    def __call__(self, output: NetworkOutput, batch: Batch) -> Mapping[str, Tensor]:
        """{modality: scalar}."""
        return {
            modality: cross_entropy(logits, batch.target, label_smoothing=self.label_smoothing)
            for modality, logits in output.logits.items()
        }
