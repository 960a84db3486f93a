from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmspec.report.tables.aggregates import CONFIDENCE, IN_WORDS, Spread, aggregate
from mmspec.report.tables.statistics import (
    MIN_TESTED,
    holm,
    mean_ranks,
    paired,
    places,
    welch,
    welch_interval,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False).map(lambda x: round(x, 6))
SEVERAL = st.lists(NUMBERS, min_size=2, max_size=15)


def close(value, values):
    """Equal but for rounding, on the scale of the values."""
    return pytest.approx(value, rel=1e-9, abs=1e-9 * max(1.0, *map(abs, values)))


# ---------------------------------------------------------------- against numpy and scipy


@given(SEVERAL)
def test_centres_and_spreads_are_numpys(values):
    shown = {how: aggregate(values, how) for how in IN_WORDS}
    mean, median = close(np.mean(values), values), close(np.median(values), values)
    assert shown["mean"] == Spread(mean)
    assert shown["mean_std"] == Spread(mean, std=close(np.std(values, ddof=1), values))
    assert shown["mean_range"] == Spread(mean, low=min(values), high=max(values))
    assert shown["median"] == Spread(median)
    low, high = np.quantile(values, [0.25, 0.75], method="linear")
    assert shown["median_iqr"] == Spread(median, low=close(low, values), high=close(high, values))
    assert shown["n"] == Spread(float(len(values)))


@given(SEVERAL)
def test_the_confidence_interval_is_students(values):
    assume(np.std(values, ddof=1) > 1e-6)
    low, high = scipy.stats.t.interval(
        CONFIDENCE, len(values) - 1, loc=np.mean(values), scale=scipy.stats.sem(values)
    )
    assert aggregate(values, "mean_ci") == Spread(
        close(np.mean(values), values), low=close(low, values), high=close(high, values)
    )


@given(st.sampled_from(sorted(IN_WORDS)), NUMBERS)
def test_one_seed_has_no_spread(how, value):
    assert aggregate([value], how) == Spread(1.0 if how == "n" else value)
    assert aggregate([], how) == Spread(0.0 if how == "n" else None)
    assert aggregate([math.nan, value, math.inf], how) == aggregate([value], how)


@given(st.sampled_from(sorted(IN_WORDS)), st.lists(NUMBERS, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_values_never_matters(how, values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert aggregate(shuffled, how) == aggregate(values, how)


@given(st.lists(NUMBERS, min_size=2, max_size=8), st.integers(-50, 50))
def test_a_median_lies_between_its_quartiles(values, shift):
    spread = aggregate([value + shift for value in values], "median_iqr")
    assert spread.low <= spread.centre <= spread.high


# ---------------------------------------------------------------- tests


PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=MIN_TESTED, max_size=10)


@given(PAIRS)
def test_paired_is_scipys(pairs):
    first, second = map(list, zip(*pairs, strict=True))
    differences = np.subtract(first, second)
    assume(np.std(differences) > 1e-3 * (1 + np.abs(differences).max()))
    expected = scipy.stats.ttest_rel(first, second).pvalue
    assert paired({"x": first}, second) == {"x": pytest.approx(expected, rel=1e-9)}


@given(PAIRS, st.randoms(use_true_random=False))
def test_pairs_may_come_in_any_order_but_only_together(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    found = [paired({"x": [a for a, _ in p]}, [b for _, b in p]) for p in (pairs, shuffled)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@given(SEVERAL, SEVERAL)
def test_welch_and_its_interval_are_scipys(first, second):
    assume(np.std(first) > 1e-3 * (1 + np.abs(first).max()))
    assume(np.std(second) > 1e-3 * (1 + np.abs(second).max()))
    expected = scipy.stats.ttest_ind(sorted(first), sorted(second), equal_var=False)
    interval = expected.confidence_interval(CONFIDENCE)
    assert welch_interval(first, second, CONFIDENCE) == pytest.approx((interval.low, interval.high))
    if min(len(first), len(second)) >= MIN_TESTED:
        assert welch({"x": first}, second) == {"x": pytest.approx(expected.pvalue)}
    else:
        assert welch({"x": first}, second) == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1.0, 2.0], [3.0, 5.0]),
        ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]),
        ([1.0, 2.0, math.nan], [2.0, 4.0, 4.0]),
    ],
)
def test_no_paired_test_under_three_pairs_or_of_equal_differences(first, second):
    assert paired({"x": first}, second) == {}


def test_no_interval_where_none_exists():
    assert welch_interval([1.0], [1.0, 2.0], CONFIDENCE) is None
    assert welch_interval([1.0, 1.0], [2.0, 2.0], CONFIDENCE) is None


def brute_holm(p_values):
    """Holm by closed testing: the largest Bonferroni p of all intersections that a hypothesis is in."""
    n = len(p_values)
    adjusted = []
    for index in range(n):
        p = 0.0
        for members in range(1 << n):
            inside = [i for i in range(n) if members >> i & 1]
            if index in inside:
                p = max(p, min(1.0, len(inside) * min(p_values[i] for i in inside)))
        adjusted.append(p)
    return adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(max_examples=100)
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    ours = holm({str(i): p for i, p in enumerate(p_values)})
    assert list(ours.values()) == pytest.approx(brute_holm(p_values))


# ---------------------------------------------------------------- ranks


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 4), min_size=1, max_size=6))
def test_places_and_ranks_are_scipys(values):
    names, numbers = list(values), list(values.values())
    for better, sign in (("min", 1), ("max", -1)):
        expected = scipy.stats.rankdata([sign * number for number in numbers], method="min")
        assert places(values, better) == dict(zip(names, expected, strict=True))
    assert places(values, "none") == {}
    average = scipy.stats.rankdata(numbers, method="average")
    assert mean_ranks([values, values]) == pytest.approx(dict(zip(names, average, strict=True)))


def test_mean_ranks_of_all_orders_are_equal():
    columns = [dict(zip("abc", order, strict=True)) for order in permutations([1, 2, 3])]
    assert mean_ranks(columns) == {"a": 2.0, "b": 2.0, "c": 2.0}
