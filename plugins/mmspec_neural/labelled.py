"""Dissimilarity matrices of tables, and how they and other results get names and borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmspec.plugins.api import DataError, FeatureTable, LabelledArray
from mmspec_neural.rdm import correlation_distance, group_means
from mmspec_neural.reading import CATEGORY

_FEWEST = 3


def labelled_rdm(
    matrix: np.ndarray, grouping: str, names: Sequence[str], borders: Sequence[str] | None = None
) -> LabelledArray:
    """A matrix (G, G) of these groups; `borders` (G,) is the class of each, such as its category."""
    along, between = tuple(names), () if borders is None else (tuple(borders),) * 2
    return LabelledArray(matrix, (grouping, grouping), (along, along), between)


def along(axis: str, values: np.ndarray, entries: Sequence[str]) -> LabelledArray:
    """Numbers in a row, each with its name."""
    return LabelledArray(values, (axis,), (tuple(entries),))


def names_of(groups: np.ndarray) -> list[str]:
    """The names of groups, in the order of `np.unique`."""
    return [str(name) for name in np.unique(groups)]


def rdm_of_rows(values: np.ndarray, groups: np.ndarray, table: str) -> np.ndarray:
    """The dissimilarities of group means, as `rdm.rdm` has them. (G, G)

    Raises:
        DataError: there are less than three groups, features are not finite, or the means of a group are all
            the same.
    """
    means = group_means(values, groups)
    if len(means) < _FEWEST:
        what = f"stage {table}: there are {len(means)} groups, and dissimilarities need {_FEWEST} or more"
        raise DataError(what, hint="two groups have one dissimilarity, which is like any other")
    flat = np.flatnonzero(~(np.isfinite(means).all(axis=1) & (np.ptp(means, axis=1) > 0)))
    if len(flat):
        name = np.unique(groups)[flat[0]]
        what = f"stage {table}: the mean features of {name} are not finite or all the same"
        raise DataError(
            what, hint="so they correlate with nothing; has the network that they are of diverged?"
        )
    return correlation_distance(means)


def borders_of(table: FeatureTable, grouping: str, border: str) -> list[str] | None:
    """The border class of each group, in the order of `np.unique`; None without such groups, or if mixed.

    Raises:
        DataError: the table has no such groups, and others than the usual were asked for.
    """
    if border == CATEGORY and border not in table.groups:
        return None
    labels, first, members = np.unique(table.grouping(grouping), return_index=True, return_inverse=True)
    classes = table.grouping(border)
    mixed = (classes != classes[first][members]).any()
    return None if mixed else [str(classes[first[g]]) for g in range(len(labels))]
