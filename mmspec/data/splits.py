"""Splits: a dataset's own, or a validation set taken from training; never a sample in two roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.random import default_rng

from mmspec.errors import DataError
from mmspec.plugins.api import Role, Source
from mmspec.spec.model import Split


@attrs.define(eq=False)
class Subset(Source):
    """Some samples of a source, in the order of `chosen` (n,) positions."""

    whole: Source
    chosen: np.ndarray
    ids: np.ndarray = attrs.field(init=False)
    targets: np.ndarray = attrs.field(init=False)
    groups: Mapping[str, np.ndarray] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ids = self.whole.ids[self.chosen]
        self.targets = self.whole.targets[self.chosen]
        self.groups = {name: values[self.chosen] for name, values in self.whole.groups.items()}

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The chosen samples at these positions."""
        return self.whole.read(modality, self.chosen[indices])


def with_validation(sources: Mapping[str, Source], split: Split | None) -> dict[str, Source]:
    """The sources, with `val` taken out of `train` where a `[split]` asks for it.

    Raises:
        DataError: the grouping does not exist, or nothing would be left on one side.
    """
    if split is None:
        return dict(sources)
    train = sources["train"]
    held_out = np.zeros(len(train), dtype=bool)
    held_out[validation_positions(train, split)] = True
    for name, count in (("train", np.sum(~held_out)), ("val", np.sum(held_out))):
        if not count:
            raise DataError(f"[split] fraction = {split.fraction} leaves no sample for {name!r}")
    parts = {
        "train": Subset(train, np.flatnonzero(~held_out)),
        "val": Subset(train, np.flatnonzero(held_out)),
    }
    return {**sources, **parts}


def validation_positions(train: Source, split: Split) -> np.ndarray:
    """Positions in `train` that become validation: whole groups, or samples stratum by stratum."""
    random = default_rng(split.seed)
    if split.group_by is not None:
        names, members = np.unique(_groups(train, "group_by", split.group_by), return_inverse=True)
        chosen = random.permutation(len(names))[: round(split.fraction * len(names))]
        return np.flatnonzero(np.isin(members, chosen))
    if isinstance(split.stratify, str):
        strata = _groups(train, "stratify", split.stratify)
    else:
        strata = train.targets if split.stratify else np.zeros(len(train), dtype=int)
    return np.concatenate(
        [_share(np.flatnonzero(strata == s), split.fraction, random) for s in np.unique(strata)]
    )


def _groups(train: Source, key: str, name: str) -> np.ndarray:
    if name not in train.groups:
        known = ", ".join(train.groups) or "none"
        raise DataError(f"[split] {key} = {name!r}: the groupings of this dataset are: {known}")
    return np.asarray(train.groups[name])


def _share(positions: np.ndarray, fraction: float, random: np.random.Generator) -> np.ndarray:
    shuffled: np.ndarray = random.permutation(positions)
    return shuffled[: round(fraction * len(positions))]


def check_roles(sources: Mapping[str, Source], roles: Mapping[str, Role]) -> None:
    """Refuse data in which a sample serves two roles (training, validation, test).

    Raises:
        DataError: naming the splits and the first samples they share.
    """
    by_role: dict[Role, list[str]] = {}
    for name in sources:
        by_role.setdefault(roles[name], []).append(name)
    seen: dict[object, str] = {}
    for names in by_role.values():
        mine: dict[object, str] = {}
        for name in names:
            ids = sources[name].ids.tolist()
            if not seen.keys().isdisjoint(ids):
                raise DataError(_overlap(name, ids, seen))
            mine.update(dict.fromkeys(ids, name))
        seen.update(mine)


def _overlap(name: str, ids: Sequence[object], seen: Mapping[object, str]) -> str:
    shared = [i for i in ids if i in seen]
    some = ", ".join(map(str, shared[:3])) + (", …" if len(shared) > 3 else "")
    return f"splits {name!r} and {seen[shared[0]]!r} share {len(shared)} samples ({some})"
