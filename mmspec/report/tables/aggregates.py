"""How a cell sums up its seeds: a centre, and around it a spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import attrs

from mmspec.report.tables.statistics import summarise

Aggregate = Literal["mean_std", "median_iqr", "mean_range", "mean_ci", "mean", "median", "n"]

#: What each of them shows, in words.
IN_WORDS: Mapping[Aggregate, str] = {
    "mean_std": "mean ± standard deviation (n − 1)",
    "median_iqr": "median [lower, upper quartile; interpolated linearly]",
    "mean_range": "mean [lowest, highest]",
    "mean_ci": "mean [95 % confidence interval, Student's t]",
    "mean": "mean",
    "median": "median",
    "n": "number of seeds",
}
#: How sure a confidence interval is.
CONFIDENCE = 0.95


@attrs.frozen
class Spread:
    """A centre and what lies around it: `std`, or from `low` to `high`; None where there is none.

    Below two values nothing has a spread.
    """

    centre: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None


def aggregate(values: Sequence[float], how: Aggregate) -> Spread:
    """Sum up the finite ones of `values`; their order never matters."""
    finite = sorted(value for value in values if math.isfinite(value))
    if how == "n":
        return Spread(float(len(finite)))
    return _METHODS[how](finite) if finite else Spread()


def _mean(values: Sequence[float]) -> Spread:
    return Spread(summarise(values).mean)


def _mean_std(values: Sequence[float]) -> Spread:
    summary = summarise(values)
    return Spread(summary.mean, std=summary.std)


def _mean_range(values: Sequence[float]) -> Spread:
    mean = summarise(values).mean
    return Spread(mean, low=values[0], high=values[-1]) if len(values) > 1 else Spread(mean)


def _mean_ci(values: Sequence[float]) -> Spread:
    summary = summarise(values)
    if summary.mean is None or summary.std is None:
        return Spread(summary.mean)
    half = _t_quantile(summary.n - 1) * summary.std / math.sqrt(summary.n)
    return Spread(summary.mean, low=summary.mean - half, high=summary.mean + half)


@lru_cache(maxsize=256)
def _t_quantile(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _median(values: Sequence[float]) -> Spread:
    return Spread(quantile(values, 0.5))


def _median_iqr(values: Sequence[float]) -> Spread:
    if len(values) < 2:
        return _median(values)
    return Spread(quantile(values, 0.5), low=quantile(values, 0.25), high=quantile(values, 0.75))


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of values in order, linear between them: type 7 of Hyndman and Fan (1996), as in numpy."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low * (1 - (place - below)) + high * (place - below)


_METHODS: Mapping[Aggregate, Callable[[Sequence[float]], Spread]] = {
    "mean_std": _mean_std,
    "median_iqr": _median_iqr,
    "mean_range": _mean_range,
    "mean_ci": _mean_ci,
    "mean": _mean,
    "median": _median,
}
