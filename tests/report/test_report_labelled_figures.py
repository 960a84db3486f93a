"""Figures of many rows: horizontal and sorted bars."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from fake_runs import write_run
from matplotlib.collections import PathCollection

from mmspec.report.definition import RowsBy
from mmspec.report.figures import Bars
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import drawing, looks

LONG = "a teacher with a long name, number"


def drawn(figure, groups):
    """The figure with its layout made; its axes and remarks."""
    with drawing(figure.size(groups)) as canvas:
        axes = canvas.add_subplot()
        remarks = list(figure.draw(groups, axes, looks(groups)))
        canvas.draw_without_rendering()
    return axes, remarks


@pytest.fixture
def teachers(runs):
    """Makes rows of runs: their accuracies and gains spread as those of networks, or as `numbers` says."""

    def make(rows, seeds=1, names=LONG, numbers=None):
        for row in range(rows):
            draw = random.Random(row)
            centre = draw.gauss(0.8, 0.08), draw.gauss(0.02, 0.06)
            for seed in range(seeds):
                values = {"svm": centre[0] + draw.gauss(0, 0.01), "gain": centre[1] + draw.gauss(0, 0.015)}
                write_run(
                    runs, {"variant": f"{names} {row:02}"}, seed, numbers(row, seed) if numbers else values
                )
        return group(RowsBy(by="variant"), read_runs(runs, ["*"]))

    return make


def means_of(groups, value):
    return {label: np.mean([run.values[value] for run in runs]) for label, runs in groups.items()}


# ---------------------------------------------------------------- bars


@pytest.mark.parametrize("order", ["none", "ascending", "descending"])
def test_horizontal_bars_are_named_at_the_left_in_their_order(teachers, order):
    groups = teachers(20, 3)
    axes, remarks = drawn(Bars(values=("gain",), horizontal=True, sort=order, y_label="gain"), groups)
    means = means_of(groups, "gain")
    rows = list(groups)
    if order != "none":
        rows = sorted(rows, key=lambda label: means[label], reverse=order == "descending")
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == rows
    heights = [axes.transData.transform((0, tick))[1] for tick in axes.get_yticks()]
    assert heights == sorted(heights, reverse=True)  # the first is on top
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [means[row] for row in rows])
    np.testing.assert_allclose([bar.get_y() + bar.get_height() / 2 for bar in axes.patches], range(20))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gain", "")
    assert remarks == ["Bars: mean over seeds; whiskers: standard deviation; points: single seeds."]


def test_names_beside_twenty_bars_are_whole_apart_and_within_the_figure(teachers):
    groups = teachers(20)
    axes, _ = drawn(Bars(values=("gain",), horizontal=True), groups)
    boxes = [text.get_window_extent() for text in axes.get_yticklabels()]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(groups)
    assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    assert axes.get_window_extent().width > 0.4 * axes.figure.bbox.width
    one, many = (
        Bars(values=("gain",), horizontal=True).size(dict(list(groups.items())[:n])) for n in (1, 20)
    )
    assert one[0] == many[0]
    assert one[1] < 1.2 < 4 < many[1]


def test_whiskers_and_points_lie_along_horizontal_bars(teachers):
    groups = teachers(2, 3)
    axes, _ = drawn(Bars(values=("gain",), horizontal=True), groups)
    arms = [s for made in axes.collections if hasattr(made, "get_segments") for s in made.get_segments()]
    dots = [made.get_offsets() for made in axes.collections if isinstance(made, PathCollection)]
    for place, (arm, seeds, runs) in enumerate(zip(arms, dots, groups.values(), strict=True)):
        gains = [run.values["gain"] for run in runs]
        ends = np.mean(gains) + np.std(gains, ddof=1) * np.array([-1, 1])
        np.testing.assert_allclose(arm, [(ends[0], place), (ends[1], place)])
        np.testing.assert_allclose(seeds[:, 0], gains)
        assert np.all(np.abs(seeds[:, 1] - place) < 0.4)
    zeros = [line for line in axes.lines if set(np.ravel(line.get_xdata())) == {0}]
    assert len(zeros) == 1


def test_rows_are_sorted_by_the_first_value_and_those_without_it_are_last(teachers):
    found = [{"gain": 0.2}, {"other": 1.0}, {"gain": float("nan"), "other": 3.0}, {"gain": -0.1}, {}]
    groups = teachers(5, names="row", numbers=lambda row, _: found[row])
    for horizontal, axis in ((False, "x"), (True, "y")):
        for order, rows in (("ascending", [3, 0, 1, 2]), ("descending", [0, 3, 1, 2])):
            figure = Bars(values=("gain", "other"), sort=order, horizontal=horizontal)
            axes, remarks = drawn(figure, groups)
            names = [text.get_text() for text in getattr(axes, f"get_{axis}ticklabels")()]
            assert names == [f"row {row:02}" for row in rows]
            assert remarks[1] == "Not drawn, without gain and other: row 04."
