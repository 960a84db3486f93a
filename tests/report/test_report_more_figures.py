"""Scatter, paired lines, confusion matrices, and what all figures have in common."""

from __future__ import annotations

import io
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from fake_runs import FUSED, confusion_of, rows_of, values_of, write_run
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import pearsonr, spearmanr
from test_report_formats import HOSTILE

from mmspec.errors import ReportError
from mmspec.plugins.api import LabelledArray
from mmspec.report.definition import RowsBy
from mmspec.report.figures import Bars, Confusion, Curves, Paired, Points, Scatter
from mmspec.report.figures.confusion import matrix_of, shares
from mmspec.report.figures.curves import average, smoothed
from mmspec.report.figures.heat import colours
from mmspec.report.figures.scatter import correlations
from mmspec.report.figures.shared import short, short_names, wrapped
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import COLOURS, HATCHES, as_files, drawing, looks

UTIL = ("test/u(color|grey)", "test/u(grey|color)")
EVERY = [
    Curves(value="train/d_speed", y_label="$d_speed$"),
    Curves(values=("train/d_speed", "train/loss"), labels=("$",), scale="log", smooth=3, band="range"),
    Bars(values=UTIL, labels=("_$", "<b>"), y_label="%"),
    Bars(values=UTIL, labels=("_$", "<b>"), y_label="%", horizontal=True, sort="descending"),
    Points(values=("test/d_util", "train/d_speed"), labels=("$x",)),
    Scatter(x="test/d_util", y="test/accuracy", x_label="$_x", means=True, correlation=True),
    Scatter(x="test/d_util", y="test/accuracy", x_label="$_x", labels=True),
    Paired(values=("test/accuracy",), y_label="a_b"),
    Paired(values=UTIL, labels=("$1", "$2")),
    Confusion(),
    Confusion(show="count", seeds="sum", columns=1),
]
each_figure = pytest.mark.parametrize("figure", EVERY, ids=lambda figure: type(figure).__name__)


@pytest.fixture
def groups(demo):
    return group(RowsBy(by="variant"), read_runs(demo, ["*"]))


def drawn(figure, groups):
    with drawing(figure.size(groups)) as canvas:
        remarks = list(figure.draw(groups, canvas.add_subplot(), looks(groups)))
        files = as_files(canvas)
        return [axes for axes in canvas.axes if axes.get_visible()], remarks, files


def points(axes):
    """The coordinates of what is drawn as markers without lines."""
    return [
        (float(x), float(y))
        for line in axes.lines
        if line.get_linestyle() == "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


# ---------------------------------------------------------------- scatter


def test_scatter_has_a_point_for_each_run_that_has_both(groups):
    (axes,), remarks, _ = drawn(Scatter(x="test/d_util", y="test/accuracy"), groups)
    runs = [run for name in sorted(FUSED) for run in groups[name]]
    expected = [(run.values["test/d_util"], run.values["test/accuracy"]) for run in runs]
    np.testing.assert_allclose(sorted(points(axes)), sorted(expected))
    assert remarks[-1].startswith("Not drawn, without test/d_util and test/accuracy: uni-modal color, ")


def test_correlations_are_those_of_scipy(groups):
    figure = Scatter(x="test/d_util", y="test/accuracy", correlation=True)
    _, remarks, _ = drawn(figure, groups)
    runs = [run for name in FUSED for run in groups[name]]
    x, y = ([run.values[name] for run in runs] for name in ("test/d_util", "test/accuracy"))
    said = f"Pearson's r = {pearsonr(x, y).statistic:.2f}, Spearman's ρ = {spearmanr(x, y).statistic:.2f}"
    assert remarks[1] == f"Over 12 runs: {said} (n = 12).".replace("-", "−")
    assert remarks[2].startswith("Over the means of 4 rows: Pearson's r = ")
    assert correlations([(1, 2), (2, 3)]) == "too few for a correlation"
    assert "does not vary" in correlations([(1, 2), (1, 3), (1, 4)])


def test_crosses_are_means_with_standard_deviations(groups):
    only = {"guided": groups["guided"]}
    (axes,), _, _ = drawn(Scatter(x="test/d_util", y="test/accuracy", means=True), only)
    arms = [s for made in axes.collections if hasattr(made, "get_segments") for s in made.get_segments()]
    x, y = ([run.values[name] for run in only["guided"]] for name in ("test/d_util", "test/accuracy"))
    across, upwards = sorted(arms, key=lambda arm: np.ptp(arm[:, 1]))
    np.testing.assert_allclose(across[:, 0], [np.mean(x) - np.std(x, ddof=1), np.mean(x) + np.std(x, ddof=1)])
    np.testing.assert_allclose(
        upwards[:, 1], [np.mean(y) - np.std(y, ddof=1), np.mean(y) + np.std(y, ddof=1)]
    )


# ---------------------------------------------------------------- paired


def test_lines_join_the_same_seed_across_rows_and_differences_are_said(groups):
    rows = {name: groups[name] for name in ("none", "guided")}
    (axes,), remarks, _ = drawn(Paired(values=("test/accuracy",)), rows)
    values = {name: {run.seed: run.values["test/accuracy"] for run in runs} for name, runs in rows.items()}
    lines = [tuple(line.get_ydata()) for line in axes.lines if tuple(line.get_xdata()) == (0, 1)]
    assert sorted(lines) == sorted((values["none"][seed], values["guided"][seed]) for seed in (0, 1, 2))
    found = [values["guided"][seed] - values["none"][seed] for seed in (0, 1, 2)]
    expected = (
        f"guided − none: {np.mean(found):.3g} ± {np.std(found, ddof=1):.3g} (n = 3 pairs, 3 above zero)."
    )
    assert remarks == ["Lines join runs of the same seed; bars are means.", expected]


def test_a_seed_without_partner_has_a_point_and_no_pair(groups):
    rows = {"none": groups["none"][:2], "guided": groups["guided"]}
    (axes,), remarks, _ = drawn(Paired(values=("test/accuracy",), reference="guided"), rows)
    assert len([line for line in axes.lines if tuple(line.get_xdata()) == (0, 1)]) == 2
    assert len(points(axes)) == 5
    assert "none − guided: −" in remarks[1]
    assert "n = 2 pairs, 0 above zero" in remarks[1]
    assert remarks[2] == "From fewer than 3 seeds: none (2)."


def test_several_values_have_a_panel_for_each_row_on_one_scale(groups):
    panels, remarks, _ = drawn(Paired(values=UTIL, labels=("first", "second")), groups)
    assert [panel.get_title() for panel in panels] == sorted(FUSED)
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert sum(" second − first: " in remark for remark in remarks) == 4
    with pytest.raises(ReportError, match="there is no value"):
        drawn(Paired(values=UTIL, reference="none"), groups)
    with pytest.raises(ReportError, match="there is no row"):
        drawn(Paired(values=("test/accuracy",), reference="nobody"), groups)


# ---------------------------------------------------------------- confusion


def test_shares_are_means_over_seeds_and_sums_are_of_counts(groups):
    counts = [confusion_of("guided", seed).values for seed in (0, 1, 2)]
    runs, each = groups["guided"], [100 * c / c.sum(1, keepdims=True) for c in counts]
    matrix = matrix_of(runs, "test/confusion", "share", "mean")
    np.testing.assert_allclose(matrix.values, np.mean(each, axis=0))
    assert (matrix.entries[0], matrix.seeds) == (tuple("0123456789"), 3)
    total = np.sum(counts, axis=0)
    np.testing.assert_allclose(matrix_of(runs, "test/confusion", "count", "sum").values, total)
    np.testing.assert_allclose(
        matrix_of(runs, "test/confusion", "share", "sum").values, 100 * total / total.sum(1, keepdims=True)
    )
    assert matrix_of(runs, "val/confusion", "share", "mean") is None


def test_ten_classes_have_numbers_in_a_panel_for_each_row(groups):
    panels, remarks, _ = drawn(Confusion(), groups)
    assert len(panels) == len(groups) + 1  # and the scale
    for panel, (label, runs) in zip(panels, groups.items(), strict=False):
        values = matrix_of(runs, "test/confusion", "share", "mean").values
        said = {text.get_position(): text.get_text() for text in panel.texts}
        assert panel.get_title() == label
        assert said == {
            (c, r): f"{values[r, c]:.0f}" * bool(round(values[r, c])) for r, c in np.ndindex(10, 10)
        }
    assert remarks[0] == (
        "Cells: share of the true class in percent, mean over seeds (n = 3); "
        "those without a number round to 0."
    )


def test_forty_classes_have_names_and_no_numbers(runs):
    names = [f"class {index}" for index in range(40)]
    for variant in ("none", "guided"):
        write_run(
            runs, {"variant": variant}, 0, {}, arrays={"test/confusion": confusion_of(variant, 0, names)}
        )
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    panels, remarks, _ = drawn(Confusion(), groups)
    assert not panels[0].texts
    assert [label.get_text() for label in panels[0].get_yticklabels()] == names[::2]
    assert remarks[1] == "One in 2 of the classes is named; they stand in the order of the data."
    panels, remarks, _ = drawn(Confusion(), {"none": groups["none"]})
    assert [label.get_text() for label in panels[0].get_yticklabels()] == names
    assert remarks == ["Cells: share of the true class in percent."]


def test_classes_without_samples_are_crossed_out_and_named(runs):
    counts = np.array([[3, 1], [0, 0]])
    array = LabelledArray(counts, ("true class", "predicted class"), (("cat", "dog"),) * 2)
    write_run(runs, {"variant": "none"}, 0, {}, arrays={"test/confusion": array})
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    _, remarks, _ = drawn(Confusion(), groups)
    assert remarks[-1] == "Crossed out, without samples: dog."
    np.testing.assert_array_equal(shares(counts), [[75, 25], [np.nan, np.nan]])


def test_what_is_no_matrix_of_classes_is_not_drawn(runs):
    array = LabelledArray(np.zeros(2), ("class",), (("cat", "dog"),))
    write_run(runs, {"variant": "none"}, 0, {}, arrays={"test/confusion": array})
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    _, remarks, _ = drawn(Confusion(), groups)
    assert remarks == ["Not drawn, without test/confusion: none."]


# ---------------------------------------------------------------- curves


def test_smoothing_is_a_running_mean_and_is_said(groups):
    track = {1: 1.0, 2: 4.0, 5: 1.0, 6: 7.0}
    assert smoothed(track, 3) == pytest.approx({1: 2.5, 2: 2.0, 5: 4.0, 6: 4.0})
    assert smoothed(track, 1) == track
    assert smoothed({}, 3) == {}
    _, remarks, _ = drawn(Curves(value="train/d_speed", smooth=5), groups)
    assert remarks[0].endswith("Smoothed: of each seed, the mean of 5 neighbouring rows.")
    _, remarks, _ = drawn(Curves(value="train/d_speed"), groups)
    assert "mooth" not in " ".join(remarks)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(1, 9))
def test_smoothing_stays_within_the_values_and_keeps_constants(values, neighbours):
    track = dict(enumerate(values))
    found = smoothed(track, neighbours)
    assert found.keys() == track.keys()
    slack = 1e-9 * (1 + max(map(abs, values))) * len(values)
    assert min(values) - slack <= min(found.values()) <= max(found.values()) <= max(values) + slack


def test_several_values_have_panels_over_the_same_steps(groups):
    panels, _, _ = drawn(Curves(values=("train/loss", "train/d_speed"), labels=("loss",)), groups)
    assert [panel.get_ylabel() for panel in panels] == ["loss", "train/d_speed"]
    assert len({panel.get_xlim() for panel in panels}) == 1
    assert [panel.get_xlabel() for panel in panels] == ["", "optimizer steps"]
    for wrong in ({}, {"value": "x", "values": ("y",)}):
        with pytest.raises(ValueError, match="either value or values"):
            Curves(**wrong)


def test_a_logarithmic_scale_takes_what_is_above_zero(groups):
    (axes,), _, _ = drawn(Curves(value="train/d_speed", scale="log"), groups)
    assert axes.get_yscale() == "log"
    assert all(min(line.get_ydata()) > 0 for line in axes.lines if len(line.get_ydata()) > 1)
    (axes,), remarks, _ = drawn(Curves(value="train/below", scale="log"), groups)
    assert "above zero, which a logarithmic scale needs" in remarks[0]


def test_zero_is_in_a_picture_only_where_the_values_are_around_it(runs):
    rows = [
        {"kind": "epoch", "stage": "train", "step": e, "epoch": e, "values": {"val/accuracy": 0.9 + e / 100}}
        for e in range(1, 6)
    ]
    write_run(runs, {"variant": "a"}, 0, {}, rows=rows)
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    (axes,), _, _ = drawn(Curves(value="val/accuracy", per="epoch"), groups)
    assert axes.get_ylim()[0] > 0.85
    assert axes.get_xlabel() == "epochs"


def test_a_stage_is_drawn_alone(runs):
    def row(stage, step, value):
        return {"kind": "step", "stage": stage, "step": step, "epoch": 1, "values": {"train/loss": value}}

    folder = write_run(runs, {"variant": "a"}, 0, {}, rows=[row("first", 1, 9.0), row("train", 1, 1.0)])
    assert folder.exists()
    found = read_runs(runs, ["*"]).runs
    for stage, value in ((None, 1.0), ("first", 9.0)):
        (track,) = Curves(value="train/loss", stage=stage)._tracks(found)
        assert track == {"train/loss": {1: value}}


def test_no_line_has_more_points_than_it_can_show(runs):
    rows = [
        {"kind": "step", "stage": "train", "step": s, "epoch": 1, "values": {"train/loss": 1 / s}}
        for s in range(1, 5001)
    ]
    write_run(runs, {"variant": "a"}, 0, {}, rows=rows)
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    (axes,), _, files = drawn(Curves(value="train/loss", scale="log"), groups)
    x = axes.lines[0].get_xdata()
    assert len(x) <= 1001
    assert (x[0], x[-1]) == (1, 5000)
    assert len(files["svg"]) < 150_000


# ---------------------------------------------------------------- what all have in common


@pytest.fixture
def few(groups):
    """Enough rows for each figure to leave one out."""
    return {name: groups[name] for name in ("uni-modal grey", "none", "guided")}


@each_figure
def test_the_same_runs_give_the_same_bytes_whatever_their_order(few, figure):
    before = drawn(figure, few)[2]
    turned = {label: tuple(reversed(runs)) for label, runs in few.items()}
    assert drawn(figure, turned)[2] == before
    assert set(before) == {"svg", "png", "pgf"}


@each_figure
def test_names_are_shown_letter_by_letter(few, figure):
    names = ["$\\frac$ <script>x</script>", "]]>&amp;\u202e" + "a\nb" * 90, "\\input{x}"]
    odd = dict(zip(names, few.values(), strict=True))
    panels, _, files = drawn(figure, odd)
    assert all(not text.get_parse_math() for panel in panels for text in panel.texts)
    tree = ElementTree.fromstring(files["svg"])
    assert not [node for node in tree.iter() if node.tag.endswith("script")]
    assert b"\\input{x}" not in files["pgf"]
    assert b"\\frac" not in files["pgf"]


@each_figure
def test_without_data_a_picture_says_so(figure):
    for empty in ({}, dict.fromkeys(FUSED, ())):
        panels, _, files = drawn(figure, empty)
        said = [text.get_text() for panel in panels for text in panel.texts]
        assert any(text.startswith("no run of these rows holds\n") for text in said)
        ElementTree.fromstring(files["svg"])


@each_figure
def test_pictures_are_not_blank_and_hold_no_bitmap(few, figure):
    _, _, files = drawn(figure, few)
    picture = np.asarray(Image.open(io.BytesIO(files["png"])).convert("L"))
    assert 0.005 < (picture < 200).mean() < 0.6
    assert b"<image" not in files["svg"]
    assert b"pgfimage" not in files["pgf"]
    assert b"includegraphics" not in files["pgf"]


def test_twenty_rows_are_told_apart_by_colour_and_shape_and_in_grey(runs):
    shown = looks(map(str, range(56)))
    assert len({(look["color"], look["marker"]) for look in shown.values()}) == 56
    assert len({(look["marker"], look["fillstyle"]) for look in list(shown.values())[:16]}) == 16
    assert len(HATCHES) == len(set(HATCHES))
    grey = [np.asarray(Image.new("RGB", (1, 1), colour).convert("L")).item() for colour in COLOURS]
    assert max(grey) < 190  # no line vanishes on paper
    for number in range(20):
        name = f"strategy {number} " + "with a long name " * (number % 3 * 2)
        for seed in (0, 1):
            rows = rows_of("none", seed + 5 * number)
            write_run(runs, {"variant": name}, seed, values_of("guided", seed + 7 * number), rows=rows)
    groups = group(RowsBy(by="variant"), read_runs(runs, ["*"]))
    (axes,), _, _ = drawn(Curves(value="train/d_speed"), groups)
    assert len({text.get_text() for text in axes.texts}) == 20
    places = sorted(text.xyann[1] for text in axes.texts)
    assert -0.01 <= places[0] < places[-1] <= 1.01
    assert axes.get_window_extent().width > 0.4 * axes.figure.get_window_extent().width


def test_the_scale_of_matrices_darkens_evenly():
    scale = colours(0, 1)
    grey = [scale.to_rgba(value)[:3] @ np.array([0.299, 0.587, 0.114]) for value in np.linspace(0, 1, 30)]
    assert np.all(np.diff(grey) < 0)


@given(st.text(min_size=0, max_size=80), st.integers(6, 30), st.integers(1, 3))
def test_names_fit_where_they_stand(text, width, lines):
    found = wrapped(text, width, lines)
    assert len(found.split("\n")) <= lines
    assert all(len(line) <= width for line in found.split("\n"))
    assert len(short(text, width)) <= width


@given(st.lists(st.text(max_size=60), unique=True, max_size=6))
def test_shortened_names_stay_apart(labels):
    names = short_names(labels, 12)
    assert list(names) == labels
    assert len(set(names.values())) == len(labels)


def test_a_band_is_a_line_where_there_is_one_seed():
    curve = average([{1: 2.0, 3: 4.0}], "std")
    assert curve.low.tolist() == curve.high.tolist() == [2.0, 4.0]
    assert average([], "std") is None
    assert average([{1: 1.0}, {2: 1.0}], "std") is None


PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{pgf}
\begin{document}
%s
\end{document}
"""


def has_pgf():
    found = shutil.which("kpsewhich") and subprocess.run(
        ["kpsewhich", "pgf.sty"], capture_output=True, check=False
    )
    return bool(shutil.which("pdflatex") and found and found.returncode == 0)


@pytest.mark.slow
@pytest.mark.skipif(not has_pgf(), reason="needs pdflatex and its package pgf")
def test_pgf_compiles_as_it_is(groups, tmp_path):
    names = [name for name in HOSTILE if name != "\ud800"]
    inputs = []
    for number, figure in enumerate(EVERY):
        for turn in range(0, len(names), len(groups)):
            odd = dict(zip(names[turn:], groups.values(), strict=False))
            inputs.append(f"{number}-{turn}")
            (tmp_path / f"{inputs[-1]}.pgf").write_bytes(drawn(figure, odd)[2]["pgf"])
    pictures = "\n\n".join(rf"\noindent\input{{{name}.pgf}}\clearpage" for name in inputs)
    (tmp_path / "paper.tex").write_text(PAPER % pictures)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Missing character" not in done.stdout
