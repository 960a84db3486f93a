"""Groups of a batch by the name of their grouping, with the classes as one more."""

from __future__ import annotations

from torch import Tensor

from mmspec.plugins.api import Batch, NetworkOutput
from mmspec_neural.reading import CLASS


def codes(batch: Batch, grouping: str) -> Tensor:
    """The number of each sample's group. (N,) int64"""
    return batch.target if grouping == CLASS else batch.groups[grouping]


def count(output: NetworkOutput, batch: Batch, grouping: str) -> int:
    """How many groups the data have, whether the batch has samples of them or not."""
    return output.prediction.shape[1] if grouping == CLASS else len(batch.group_names[grouping])
