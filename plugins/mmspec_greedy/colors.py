"""Grey digits and their coloured twins: the pixel arithmetic of the coloured data sets.

The recipe is that of Wu et al. 2022 after Kim et al. 2019: each class has a mean colour, a sample's colour
is a mean colour plus Gaussian noise, clipped to [0, 1], and the coloured digit is the grey one times it.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

SIZE = 28


def class_colors(classes: int, seed: int) -> np.ndarray:
    """A mean colour for each class, drawn by `seed` and spread out. (classes, 3) in [0, 1].

    Each is the one of 20 random colours that is farthest from those before it (Mitchell's best candidate).
    """
    random = np.random.default_rng([seed, crc32(b"class colors")])
    means = random.random((1, 3))
    while len(means) < classes:
        candidates = random.random((20, 3))
        distances = np.linalg.norm(candidates[:, None] - means, axis=2).min(axis=1)
        means = np.vstack([means, candidates[distances.argmax()]])
    return means


def sample_colors(means: np.ndarray, labels: np.ndarray, variance: float, key: Sequence[int]) -> np.ndarray:
    """Colours drawn around the mean colours of `labels` (N,), noise keyed by `key`. (N, 3) in [0, 1]."""
    noise: np.ndarray = np.random.default_rng(key).normal(0.0, np.sqrt(variance), (len(labels), 3))
    colors: np.ndarray = np.clip(means[labels] + noise, 0.0, 1.0)
    return colors


def split_colors(targets: np.ndarray, split: str, *, classes: int, seed: int, variance: float) -> np.ndarray:
    """The colours of one split. (N, 3) in [0, 1].

    Samples of `train` and `test_iid` have the colour of their class, those of other splits the colour of a
    class drawn at random, which tells nothing of the target.
    """
    key = [seed, crc32(split.encode())]
    labels = targets
    if split not in {"train", "test_iid"}:
        labels = np.random.default_rng([*key, 1]).integers(classes, size=len(targets))
    return sample_colors(class_colors(classes, seed), labels, variance, [*key, 2])


def enlarge(images: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Bilinear enlargement of square images (N, n, n) to (N, size, size), float64; edges are held."""
    weights = _bilinear(images.shape[-1], size)
    enlarged: np.ndarray = weights @ images.astype(np.float64) @ weights.T
    return enlarged


def _bilinear(old: int, new: int) -> np.ndarray:
    """Weights (new, old) of linear interpolation between the centres of pixels."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(centres.astype(int), old - 2)
    weights = np.zeros((new, old))
    weights[np.arange(new), left] = 1 - (centres - left)
    weights[np.arange(new), left + 1] = centres - left
    return weights


def tint(digits: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Digits (N, 28, 28) uint8 times a colour each, (N, 3) in [0, 1]. (N, 3, 28, 28) uint8.

    One colour channel at a time, so that the arithmetic needs little more memory than its result.
    """
    tinted = np.empty((len(digits), 3, *digits.shape[1:]), dtype=np.uint8)
    for channel in range(3):
        shade = digits * colors[:, channel, None, None].astype(np.float32)
        np.rint(shade, out=tinted[:, channel], casting="unsafe")
    return tinted
