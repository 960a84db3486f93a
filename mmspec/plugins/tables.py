"""Feature tables: what a stage writes of every sample, and what later stages read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from mmspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(eq=False, slots=False)
class FeatureTable:
    """Features of N samples, row by row: `values` (N, D), as a rule memory-mapped.

    Of each row `ids` (N,) name the sample, `targets` (N,) its class, an index into `classes`, `splits` (N,)
    the split it is of, and `groups` {grouping: (N,)} its groups. `name` is the stage that wrote it, for
    messages. Rows of a split stand together, in the split's own order.
    """

    values: np.ndarray
    ids: np.ndarray
    targets: np.ndarray
    splits: np.ndarray
    groups: Mapping[str, np.ndarray]
    classes: tuple[str, ...]
    name: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def of_splits(self, splits: Sequence[str] | None) -> FeatureTable:
        """The rows of these splits, in the order of the table; None: all.

        Raises:
            DataError: it has none of a split.
        """
        if splits is None:
            return self
        import numpy as np

        known = dict.fromkeys(self.splits.tolist())
        for split in splits:
            if split not in known:
                what = f"the table of stage {self.name} has no split {split!r}"
                raise DataError(what, hint=f"it has {', '.join(known)}")
        return self.rows(np.flatnonzero(np.isin(self.splits, list(splits))))

    def rows(self, positions: np.ndarray) -> FeatureTable:
        """The rows at these positions (n,), in this order; features are copied into memory."""
        return attrs.evolve(
            self,
            values=self.values[positions],
            ids=self.ids[positions],
            targets=self.targets[positions],
            splits=self.splits[positions],
            groups={name: labels[positions] for name, labels in self.groups.items()},
        )

    def matched(self, other: FeatureTable) -> FeatureTable:
        """The rows of the samples of `other`, in its order.

        Raises:
            DataError: a sample of `other` is not here, or it is not clear which row is of it.
        """
        return self.rows(self.positions(other.ids.tolist(), other.splits.tolist()))

    def positions(self, ids: Sequence[object], splits: Sequence[str | None] | None = None) -> np.ndarray:
        """Where the samples with these ids stand. (n,)

        Where an id stands in several splits, that row counts which is of the split that `splits` (n,) names.

        Raises:
            DataError: a sample is not here, or it is not clear which row is of it.
        """
        import numpy as np

        places, repeated = self._places
        if absent := [i for i in ids if i not in places]:
            what = f"the table of stage {self.name} has no features of {len(absent)} samples ({absent[0]}, …)"
            raise DataError(what, hint="extract the splits that they are in; both must be of the same data")
        if not repeated:
            return np.array([places[i] for i in ids], dtype=np.int64)
        wanted = [None] * len(ids) if splits is None else splits
        return np.array([self._place(i, split) for i, split in zip(ids, wanted, strict=True)], dtype=np.int64)

    def grouping(self, name: str) -> np.ndarray:
        """The group of each row (N,); "class" is known everywhere.

        Raises:
            DataError: there is no such grouping.
        """
        import numpy as np

        if name in self.groups:
            return self.groups[name]
        if name == "class":
            names: np.ndarray = np.array(self.classes, dtype=np.str_)[self.targets]
            return names
        known = ", ".join((*self.groups, "class"))
        raise DataError(f"the table of stage {self.name} has no groups {name!r}", hint=f"it has {known}")

    def _place(self, sample: object, split: str | None) -> int:
        """The row of a sample of this split."""
        places, repeated = self._places
        if sample not in repeated:
            return places[sample]
        own = [row for row in repeated[sample] if self.splits[row] == split]
        if len(own) == 1:
            return own[0]
        stands = ", ".join(dict.fromkeys(self.splits[repeated[sample]].tolist()))
        of = "" if split is None else f" of split {split}"
        what = f"sample {sample}{of}: the table of stage {self.name} has several rows of it ({stands})"
        raise DataError(what, hint="extract fewer splits, so that it is clear which is meant")

    @cached_property
    def _places(self) -> tuple[Mapping[object, int], Mapping[object, list[int]]]:
        """The first row of each sample, and all rows of those that have several."""
        first: dict[object, int] = {}
        repeated: dict[object, list[int]] = {}
        for row, sample in enumerate(self.ids.tolist()):
            if (known := first.setdefault(sample, row)) != row:
                repeated.setdefault(sample, [known]).append(row)
        return first, repeated
