from __future__ import annotations

import math

import numpy as np
import pytest
from fake_runs import SMALL, write_run
from hypothesis import given
from hypothesis import strategies as st

from mmspec.errors import ReportError
from mmspec.report.definition import Column
from mmspec.report.tables.statistics import summarise
from mmspec.report.tables.table import Cell


def fill(runs, numbers, metric="test/accuracy"):
    for variant, values in numbers.items():
        for seed, value in enumerate(values):
            write_run(runs, {"variant": variant}, seed, {metric: value}, balancing={"use": variant})


def column(report, index=0):
    table = report.document.tables[0].table
    return {label: row[index] for label, row in table.cells.items()}


def test_cells_are_numpys_mean_and_deviation(demo, render):
    for label, cell in column(render(SMALL)).items():
        values = [run.values["test/accuracy"] for run, _ in cell.taken]
        assert cell.mean == f"{100 * np.mean(values):.1f}", label
        assert cell.std == f"{100 * np.std(values, ddof=1):.1f}"
        assert [run.seed for run, _ in cell.taken] == [0, 1, 2]


def test_the_best_is_ranked_as_rounded_so_ties_share_it(runs, render):
    fill(runs, {"none": [0.9501, 0.9501], "b": [0.9502, 0.9502], "c": [0.9, 0.9]})
    cells = column(render(SMALL))
    assert [label for label, cell in cells.items() if cell.is_best] == ["b", "none"]
    assert cells["c"].rank == 2


def test_a_smaller_number_can_be_better_and_none_need_be(runs, render):
    fill(runs, {"none": [0.9], "b": [0.1]})
    assert column(render(SMALL.replace('"max"', '"min"')))["b"].is_best
    assert not any(cell.is_best for cell in column(render(SMALL.replace('"max"', '"none"'))).values())


def test_rows_that_differ_from_the_baseline_are_marked(runs, render):
    fill(runs, {"none": [0.50, 0.51, 0.52], "far": [0.90, 0.91, 0.92], "near": [0.50, 0.53, 0.51]})
    cells = column(render(SMALL))
    assert [label for label, cell in cells.items() if cell.differs] == ["far"]
    assert cells["none"].p is None


def test_nothing_is_marked_under_three_seeds(runs, render):
    fill(runs, {"none": [0.50, 0.51], "far": [0.90, 0.91]})
    report = render(SMALL)
    assert not report.document.tables[0].table.is_tested


def test_a_cell_with_fewer_seeds_says_so(runs, render):
    fill(runs, {"none": [0.5, 0.6, 0.7], "b": [0.5, 0.6], "c": [0.5]})
    cells = column(render(SMALL))
    assert [cell.remark for cell in cells.values()] == ["n=2", "n=1", ""]
    assert cells["c"].std is None


def test_a_number_that_is_not_finite_is_told_and_neither_ranked_nor_tested(runs, render):
    fill(runs, {"none": [0.5, 0.6, 0.7], "b": [0.9, math.nan, 0.95], "c": [math.inf] * 3})
    cells = column(render(SMALL))
    assert cells["b"].remark == "n=2, 1 NaN"
    assert cells["b"].rank is None
    assert cells["b"].p is None
    assert cells["c"].mean is None


def test_a_value_that_is_no_number_is_missing(runs, render):
    fill(runs, {"none": [0.5, None, "x", True]})
    assert column(render(SMALL))["none"].values == (0.5,)


def test_rows_can_be_ordered_renamed_and_empty(demo, render):
    rows = 'rows = { by = "variant", order = ["guided", "absent"], labels = { guided = "ours" } }'
    table = render(SMALL.replace('rows = { by = "variant" }', rows)).document.tables[0].table
    assert list(table.cells) == [
        "ours", "absent", "none", "random", "rubi", "uni-modal color", "uni-modal grey"
    ]  # fmt: skip
    assert table.cells["absent"][0].mean is None


def test_rows_can_be_said_one_by_one_and_columns_narrowed(runs, render):
    for experiment, value in (("one", 0.25), ("two", 0.75)):
        write_run(runs, {"variant": "none"}, 0, {"test/accuracy": value}, experiment=experiment)
    text = SMALL.replace('"colored_digits"', '"*"').replace(
        'rows = { by = "variant" }', '[[rows]]\nlabel = "plain"\nwhere = { variant = "none" }\n'
    )
    text = text.replace('baseline = "none"', "") + 'where = { experiment = "two" }'
    assert column(render(text))["plain"].mean == "75.0"


def test_a_cell_never_averages_over_different_settings(runs, render):
    for alpha in (0.1, 0.2):
        write_run(runs, {"variant": "none", "balancing.alpha": alpha}, 0, {"test/accuracy": 0.5})
    with pytest.raises(ReportError) as error:
        render(SMALL)
    assert "would average over runs that differ in balancing.alpha (0.1, 0.2)" in str(error.value)
    assert ":7:" in str(error.value)


def test_numbers_sort_before_words(runs, render):
    for alpha in (10, 9.5, 0.1):
        write_run(runs, {"alpha": alpha}, 0, {"test/accuracy": 0.5})
    text = SMALL.replace('"variant"', '"alpha"').replace('baseline = "none"', "")
    assert list(column(render(text))) == ["0.1", "9.5", "10"]


@given(st.floats(-1e300, 1e300), st.integers(0, 6), st.sampled_from(["number", "percent"]))
def test_any_number_can_be_shown(value, digits, unit):
    made = Column(label="x", value="x", digits=digits, unit=unit)
    text = Cell(made, (), (), summarise([])).format(value)
    assert text == "NaN" or float(text) == pytest.approx(value * made.factor, rel=1e-2, abs=10.0**-digits)
