"""Similarity to IT against the matrix products that it cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.paired import alternate

ROUNDS = 5
OBJECTS, IMAGES, WIDTH, SITES, DRAWS = 49, 40, 4096, 168, 100


def sit() -> list[str]:
    """100 draws of 8 images of each of 49 objects, from 1960 rows of 4096 features and 168 responses."""
    from mmspec_neural.noise import MULTI_UNIT_IT
    from mmspec_neural.sit import drawn_images
    from mmspec_neural.sit import sit as similarity

    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(OBJECTS), IMAGES)
    features = random.normal(1, 1, (len(groups), WIDTH)).astype(np.float32)
    neural = random.normal(0, 2, (OBJECTS, SITES))[groups] + random.normal(0, 1, (len(groups), SITES))
    chosen = drawn_images(groups, draws=DRAWS, fraction=0.2, seed=0)
    products = _products(features, neural, groups, chosen)
    lines = []
    for what, noise in (("with noise matched", MULTI_UNIT_IT), ("without noise", None)):
        ours = partial(similarity, features, neural, groups, draws=DRAWS, noise=noise)
        lines.append(alternate(ours, products, rounds=ROUNDS).show(f"SIT, 100 draws, {what} / products", 3.0))
    return lines


def _products(
    features: np.ndarray, neural: np.ndarray, groups: np.ndarray, chosen: list[np.ndarray]
) -> Callable[[], None]:
    """Group means as a product with the membership, and their inner products, for each draw, in float64."""

    def work() -> None:
        for rows in chosen:
            membership = np.equal(np.arange(OBJECTS)[:, None], groups[rows]) / (IMAGES // 5)
            for values in (features, neural):
                means = membership @ values[rows].astype(np.float64)
                means @ means.T

    return work
