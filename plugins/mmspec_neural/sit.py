"""Similarity to IT: how alike the dissimilarity matrices of a network and of neurons are, over random draws.

Cadieu et al. 2014 as in the code of 1jsingh/neural-finetuning: each draw takes a share of the images of each
object, matches the noise of the network's features on them to that of the responses, and compares the two
matrices of object means by Spearman's correlation. Published are the mean and the standard deviation
(divided by their number) over 100 draws. These overlap, so the deviation is no standard error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mmspec.plugins.api import DataError
from mmspec_neural.noise import MULTI_UNIT_IT, NoiseModel, matched_group_means
from mmspec_neural.rdm import Method, compare_rdms, correlation_distance


def sit(
    features: np.ndarray,
    neural: np.ndarray,
    groups: np.ndarray,
    *,
    draws: int = 100,
    fraction: float = 0.2,
    noise: NoiseModel | None = MULTI_UNIT_IT,
    method: Method = "spearman",
    seed: int = 0,
) -> np.ndarray:
    """The similarity of features (N, D) to responses (N, sites) in each draw. (draws,) float64

    `groups` (N,) are the objects; `noise = None` leaves the features as they are. Draws, and for features of
    one size their noise, are the same for the same `seed`: networks compared by it see the same images.

    Raises:
        DataError: rows do not match, a draw would leave a group empty, or noise cannot be matched.
    """
    if not len(features) == len(neural) == len(groups):
        raise DataError(
            f"{len(features)} rows of features, {len(neural)} of responses and {len(groups)} of groups: "
            "they must be of the same images"
        )
    scores = np.empty(draws)
    for draw, (chosen, starts, random) in enumerate(_draws(groups, draws, fraction, seed)):
        drawn, responses = features[chosen].astype(np.float64), neural[chosen].astype(np.float64)
        if noise is None:
            means = _means(drawn, starts)
        else:
            normal = random.standard_normal((len(starts), features.shape[1]))
            means = matched_group_means(drawn, responses, starts, normal, noise)
        target = correlation_distance(_means(responses, starts))
        scores[draw] = compare_rdms(correlation_distance(means), target, method)
    return scores


def drawn_images(groups: np.ndarray, *, draws: int, fraction: float, seed: int) -> list[np.ndarray]:
    """The positions of the images in each draw: ⌊fraction · n⌋ of the n of each group, group by group.

    Raises:
        DataError: a group would be empty.
    """
    return [chosen for chosen, _, _ in _draws(groups, draws, fraction, seed)]


def _draws(
    groups: np.ndarray, draws: int, fraction: float, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.random.Generator]]:
    """For each draw its positions, where each group begins in them, and what goes on drawing."""
    labels, members = np.unique(groups, return_inverse=True)
    positions = [np.flatnonzero(members == group) for group in range(len(labels))]
    # The smallest step up keeps 0.29 of 100 at 29, which floats make 28.999….
    counts = [math.floor(fraction * len(of_group) + 1e-9) for of_group in positions]
    if min(counts) < 1:
        few = labels[np.argmin(counts)]
        raise DataError(f"{fraction} of the {len(positions[np.argmin(counts)])} images of {few} is none")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for draw in range(draws):
        random = np.random.default_rng([seed, draw])
        parts = [random.choice(p, n, replace=False) for p, n in zip(positions, counts, strict=True)]
        yield np.concatenate(parts), starts, random


def _means(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    parts = pairwise([*starts, len(values)])
    return np.stack([values[start:stop].mean(axis=0) for start, stop in parts])
