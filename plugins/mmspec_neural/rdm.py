"""Representational dissimilarity matrices (Kriegeskorte et al. 2008), and how alike two of them are.

Matrices are in float64, whatever the features are. `rdm_torch` has the same with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

Method = Literal["spearman", "pearson", "kendall", "cosine"]


def group_means(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean feature vector of each group, in the order of `np.unique(groups)`. (N, D), (N,) → (G, D)

    Labels that are text are sorted as text ("o10" before "o2"): pad their numbers with zeros.
    """
    _, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    membership = np.equal(np.arange(len(counts))[:, None], members).astype(np.float64)
    means: np.ndarray = membership @ features / counts[:, None]
    return means


def correlation_distance(vectors: np.ndarray) -> np.ndarray:
    """1 − Pearson's correlation between each two rows, exactly 0 on the diagonal. (G, D) → (G, G)

    d_ij = 1 − (x_i − x̄_i)·(x_j − x̄_j) / (|x_i − x̄_i| |x_j − x̄_j|). A row without variance gives NaN.
    """
    centred = vectors - vectors.mean(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        distances: np.ndarray = (1 - directions @ directions.T) * (1 - np.eye(len(vectors)))
    return distances


def rdm(features: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The dissimilarity matrix of group means: 1 − Pearson, as Cadieu et al. 2014 have it. (G, G)

    Features (N, D), groups (N,); rows and columns are in the order of `np.unique(groups)`.
    """
    return correlation_distance(group_means(features, groups))


def upper_triangle(matrix: np.ndarray) -> np.ndarray:
    """What stands above the diagonal, row by row. (G, G) → (G (G − 1) / 2,)"""
    entries: np.ndarray = matrix[np.triu_indices(len(matrix), k=1)]
    return entries


def rdm_mse(model: np.ndarray, target: np.ndarray, *, diagonal: bool = True) -> float:
    """The mean squared difference of two dissimilarity matrices (G, G).

    Over all G² entries, zeros of the diagonal included, as the published loss has it; or without the
    diagonal, which is G / (G − 1) times as much.
    """
    squares = np.square(model - target)
    if diagonal:
        return float(squares.mean())
    size = len(squares)
    return float((squares.sum() - np.trace(squares)) / (size * (size - 1)))


def compare_rdms(one: np.ndarray, other: np.ndarray, method: Method = "spearman") -> float:
    """How alike two dissimilarity matrices are above their diagonals; 1 is the same.

    spearman: Pearson's correlation of ranks, ties averaged; pearson: of the entries; kendall: tau-b;
    cosine: of the angle between the entries as vectors. NaN where an entry is NaN or one side is constant.
    """
    return _METHODS[method](upper_triangle(one), upper_triangle(other))


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    return _cosine(x - x.mean(), y - y.mean())


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(x), rankdata(y))


def _kendall(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic)


_METHODS: dict[Method, Callable[[np.ndarray, np.ndarray], float]] = {
    "spearman": _spearman,
    "pearson": _pearson,
    "kendall": _kendall,
    "cosine": _cosine,
}
