"""What batches hold beside samples and targets: their groups, and their rows of feature tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor

from mmspec.plugins.api import Source
from mmspec.plugins.tables import FeatureTable


@attrs.frozen(eq=False)
class Groupings:
    """The groups of all splits, numbered alike: `names` {grouping: sorted names}, `codes` {split: {grouping:
    (N,) int64}}.
    """

    names: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, Mapping[str, Tensor]]


def number_groups(sources: Mapping[str, Source]) -> Groupings:
    """Number the groups of each grouping that all splits have, in the order of their sorted names."""
    common = [g for g in next(iter(sources.values())).groups if all(g in s.groups for s in sources.values())]
    names: dict[str, tuple[str, ...]] = {}
    codes: dict[str, dict[str, Tensor]] = {split: {} for split in sources}
    for grouping in common:
        labels = [np.asarray(source.groups[grouping]) for source in sources.values()]
        found, members = np.unique(np.concatenate(labels), return_inverse=True)
        names[grouping] = tuple(map(str, found))
        parts = np.split(members.astype(np.int64), np.cumsum([len(each) for each in labels])[:-1])
        for split, part in zip(sources, parts, strict=True):
            codes[split][grouping] = torch.from_numpy(part)
    return Groupings(names, codes)


@attrs.frozen(eq=False)
class JoinedTable:
    """The rows of a feature table that belong to the samples of a split, found by their ids."""

    values: np.ndarray
    positions: np.ndarray

    @classmethod
    def of(cls, table: FeatureTable, ids: Sequence[object], split: str) -> JoinedTable:
        """Find the rows of the samples of a split; rows of the same split go before those of others.

        Raises:
            DataError: a sample is not in the table, or it is not clear which row is of it.
        """
        return cls(table.values, table.positions(ids, [split] * len(ids)))

    def rows(self, indices: np.ndarray) -> Tensor:
        """The rows (n, D) of the samples at these positions of the split."""
        return torch.from_numpy(np.ascontiguousarray(self.values[self.positions[indices]]))
