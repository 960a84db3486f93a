from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from fake_runs import FUSED, PAPER, write_demo, write_paper, write_run
from matplotlib.collections import PathCollection

from mmspec.errors import ReportError
from mmspec.report.definition import Row
from mmspec.report.figures import Points
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import as_files, drawing, looks

UTIL, SPEED = "test/d_util", "train/d_speed"


@pytest.fixture
def groups(runs):
    write_paper(runs)
    return grouped(runs)


def grouped(runs):
    rows = tuple(Row(label=variant, where={"variant": variant}) for variant in FUSED)
    return group(rows, read_runs(runs, ["*"]))


def drawn(figure, groups):
    with drawing(figure.size(groups)) as canvas:
        remarks = list(figure.draw(groups, canvas.add_subplot(), looks(groups)))
        files = as_files(canvas)
        return [axes for axes in canvas.axes if axes.get_visible()], remarks, files


def marks(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_marker() not in ("None", None, "|")]


def seeds(axes):
    return [x for made in axes.collections if isinstance(made, PathCollection) for x, _ in made.get_offsets()]


def test_each_dataset_and_value_has_a_panel_with_means_and_seeds(groups):
    panels, _, _ = drawn(Points(values=(UTIL, SPEED), panels="experiment"), groups)
    assert len(panels) == len(PAPER) * 2
    of = {
        (e, v): p
        for (e, v), p in zip([(e, v) for e in sorted(PAPER) for v in (UTIL, SPEED)], panels, strict=True)
    }
    for (experiment, value), axes in of.items():
        runs = {label: [r for r in found if r.experiment == experiment] for label, found in groups.items()}
        expected = [np.mean([run.values[value] for run in runs[label]]) for label in FUSED]
        np.testing.assert_allclose(marks(axes), expected)
        assert sorted(seeds(axes)) == sorted(run.values[value] for found in runs.values() for run in found)


def test_a_column_of_panels_has_one_scale_with_zero_in_it(groups):
    panels, _, _ = drawn(Points(values=(UTIL, SPEED), panels="experiment"), groups)
    for column in (panels[::2], panels[1::2]):
        assert len({axes.get_xlim() for axes in column}) == 1
        low, high = column[0].get_xlim()
        assert low < 0 < high
        assert [bool(axes.get_xlabel()) for axes in column] == [False, False, True]


def test_labels_of_rows_stand_once_and_names_of_panels_in_their_order(groups):
    names = {"nvgesture_scratch": "NV$_x$", "modelnet40": "MN"}
    figure = Points(values=(UTIL,), labels=("d_util, test",), panels="experiment", panel_labels=names)
    panels, _, _ = drawn(figure, groups)
    assert [axes.texts[0].get_text() for axes in panels] == ["NV$_x$", "MN", "nvgesture_pretrained"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == list(FUSED)
    assert panels[-1].get_xlabel() == "d_util, test"


def test_arrows_lead_from_the_reference_to_the_others(groups):
    panels, remarks, _ = drawn(Points(values=(UTIL,), panels="experiment", reference="none"), groups)
    means = marks(panels[0])
    arrows = [text for text in panels[0].texts if hasattr(text, "xyann")]
    assert [(a.xyann[0], a.xy[0]) for a in arrows] == [(means[0], mean) for mean in means[1:]]
    assert "Arrows: from the mean of none." in remarks


def test_without_panels_each_row_is_one_setting(runs):
    write_paper(runs)
    rows = tuple(Row(label=name, where={"experiment": name, "variant": "none"}) for name in PAPER)
    panels, remarks, _ = drawn(Points(values=(UTIL, SPEED)), group(rows, read_runs(runs, ["*"])))
    assert [len(marks(axes)) for axes in panels] == [3, 3]
    assert remarks == ["Marks: mean over n = 3 seeds and standard deviation (n − 1); circles: seeds."]


def test_what_is_not_drawn_is_told(runs):
    write_paper(runs, experiments=("modelnet40",), seeds=(0,))
    write_demo(runs, variants=FUSED)
    figure = Points(
        values=(UTIL, "test_iid/d_util", "x"),
        panels="experiment",
        panel_labels={"modelnet40": "MN", "y": "Y"},
    )
    panels, remarks, _ = drawn(figure, {**grouped(runs), "absent": ()})
    assert len(panels) == 3, "two of test, one of test_iid, none of x"
    assert "Without runs: Y; absent." in remarks
    assert "Not drawn, without test_iid/d_util: MN." in remarks
    assert "Not drawn, without x: MN; colored_digits." in remarks
    assert "From fewer than 3 seeds: none (MN); rubi (MN); random (MN); guided (MN)." in remarks


def test_unknown_names_are_refused(groups):
    with pytest.raises(ReportError, match='reference: there is no row "nonne"'):
        drawn(Points(values=(UTIL,), reference="nonne"), groups)
    with pytest.raises(ReportError, match='panels: no run has a label "experimnt"'):
        drawn(Points(values=(UTIL,), panels="experimnt"), groups)


def test_runs_that_differ_within_a_panel_are_refused(runs, render):
    write_paper(runs)
    text = """
mmspec = 1
title = "x"
runs = ["*"]
rows = { by = "variant" }
[[figures]]
use = "points"
title = "x"
values = ["test/d_util"]
"""
    with pytest.raises(ReportError, match="would average over runs that differ in experiment"):
        render(text)
    assert render(text + 'panels = "experiment"', formats=("svg",)).document.pictures
    write_run(runs, {"variant": "none", "lr": 1}, 0, {UTIL: 0.5}, experiment="modelnet40")
    with pytest.raises(ReportError, match="differ in lr"):
        render(text + 'panels = "experiment"')


def test_mistakes_of_a_drawing_are_told_with_the_figure(runs, render):
    write_demo(runs, variants=("none",))
    text = 'mmspec = 1\ntitle = "x"\nruns = ["*"]\nrows = { by = "variant" }\n'
    text += '[[figures]]\nuse = "points"\ntitle = "x"\nvalues = ["test/d_util"]\nreference = "nobody"\n'
    with pytest.raises(ReportError, match=r"report\.toml:5:"):
        render(text, formats=("png",))


def test_a_figure_without_any_run_is_empty(groups):
    empty = dict.fromkeys(groups, ())
    for figure in (Points(values=("x",)), Points(values=("x", "y"), panels="experiment", reference="none")):
        _, remarks, files = drawn(figure, empty)
        assert "Without runs: none; rubi; random; guided." in remarks
        ElementTree.fromstring(files["svg"])


def test_words_of_others_are_no_mathematics(groups):
    odd = dict(zip(("$\\frac$", "_x", "a\nb", "漢字"), groups.values(), strict=True))
    names = dict.fromkeys(PAPER, "$\\x")
    figure = Points(values=(UTIL,), labels=("$_",), panels="experiment", panel_labels=names)
    ElementTree.fromstring(drawn(figure, odd)[2]["svg"])
