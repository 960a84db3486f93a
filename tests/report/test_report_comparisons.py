"""Ranks, differences to a baseline, tests, and what is said of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from fake_tables import COLUMN, HEAD, NUMBERS, column, grid_of, notes, run, runs, texts

from mmspec.report.formats import numbers

# ---------------------------------------------------------------- ranks and differences


def test_ranks_are_places_and_ties_share_them(make):
    made = make(HEAD + COLUMN + 'show = "rank"')
    assert texts(made) == {"good": "1", "none": "2", "same": "2"}
    assert grid_of(made).columns[0].label == "test"
    assert "test: place in the column by the mean as rounded, ties share it." in notes(made)
    more = make(HEAD + COLUMN + 'show = "rank"', runs(NUMBERS | {"worst": (0.1, 0.1, 0.1)}))
    assert texts(more)["worst"] == "4"


def test_a_cell_that_is_not_ranked_has_no_place(make):
    made = make(HEAD + COLUMN + 'show = "rank"', runs(NUMBERS | {"broken": (0.9, math.nan, 0.9)}))
    assert texts(made)["broken"] == "–"
    assert grid_of(made).rows[0].cells[0].remark == "n=2, 1 NaN"


DELTA = HEAD + 'baseline = "none"\n' + COLUMN + 'show = "delta"\n'


def test_differences_of_means_have_no_spread(make):
    made = make(DELTA)
    assert texts(made) == {"good": "+10.7", "none": "0.0", "same": "0.0"}
    assert "test: difference to none, in percentage points: that of the means, without a spread." in notes(
        made
    )
    below = make(DELTA.replace('"none"', '"good"'))
    assert texts(below)["none"] == "−10.7"


def test_differences_of_pairs_have_the_spread_of_the_differences(make):
    made = make(DELTA.replace("baseline", 'test = "paired"\nbaseline'))
    differences = 100 * np.subtract(NUMBERS["good"], NUMBERS["none"])
    assert texts(made)["good"] == f"+{differences.mean():.1f} ± {differences.std(ddof=1):.1f}"
    assert texts(made)["same"] == "0.0 ± 0.0"
    median = make(DELTA.replace("baseline", 'aggregate = "median_iqr"\ntest = "paired"\nbaseline'))
    assert texts(median)["good"] == "+11.0 [+10.5, +11.0]"


def test_a_confidence_interval_of_a_difference_is_welchs(make):
    from scipy.stats import ttest_ind

    made = make(DELTA + 'aggregate = "mean_ci"')
    interval = ttest_ind(NUMBERS["good"], NUMBERS["none"], equal_var=False).confidence_interval()
    assert texts(made)["good"] == f"+10.7 [+{100 * interval.low:.1f}, +{100 * interval.high:.1f}]"
    assert "with Welch's 95 % confidence interval" in notes(made)


def test_numbers_too_large_to_be_shown_are_told_as_such(make):
    made = make(PAIRED + 'show = "delta"', runs({"none": (0.5, 0.6, 0.7), "huge": (1e308, 1e308)}))
    assert texts(made)["huge"] == "NaN"


def test_without_a_number_of_the_baseline_there_is_no_difference(make):
    made = make(DELTA, [*runs({"good": (0.5,)}), run("none", 0, {"other": 1.0})])
    assert texts(made) == {"good": "–", "none": "–"}


MEAN_RANK = HEAD + "mean_rank = true\n" + COLUMN + column("loss", better="min") + "where = { seed = 0 }\n"


def test_mean_ranks_say_which_columns_went_in(make):
    made = make(MEAN_RANK)
    assert grid_of(made).columns[-1].label == "mean rank"
    assert texts(made, -1) == {"good": "2.00", "none": "2.00", "same": "2.00"}
    assert "Mean rank: over test, loss; ties share the mean of their ranks." in notes(made)


def test_a_value_that_is_shown_twice_counts_once_in_the_mean_rank(make):
    made = make(HEAD + 'mean_rank = true\nbaseline = "none"\n' + COLUMN + COLUMN.replace('"test"', '"Δ"')
                + 'show = "delta"')  # fmt: skip
    assert texts(made, -1) == {"good": "1.00", "none": "2.50", "same": "2.50"}
    assert [row.cells[-1].mark for row in grid_of(made).rows] == ["best", "none", "none"]
    assert "Mean rank: over test;" in notes(made)


def test_columns_with_holes_are_in_no_mean_rank(make):
    made = make(MEAN_RANK, [*runs(NUMBERS), run("late", 1, {"test/accuracy": 0.4})])
    assert "Mean rank: over test;" in notes(made)
    none = make(HEAD + "mean_rank = true\n" + COLUMN, [*runs(NUMBERS), run("bare", 1, {})])
    assert len(grid_of(none).columns) == 1
    assert "No mean rank: there is no column" in notes(none)


# ---------------------------------------------------------------- tests

PAIRED = HEAD + 'baseline = "none"\ntest = "paired"\n' + COLUMN


def signs(made):
    return {row.label: row.cells[0].sign for row in grid_of(made).rows}


def test_paired_tests_mark_what_welch_does_not(make):
    found = runs({"none": (0.2, 0.5, 0.8), "a bit": (0.21, 0.511, 0.812)})
    assert signs(make(PAIRED, found)) == {"a bit": "†", "none": ""}
    assert signs(make(PAIRED.replace("paired", "welch"), found)) == {"a bit": "", "none": ""}
    said = notes(make(PAIRED, found))
    assert (
        "† differs from none: paired t-test over 3 pairs of runs with one seed, p < 0.05 after Holm" in said
    )
    assert "Marked: a bit." in said


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"data": "d2"}, "other data"),
        ({"data": None}, "other data"),
        ({"split": {"fraction": 0.2}}, "another split"),
        ({"dataset": {"use": "colored_digits", "root": "x"}}, "another data set"),
    ],
)
def test_runs_on_other_data_are_no_pairs(make, other, reason):
    found = runs({"none": (0.2, 0.5, 0.8)}) + runs({"other": (0.21, 0.511, 0.812)}, **other)
    made = make(PAIRED, found)
    assert set(signs(made).values()) == {""}
    assert f"No pairs with none, so not tested: {reason} (other)." in notes(made)


def test_runs_of_other_seeds_are_no_pairs(make):
    made = make(PAIRED, runs({"none": (0.2, 0.5, 0.8), "fewer": (0.21, 0.511)}))
    assert "No pairs with none, so not tested: other seeds (fewer)." in notes(made)
    delta = make(PAIRED + 'show = "delta"', runs({"none": (0.2, 0.5, 0.8), "fewer": (0.21, 0.511)}))
    assert texts(delta)["fewer"] == "−14.0"


def test_nothing_is_tested_under_three_pairs_or_when_nobody_asks(make):
    two = runs({"none": (0.2, 0.5), "better": (0.8, 0.9)})
    assert "No tests against none: fewer than 3 pairs" in notes(make(PAIRED, two))
    made = make(PAIRED.replace("paired", "none"))
    assert set(signs(made).values()) == {""}
    assert "t-test" not in notes(made)
    assert "against" not in notes(made)


# ---------------------------------------------------------------- numbers and footnotes


def test_json_has_what_is_shown_in_full_precision(make):
    made = make(DELTA.replace("baseline", 'mean_rank = true\ntest = "paired"\nbaseline'))
    table = json.loads(numbers.as_json(made))["tables"][0]
    assert (table["test"], table["mean_rank_over"]) == ("paired", ["test"])
    shown = table["columns"][0]
    assert (shown["show"], shown["aggregate"], shown["groups"]) == ("delta", "mean_std", [])
    good = table["rows"][0]
    differences = np.subtract(NUMBERS["good"], NUMBERS["none"])
    assert good["cells"][0]["shown"]["centre"] == pytest.approx(differences.mean(), rel=1e-12)
    assert good["cells"][0]["shown"]["std"] == pytest.approx(differences.std(ddof=1), rel=1e-12)
    assert (good["cells"][0]["place"], good["mean_rank"]) == (1, 1.0)


def test_a_footnote_counts_the_runs_and_names_their_specs(make):
    found = runs({"none": (0.5, 0.6)})
    hashes = ", ".join(run.identity["spec_hash"][:8] for run in found)
    assert f"From 2 runs; their spec hashes: {hashes}." in notes(make(HEAD + COLUMN, found))
