"""Figures of many rows: horizontal and sorted bars, names at the points of a scatter."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from fake_runs import write_run
from matplotlib.collections import PathCollection
from matplotlib.text import Text

from mmspec.report.definition import RowsBy
from mmspec.report.figures import Bars, Scatter
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import COLOURS, drawing, looks

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


# ---------------------------------------------------------------- scatter


def labelled(**more):
    return Scatter(x="gain", y="svm", labels=True, **more)


def boxes(axes):
    """Where each name stands, in pixels (without the line to its point)."""
    return {text.get_text(): Text.get_window_extent(text) for text in axes.texts}


def markers(axes):
    """The middle of each mark, in pixels."""
    lines = [line for line in axes.lines if line.get_linestyle() == "None"]
    return np.concatenate([axes.transData.transform(line.get_xydata()) for line in lines])


def ends_of_leads(axes):
    """Where the lines from names begin and end, in pixels."""
    leads = [line for line in axes.lines if line.get_linewidth() == 0.5]
    return [axes.transData.transform(line.get_xydata()) for line in leads]


def away(box, point):
    """How far a point is from a box."""
    return np.hypot(*(np.clip(point, box.min, box.max) - point))


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("names", ["net", LONG[:26]])
def test_twenty_names_overlap_nothing_and_stand_inside_the_axes(teachers, names, seeds):
    axes, _ = drawn(labelled(means=seeds > 1), teachers(20, seeds, names=names))
    found, frame = boxes(axes), axes.get_window_extent()
    assert len(found) == 20
    assert axes.get_legend() is None
    assert not [pair for pair in itertools.combinations(found.values(), 2) if pair[0].overlaps(pair[1])]
    for box in found.values():
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
    if seeds == 1:
        assert not [1 for box in found.values() for point in markers(axes) if box.contains(*point)]
    assert not any(text.get_parse_math() for text in axes.texts)


def test_each_name_is_at_the_mean_of_its_runs_or_a_line_leads_there(teachers):
    groups = teachers(20, 3, names="network")
    axes, remarks = drawn(labelled(), groups)
    x, y = means_of(groups, "gain"), means_of(groups, "svm")
    leads, led = ends_of_leads(axes), 0
    for label, box in boxes(axes).items():
        point = axes.transData.transform((x[label], y[label]))
        mine = [lead for lead in leads if np.allclose(lead[1], point, atol=0.1)]
        if mine:
            led += 1
            assert away(box, mine[0][0]) < 1
        else:
            assert away(box, point) < 9 / 72 * axes.figure.dpi
    assert led == len(leads) < 15
    assert remarks == ["Points: single runs. Thick lines join the runs of a row at their mean."]


def test_names_of_one_place_are_told_apart_by_lines(teachers):
    same = {"svm": 0.5, "gain": 0.1}
    groups = teachers(9, names="the same", numbers=lambda *_: same)
    axes, _ = drawn(labelled(), groups)
    found = boxes(axes)
    assert not [pair for pair in itertools.combinations(found.values(), 2) if pair[0].overlaps(pair[1])]
    assert ends_of_leads(axes)


def test_many_rows_share_a_colour_and_a_size_few_keep_theirs(teachers):
    groups = teachers(20, names="row")
    few = dict(list(groups.items())[:3])
    sizes = {labelled().size(rows) for rows in (groups, few, {})}
    assert len(sizes) == 1
    assert Scatter(x="gain", y="svm").size(groups) != Scatter(x="gain", y="svm").size(few)
    for rows, colours in ((groups, {COLOURS[-1]}), (few, set(COLOURS[:3]))):
        axes, _ = drawn(labelled(), rows)
        assert {line.get_color() for line in axes.lines if line.get_linestyle() == "None"} == colours


def test_rows_without_numbers_have_no_name_in_the_scatter(teachers):
    found = [{"svm": 0.5, "gain": 0.1}, {"svm": float("nan"), "gain": 0.1}, {"svm": 0.4}]
    axes, remarks = drawn(labelled(), teachers(3, names="$x", numbers=lambda row, _: found[row]))
    assert list(boxes(axes)) == ["$x 00"]
    assert remarks[1] == "Not drawn, without gain and svm: $x 01, $x 02."
