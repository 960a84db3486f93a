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
            DataError: a sample of `other` is not here.
        """
        return self.rows(self.positions(other.ids.tolist()))

    def positions(self, ids: Sequence[object]) -> np.ndarray:
        """Where the samples with these ids stand. (n,)

        Raises:
            DataError: one is not here, or stands here twice.
        """
        import numpy as np

        if absent := [i for i in ids if i not in self._places]:
            what = f"the table of stage {self.name} has no features of {len(absent)} samples ({absent[0]}, …)"
            raise DataError(what, hint="extract the splits that they are in; both must be of the same data")
        return np.array([self._places[i] for i in ids], dtype=np.int64)

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

    @cached_property
    def _places(self) -> Mapping[object, int]:
        places = {sample: row for row, sample in enumerate(self.ids.tolist())}
        if len(places) < len(self.ids):
            what = f"samples stand twice in the table of stage {self.name}: rows cannot be told apart by id"
            raise DataError(what, hint="extract fewer splits")
        return places
