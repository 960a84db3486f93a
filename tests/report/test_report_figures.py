from __future__ import annotations

import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from fake_runs import FUSED, rows_of, write_run
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection

from mmspec.report.definition import RowsBy
from mmspec.report.figures import Bars, Curves
from mmspec.report.figures.curves import average, spread_out
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import COLOURS, as_files, drawing, looks

#: Draws a figure, and prints which of two modules of matplotlib that has loaded.
DRAW = """
import sys
from pathlib import Path
from mmspec.report.definition import RowsBy
from mmspec.report.figures import Bars
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import as_files, drawing, looks
groups = group(RowsBy(by="variant"), read_runs(Path(sys.argv[1]), ["*"]))
figure = Bars(values=("test/accuracy",))
with drawing(figure.size(groups)) as canvas:
    list(figure.draw(groups, canvas.add_subplot(), looks(groups)))
    as_files(canvas)
print([name for name in ("matplotlib.figure", "matplotlib.pyplot") if name in sys.modules])
"""


@pytest.fixture
def groups(demo):
    return group(RowsBy(by="variant"), read_runs(demo, ["*"]))


def drawn(figure, groups):
    with drawing(figure.size(groups)) as canvas:
        axes = canvas.add_subplot()
        remarks = list(figure.draw(groups, axes, looks(groups)))
        return axes, remarks, as_files(canvas)


def test_a_curve_is_the_mean_over_seeds_at_each_step(groups):
    (tracked,) = {name for row in rows_of("guided", 0) for name in row["values"]} - {"train/loss"}
    curve = average([t[tracked] for t in Curves(value=tracked)._tracks(groups["guided"])], "std")
    tracks = [[row["values"]["train/d_speed"] for row in rows_of("guided", seed)] for seed in (0, 1, 2)]
    np.testing.assert_allclose(curve.mean, np.mean(tracks, axis=0))
    np.testing.assert_allclose(curve.high - curve.mean, np.std(tracks, axis=0, ddof=1))
    assert curve.x.tolist() == list(range(10, 421, 10))


def test_a_curve_takes_only_steps_that_all_seeds_have(runs):
    for seed, steps in enumerate(([1, 2, 3], [2, 3, 4])):
        rows = [
            {
                "kind": "step",
                "stage": "train",
                "step": s,
                "epoch": 1,
                "values": {"x": s if s < 3 else math.nan},
            }
            for s in steps
        ]
        write_run(runs, {"variant": "a"}, seed, {}, rows=rows)
    tracks = Curves(value="x")._tracks(read_runs(runs, ["*"]).runs)
    curve = average([track["x"] for track in tracks], "range")
    assert curve.x.tolist() == [2]


def test_curves_draw_each_row_once_and_say_what_they_leave_out(groups):
    axes, remarks, _ = drawn(Curves(value="train/d_speed"), groups)
    assert sum(len(line.get_xdata()) == 42 for line in axes.lines) == len(FUSED)
    assert sorted(text.get_text() for text in axes.texts) == sorted(FUSED)
    assert remarks[1] == "Not drawn, without train/d_speed: uni-modal color, uni-modal grey."


def test_curves_stand_in_columns_over_the_same_steps(groups):
    figure = Curves(values=("train/d_speed", "train/loss", "x"), columns=2)
    with drawing(figure.size(groups)) as canvas:
        list(figure.draw(groups, canvas.add_subplot(), looks(groups)))
        canvas.draw_without_rendering()
        boxes = [axes.get_position() for axes in canvas.axes]
        shown = [axes.get_xlabel() for axes in canvas.axes]
    assert len(boxes) == 3
    assert boxes[0].y0 == pytest.approx(boxes[1].y0)
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[2].y1 < boxes[0].y0
    assert boxes[2].x0 == pytest.approx(boxes[0].x0)
    assert shown == ["", "optimizer steps", "optimizer steps"]


def test_labels_of_curves_keep_apart(groups):
    axes, _, _ = drawn(Curves(value="train/d_speed"), dict.fromkeys(FUSED, groups["none"]))
    places = sorted(text.xyann[1] for text in axes.texts)
    assert min(np.diff(places)) > 0.05


def test_bars_are_means_with_whiskers_and_a_point_for_each_seed(groups):
    values = ("test/u(color|grey)", "test/u(grey|color)")
    axes, remarks, _ = drawn(Bars(values=values, labels=("first",)), groups)
    heights = [bar.get_height() for bar in axes.patches]
    expected = [np.mean([run.values[v] for run in groups[name]]) for v in values for name in sorted(FUSED)]
    np.testing.assert_allclose(heights, expected)
    points = [made.get_offsets() for made in axes.collections if isinstance(made, PathCollection)]
    assert sum(map(len, points)) == 24
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["first", values[1]]
    assert "uni-modal grey" in remarks[1]


def test_figures_without_any_data_are_empty_and_say_so(groups):
    for figure in (Curves(value="x"), Bars(values=("x",))):
        _, remarks, files = drawn(figure, groups)
        assert remarks[0].startswith("Not drawn, without x: guided")
        ElementTree.fromstring(files["svg"])


def test_the_same_drawing_gives_the_same_bytes(groups):
    figure = Curves(value="train/d_speed")
    assert drawn(figure, groups)[2] == drawn(figure, groups)[2]


def test_pictures_have_their_size_in_print_and_no_date(groups):
    files = drawn(Curves(value="train/d_speed"), groups)[2]
    assert b'width="396pt" height="216pt"' in files["svg"]
    assert b"dc:date" not in files["svg"]
    width, height = (int.from_bytes(files["png"][at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1650, 900)


def test_labels_can_say_anything(groups):
    names = ["$\\frac$", "_x", "漢字", "a\nb", "<b>&"]
    odd = dict(zip(names, groups.values(), strict=False))
    for figure in (
        Curves(value="train/d_speed", y_label="$"),
        Bars(values=("test/accuracy",), labels=("_$",)),
    ):
        ElementTree.fromstring(drawn(figure, odd)[2]["svg"])


def test_looks_differ_in_more_than_colour():
    shown = looks(map(str, range(20)))
    assert len({str(look) for look in shown.values()}) == 20
    assert len(set(COLOURS)) == 7


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=8), st.floats(0.01, 0.3))
def test_labels_are_spread_out_in_order(wanted, gap):
    named = {str(index): place for index, place in enumerate(wanted)}
    places = spread_out(named, gap)
    order = sorted(named, key=lambda name: named[name])
    steps = np.diff([places[name] for name in order])
    assert np.all(steps >= gap - 1e-9)
    assert np.mean(list(places.values())) == pytest.approx(np.mean(wanted), abs=1e-6)


def test_drawing_touches_no_state_of_others(groups):
    import matplotlib as mpl

    before = mpl.rcParams.copy()
    drawn(Bars(values=("test/accuracy",)), groups)
    assert mpl.rcParams.copy() == before


def test_drawing_loads_no_pyplot(demo):
    """pyplot picks a backend for the whole process. A process of its own: other tests may import it."""
    command = [sys.executable, "-c", DRAW, str(demo)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout == "['matplotlib.figure']\n"


def test_reports_without_figures_load_no_matplotlib():
    code = "import sys, mmspec.report; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rows_of_fewer_seeds_are_told(groups):
    fewer = {**groups, "none": groups["none"][:2]}
    for figure in (Curves(value="train/d_speed"), Bars(values=("test/d_util",))):
        assert drawn(figure, fewer)[1][-1] == "From fewer than 3 seeds: none (2)."
