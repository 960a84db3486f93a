"""Noise matching: features of a network made as noisy as recordings (Cadieu et al. 2014).

Recorded responses N are means over T trials; how much a site scatters grows with its response. The network's
features F are scaled so that their variance is that of the signal in N, and get the same kind of noise:

    noise variance  σ² = mean((a N + b)²) / T
    scale           F' = F √((var N − σ²) / var F)          one scale for all features
    noise           F' + (a F' + b) z / √T                  z standard normal

Variances are over all entries, divided by their number. Source: the code of 1jsingh/neural-finetuning, which
uses a = 0.14, b = 0.92 and T = 47, there called those of multi-units.
"""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np

from mmspec.plugins.api import DataError, above, option


@attrs.frozen(kw_only=True)
class NoiseModel:
    """How recordings scatter: standard deviation `slope` · response + `offset` in each of `trials` trials."""

    slope: float = option("a of the deviation a·response + b in a trial", default=0.14)
    offset: float = option("b of the same", default=0.92)
    trials: float = option("trials that responses are averaged over", default=47.0, validator=above(0))

    def variance(self, neural: np.ndarray) -> float:
        """The variance that noise has in responses averaged over the trials: mean((a N + b)²) / T."""
        return float(np.square(self.deviation(neural)).mean())

    def mean_variance(self, means: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """The mean over values of `deviation` squared, from means of the values and of their squares."""
        a, b = self.slope, self.offset
        variances = (a * a * squares + 2 * a * b * means + b * b) / self.trials
        return np.maximum(variances, 0)  # which rounding may miss

    def deviation(self, values: np.ndarray) -> np.ndarray:
        """The standard deviation of the mean over the trials at these responses: (a x + b) / √T."""
        deviations: np.ndarray = (self.slope * values + self.offset) / np.sqrt(self.trials)
        return deviations


#: The published constants.
MULTI_UNIT_IT = NoiseModel()


def noise_scale(features: np.ndarray, neural: np.ndarray, noise: NoiseModel = MULTI_UNIT_IT) -> float:
    """What features are multiplied by to vary as the signal in `neural` does: √((var N − σ²) / var F).

    Raises:
        DataError: there is no such factor: the features are constant, or the responses vary less than noise.
    """
    total, noisy = float(neural.var(dtype=np.float64)), noise.variance(neural)
    spread = _variance(features)
    if not total > noisy:
        raise DataError(
            f"the responses vary by {total:.4g}, and by noise alone should vary by {noisy:.4g}",
            hint=f"slope {noise.slope}, offset {noise.offset}, {noise.trials:g} trials do not fit these data",
        )
    if not spread > 0:
        raise DataError("the network's features are all the same: they cannot be scaled to match noise")
    return float(np.sqrt((total - noisy) / spread))


def _variance(values: np.ndarray) -> float:
    """The variance of all entries; by their squares, in one pass, where that loses nothing to speak of."""
    if values.dtype == np.float64:
        mean = float(values.mean())
        square = float(np.vdot(values, values)) / values.size
        if square - mean**2 > 1e-2 * square:
            return square - mean**2
    return float(values.var(dtype=np.float64))


def match_noise(
    features: np.ndarray, neural: np.ndarray, normal: np.ndarray, noise: NoiseModel = MULTI_UNIT_IT
) -> np.ndarray:
    """The features (N, D) scaled to the signal in the responses (N, sites), with noise like theirs.

    `normal` (N, D) is standard normal.

    Raises:
        DataError: the features are constant, or the responses vary less than noise would.
    """
    scaled = noise_scale(features, neural, noise) * features
    matched: np.ndarray = scaled + noise.deviation(scaled) * normal
    return matched


def matched_group_means(
    features: np.ndarray,
    neural: np.ndarray,
    starts: np.ndarray,
    normal: np.ndarray,
    noise: NoiseModel = MULTI_UNIT_IT,
) -> np.ndarray:
    """Group means of what `match_noise` gives, with one draw for a group instead of one for each sample.

    A mean of k independent normal draws of deviations s_i is normal with deviation √(Σ s_i²) / k, so these
    means have the same distribution. Groups are consecutive rows, beginning at `starts` (G,); `normal` is
    standard normal (G, D).

    Raises:
        DataError: the features are constant, or the responses vary less than noise would.
    """
    scale = noise_scale(features, neural, noise)
    parts = [features[start:stop] for start, stop in pairwise([*starts, len(features)])]
    counts = np.diff(starts, append=len(features))[:, None]
    centres = scale * np.stack([part.mean(axis=0) for part in parts])
    squares = scale**2 * np.stack([np.einsum("nd,nd->d", part, part) for part in parts]) / counts
    variances = noise.mean_variance(centres, squares)
    means: np.ndarray = centres + np.sqrt(variances / counts) * normal
    return means
