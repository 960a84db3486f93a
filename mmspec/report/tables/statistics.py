"""What is computed from the numbers of several seeds: means, spreads, ranks and tests."""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

Better = Literal["max", "min", "none"]

#: From its lower to its upper end.
Interval = tuple[float, float]

#: A difference is marked when its corrected p is below this.
ALPHA = 0.05
#: Fewer values than this are never tested: the test has next to no power, and its mark would mislead.
MIN_TESTED = 3


@attrs.frozen
class Summary:
    """Values of one quantity over seeds: `mean` and `std` (n - 1) of the finite ones.

    `mean` is None without finite values, `std` below two of them. `dropped` counts the values that are
    NaN or infinite.
    """

    n: int
    mean: float | None
    std: float | None
    dropped: int = 0


def summarise(values: Sequence[float]) -> Summary:
    """Mean and sample standard deviation (n - 1); the order of `values` never matters."""
    finite = [value for value in values if math.isfinite(value)]
    dropped = len(values) - len(finite)
    n = len(finite)
    if n == 0:
        return Summary(0, None, None, dropped)
    mean = math.fsum(value / n for value in finite)
    std = None
    if n > 1:
        scale = max(abs(value - mean) for value in finite) or 1.0
        squares = math.fsum(((value - mean) / scale) ** 2 for value in finite)
        std = scale * math.sqrt(squares / (n - 1))
    return Summary(n, mean, std, dropped)


def ranks(values: Mapping[str, float], better: Better) -> dict[str, int]:
    """The rank of each key, 1 is best; equal values share a rank and the next value gets the next rank.

    Empty for `better = "none"` and where there is nothing to compare.
    """
    if better == "none" or len(values) < 2:
        return {}
    order = sorted(set(values.values()), reverse=better == "max")
    place = {value: rank for rank, value in enumerate(order, start=1)}
    return {name: place[value] for name, value in values.items()}


def places(values: Mapping[str, float], better: Better) -> dict[str, int]:
    """The place of each key: 1 more than how many are better, so equal values share one.

    Empty for `better = "none"`.
    """
    if better == "none":
        return {}
    first: dict[float, int] = {}
    for place, value in enumerate(sorted(values.values(), reverse=better == "max"), start=1):
        first.setdefault(value, place)
    return {name: first[value] for name, value in values.items()}


def mean_ranks(columns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over columns of each key's rank: 1 is the smallest, equal values share the mean of theirs.

    All columns have the same keys. Ranks as in Friedman's test (Demšar 2006).
    """
    ranked = []
    for column in columns:
        first, count = places(column, "min"), Counter(column.values())
        ranked.append({name: first[name] + (count[value] - 1) / 2 for name, value in column.items()})
    return {name: math.fsum(ranks[name] for ranks in ranked) / len(ranked) for name in columns[0]}


def paired(rows: Mapping[str, Sequence[float]], reference: Sequence[float]) -> dict[str, float]:
    """The two-sided p of the paired t-test of each row against `reference`, where the test exists.

    Values stand in the order of the pairs. It does not with fewer than `MIN_TESTED` pairs, a value that is
    not finite, or differences that are all equal.
    """
    differences = {
        name: [value - other for value, other in zip(values, reference, strict=True)]
        for name, values in rows.items()
    }
    names = [name for name, found in differences.items() if _can_be_tested(found, found)]
    if not names:
        return {}
    from scipy.stats import ttest_rel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns where differences hardly vary
        p_values = ttest_rel([rows[n] for n in names], [reference] * len(names), axis=1).pvalue
    return {n: float(p) for n, p in zip(names, p_values, strict=True) if math.isfinite(p)}


def welch_interval(values: Sequence[float], reference: Sequence[float], confidence: float) -> Interval | None:
    """The confidence interval of the difference of the means, Welch's; None where it does not exist.

    Welch (1947), with the degrees of freedom of Satterthwaite.
    """
    first, second = summarise(values), summarise(reference)
    if first.mean is None or second.mean is None or first.std is None or second.std is None:
        return None
    parts = [(first.std**2 / first.n, first.n - 1), (second.std**2 / second.n, second.n - 1)]
    variance = math.fsum(part for part, _ in parts)
    denominator = math.fsum(part**2 / freedom for part, freedom in parts)
    if not (denominator > 0 and math.isfinite(variance**2 / denominator)):
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(variance**2 / denominator, (1 + confidence) / 2)) * math.sqrt(variance)
    difference = first.mean - second.mean
    return difference - half, difference + half


def welch(rows: Mapping[str, Sequence[float]], reference: Sequence[float]) -> dict[str, float]:
    """The two-sided p of Welch's t-test of each row against `reference`, where the test exists.

    It does not with fewer than `MIN_TESTED` values on a side, a value that is not finite, or no spread.
    """
    alike: dict[int, list[str]] = defaultdict(list)
    for name, values in rows.items():
        if _can_be_tested(values, reference):
            alike[len(values)].append(name)
    if not alike:
        return {}
    from scipy.stats import ttest_ind

    found: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns where a side hardly varies
        for names in alike.values():
            block = [sorted(rows[name]) for name in names]
            p_values = ttest_ind(block, [sorted(reference)], axis=1, equal_var=False).pvalue
            found |= dict(zip(names, map(float, p_values), strict=True))
    return {name: p for name, p in found.items() if math.isfinite(p)}


def _can_be_tested(first: Sequence[float], second: Sequence[float]) -> bool:
    if min(len(first), len(second)) < MIN_TESTED or not all(map(math.isfinite, (*first, *second))):
        return False
    return len(set(first)) > 1 or len(set(second)) > 1


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction: the adjusted p of each key, in the order of the keys.

    Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for done, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}
