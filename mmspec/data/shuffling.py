"""Controls: a feature table in which rows no longer belong to their samples."""

from __future__ import annotations

import attrs
import numpy as np

from mmspec.plugins.tables import FeatureTable
from mmspec.spec.model import SAMPLES, Read


def as_read(table: FeatureTable, read: Read) -> FeatureTable:
    """The table as the spec reads it: as it is, or shuffled.

    Raises:
        DataError: there is no such grouping.
    """
    if read.shuffle is None:
        return table
    return attrs.evolve(table, values=table.values[shuffled(table, read.shuffle, read.seed)])


def shuffled(table: FeatureTable, by: str, seed: int) -> np.ndarray:
    """Which row each row's values are taken from: of any sample, or of a sample of another group. (N,)

    Groups keep together: all samples of a group get rows of one other group, in turn where that is smaller.
    """
    random = np.random.default_rng(seed)
    if by == SAMPLES:
        everywhere: np.ndarray = random.permutation(len(table))
        return everywhere
    names, members = np.unique(table.grouping(by), return_inverse=True)
    taken = np.empty(len(table), dtype=np.int64)
    rows = [np.flatnonzero(members == group) for group in range(len(names))]
    for group, other in zip(range(len(names)), _elsewhere(len(names), random), strict=True):
        taken[rows[group]] = np.resize(rows[other], len(rows[group]))
    return taken


def _elsewhere(count: int, random: np.random.Generator) -> np.ndarray:
    """A permutation in which nothing stays in its place, where there is one (Sattolo 1986)."""
    places = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = random.integers(i)
        places[i], places[j] = places[j], places[i]
    return places
