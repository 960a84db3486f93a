from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmspec.report.tables.statistics import holm, ranks, summarise, welch

numbers = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)


@given(st.lists(numbers, min_size=1, max_size=20))
def test_summary_is_numpys(values):
    summary = summarise(values)
    scale = max(1.0, *map(abs, values))
    assert summary.n == len(values)
    assert summary.mean == pytest.approx(np.mean(values), abs=1e-12 * scale)
    if len(values) == 1:
        assert summary.std is None
    else:
        assert summary.std == pytest.approx(np.std(values, ddof=1), abs=1e-9 * scale)


@given(st.lists(numbers, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_order_never_matters(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert summarise(shuffled) == summarise(values)


def test_values_that_are_not_finite_are_counted_not_averaged():
    summary = summarise([1.0, math.nan, 3.0, math.inf])
    assert (summary.n, summary.mean, summary.dropped) == (2, 2.0, 2)
    assert summarise([math.nan]).mean is None


def test_huge_values_do_not_overflow():
    summary = summarise([1e308, 1e308, -1e308])
    assert math.isfinite(summary.mean)
    assert math.isfinite(summary.std)


def test_ties_share_a_rank_and_the_next_value_is_second():
    assert ranks({"a": 0.9, "b": 0.9, "c": 0.8, "d": 0.1}, "max") == {"a": 1, "b": 1, "c": 2, "d": 3}
    assert ranks({"a": 0.9, "b": 0.1}, "min") == {"a": 2, "b": 1}
    assert ranks({"a": 0.9, "b": 0.1}, "none") == {}
    assert ranks({"a": 0.9}, "max") == {}


def test_welch_agrees_with_its_textbook_formula():
    first, second = [27.5, 21.0, 19.0, 23.6, 17.0], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5]
    a, b = np.array(first), np.array(second)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    dof = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    from scipy.special import stdtr

    assert welch({"x": first}, second) == {"x": pytest.approx(2 * stdtr(dof, -abs(t)), rel=1e-10)}


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0, 2.0], [1.0, 2.0, 3.0]), ([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]), ([1.0, 2.0, math.nan], [1, 2, 3])],
)
def test_no_test_where_none_exists(first, second):
    assert welch({"x": first}, second) == {}


def test_almost_no_spread_gives_no_warning():
    p_values = welch({"x": [1.0, 1.0, 1.0]}, [2.0, 2.0, 2.0 + 1e-15])
    assert p_values == {"x": pytest.approx(0, abs=1e-12)}


def test_rows_of_all_lengths_are_tested_as_alone():
    rows = {"a": [1.0, 2, 3], "b": [4.0, 5, 7, 9], "c": [1.0, 2], "d": [3.0, 5, 8]}
    alone = [welch({name: values}, rows["b"]) for name, values in rows.items()]
    assert welch(rows, rows["b"]) == {name: pytest.approx(p) for each in alone for name, p in each.items()}
    assert set(welch(rows, rows["b"])) == {"a", "b", "d"}


def reference_holm(p_values):
    """Holm by its definition: the smallest level at which the step-down procedure rejects."""
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = np.minimum(1, np.asarray(p_values)[order] * (m - np.arange(m)))
    adjusted = np.empty(m)
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
@settings(max_examples=200)
def test_holm_equals_a_reference(p_values):
    ours = holm({str(i): p for i, p in enumerate(p_values)})
    assert list(ours.values()) == pytest.approx(reference_holm(p_values))
    assert list(ours) == [str(i) for i in range(len(p_values))]
    assert all(a >= p for a, p in zip(ours.values(), p_values, strict=True))
