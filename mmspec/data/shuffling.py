"""Controls: a feature table in which rows no longer belong to their samples."""

from __future__ import annotations

import attrs
import numpy as np

from mmspec.errors import DataError
from mmspec.plugins.tables import FeatureTable
from mmspec.spec.model import SAMPLES, Read


def as_read(table: FeatureTable, read: Read) -> FeatureTable:
    """The table as the spec reads it: as it is, or shuffled.

    Raises:
        DataError: there is no such grouping, or nothing to exchange.
    """
    if read.shuffle is None:
        return table
    return attrs.evolve(table, values=table.values[shuffled(table, read.shuffle, read.seed)])


def shuffled(table: FeatureTable, by: str, seed: int) -> np.ndarray:
    """Which row each row's values are taken from: of another sample, or of a sample of another group. (N,)

    Groups keep together: all samples of a group get rows of one other group, in turn where that is smaller.

    Raises:
        DataError: there is no such grouping, or nothing to exchange.
    """
    random = np.random.default_rng(seed)
    if by == SAMPLES:
        return _elsewhere(len(table), random)
    names, members = np.unique(table.grouping(by), return_inverse=True)
    if len(names) < 2:
        what = f"the table of stage {table.name} cannot be shuffled by {by}: there is one group, {names[0]}"
        raise DataError(what, hint='shuffle = "samples" exchanges single rows')
    taken = np.empty(len(table), dtype=np.int64)
    rows = [np.flatnonzero(members == group) for group in range(len(names))]
    for group, other in enumerate(_elsewhere(len(names), random)):
        taken[rows[group]] = np.resize(rows[other], len(rows[group]))
    return taken


def _elsewhere(count: int, random: np.random.Generator) -> np.ndarray:
    """A permutation of one cycle, at random: nothing stays in its place, if there is more than one."""
    order = random.permutation(count)
    places = np.empty(count, dtype=np.int64)
    places[order] = np.roll(order, 1)
    return places
