"""Heat maps of arrays: what their cells show, where borders and names stand, and what is said of them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from fake_runs import write_run

from mmspec.plugins.api import LabelledArray
from mmspec.report.definition import Row
from mmspec.report.figures import HeatMap
from mmspec.report.figures.heat import Matrix
from mmspec.report.figures.matrices import coarse, together
from mmspec.report.runs.groups import group
from mmspec.report.runs.selection import read_runs
from mmspec.report.style import as_files, drawing, looks

CATEGORIES = ("Animals", "Cars", "Faces")


def matrix(seed, each=7, categories=CATEGORIES):
    names = tuple(f"{name} {number}" for name in categories for number in range(each))
    values = np.random.default_rng(seed).uniform(0.1, 0.9, (len(names), len(names)))
    np.fill_diagonal(values, 0)
    classes = tuple(name for name in categories for _ in range(each))
    return LabelledArray(values, ("object", "object"), (names,) * 2, (classes,) * 2)


def rows(root, arrays, seeds=(0,)):
    for name, of in arrays.items():
        for seed in seeds:
            write_run(root, {"variant": name}, seed, {}, arrays=of(seed))
    wanted = tuple(Row(label=name, where={"variant": name}) for name in arrays)
    return group(wanted, read_runs(root, ["*"]))


def drawn(figure, groups):
    with drawing(figure.size(groups)) as canvas:
        remarks = list(figure.draw(groups, canvas.add_subplot(), looks(groups)))
        files = as_files(canvas)
        return [axes for axes in canvas.axes if axes.get_visible()], remarks, files


def colours_of(axes):
    """The colours of a panel's cells, by the level that each path is drawn in: (cells, colour)."""
    strokes = axes.collections[0]
    return [
        (len(path.vertices) // 2, tuple(face))
        for path, face in zip(strokes.get_paths(), strokes.get_edgecolor(), strict=True)
    ]


def test_there_is_a_panel_for_each_row_on_one_scale_and_one_for_the_reference(runs):
    groups = rows(
        runs, {f"net {n}": lambda s, n=n: {"rdm/n": matrix(n), "rdm/it": matrix(99)} for n in range(6)}
    )
    panels, remarks, files = drawn(
        HeatMap(values=("rdm/n",), reference="rdm/it", reference_label="IT"), groups
    )
    assert [axes.get_title() for axes in panels[:-1]] == ["IT", *groups]
    assert remarks[0] == "Cells: object by object."
    every = [matrix(n).values for n in (*range(6), 99)]
    low, high = panels[-1].get_ylim()
    assert (low, high) == pytest.approx((np.min(every), np.max(every)))
    assert b"<image" not in files["svg"]
    ElementTree.fromstring(files["svg"])


def test_cells_are_means_over_seeds(runs):
    groups = rows(runs, {"a": lambda seed: {"rdm/n": matrix(seed)}}, seeds=(0, 1, 2))
    panels, remarks, _ = drawn(HeatMap(values=("rdm/n",)), groups)
    mean = np.mean([matrix(seed).values for seed in (0, 1, 2)], axis=0)
    assert panels[-1].get_ylim()[1] == pytest.approx(mean.max())
    assert remarks[0] == "Cells: object by object, mean over seeds (n = 3)."


def test_several_values_stand_side_by_side_and_gaps_are_told(runs):
    def both(seed):
        return {"before/rdm": matrix(seed), "after/rdm": matrix(seed + 5)}

    groups = rows(runs, {"a": both, "b": lambda seed: {"before/rdm": matrix(seed)}})
    panels, remarks, _ = drawn(
        HeatMap(values=("before/rdm", "after/rdm"), labels=("before", "after")), groups
    )
    assert [axes.get_title() for axes in panels[:4]] == ["before", "after", "", ""]
    assert [axes.get_ylabel() for axes in panels[:4]] == ["a", "", "b", ""]
    assert [text.get_text() for text in panels[3].texts] == ["–"]
    assert remarks[-1] == "Not drawn, without after/rdm: b."


def test_classes_are_named_and_have_borders_where_entries_have_no_room(runs):
    groups = rows(runs, {f"{n}": lambda s, n=n: {"x/rdm": matrix(n)} for n in range(5)})
    panels, remarks, _ = drawn(HeatMap(values=("x/rdm",), columns=5), groups)
    assert [text.get_text() for text in panels[0].get_yticklabels()] == list(CATEGORIES)
    assert list(panels[0].get_yticks()) == [3, 10, 17]
    borders = {line.get_ydata()[0] for line in panels[0].lines if line.get_ydata()[0] == line.get_ydata()[1]}
    assert {6.5, 13.5} <= borders
    assert "Lines are borders between classes; names are those of the classes." in remarks


def test_entries_of_a_class_are_put_together():
    values = np.arange(16.0).reshape(4, 4)
    entries, classes = (("a1", "b1", "a2", "b2"),) * 2, (("a", "b", "a", "b"),) * 2
    found = together(Matrix(values, ("o", "o"), entries, classes, 1))
    assert found.entries[0] == ("a1", "a2", "b1", "b2")
    assert found.moved
    np.testing.assert_array_equal(found.values, values[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])])
    alone = together(Matrix(values, ("o", "o"), entries, entries, 1))
    assert (alone.classes, alone.moved) == ((), False)


def test_large_matrices_are_means_of_blocks():
    values = np.arange(25.0).reshape(5, 5)
    values[0, 0] = np.nan
    names = (tuple("abcde"),) * 2
    found = coarse(Matrix(values, ("o", "o"), names, (), 1), 3)
    assert found.values[0, 0] == np.mean([1, 5, 6])
    assert found.values[2, 2] == 24
    assert (found.entries[0], found.block) == (("a", "c", "e"), 2)
    assert coarse(found, 3) is found


def test_cells_without_numbers_are_crossed_out_and_those_beyond_the_scale_are_told(runs):
    def holey(seed):
        array = matrix(seed, each=2)
        array.values[1, 2] = np.nan
        array.values[0, 5] = 7.0
        return {"x/rdm": array}

    groups = rows(runs, {"a": holey})
    panels, remarks, _ = drawn(HeatMap(values=("x/rdm",), low=0, high=1, diagonal=False), groups)
    assert "1 cells are above the scale, and have the colour of its end." in remarks
    assert remarks[-1] == "Crossed out: 1 cells without a number."
    assert sum(count for count, _ in colours_of(panels[0])) <= 36 - 6 - 1
    assert len(panels[0].collections[1].get_paths()[0].vertices) == 4, "one cross"


def test_a_reference_that_differs_and_entries_that_differ_are_told(runs):
    def of(seed):
        each = matrix(seed) if seed < 2 else matrix(seed, categories=("Animals", "Cars", "Tables"))
        return {"x/rdm": each, "x/it": matrix(seed)}

    groups = rows(runs, {"a": of}, seeds=(0, 1, 2))
    _, remarks, _ = drawn(HeatMap(values=("x/rdm",), reference="x/it"), groups)
    assert "Runs whose entries differ from those of the first seed are left out: a (1)." in remarks
    assert remarks[-1] == "x/it is drawn of the first run; it is another in runs of: a."
    _, remarks, _ = drawn(HeatMap(values=("x/rdm",), reference="x/no"), groups)
    assert remarks[-1] == "Not drawn: no run holds x/no."


def test_without_arrays_a_picture_says_so(runs):
    groups = rows(runs, {"a": lambda seed: {"x/v": LabelledArray(np.zeros(2), ("o",), (("a", "b"),))}})
    panels, remarks, _ = drawn(HeatMap(values=("x/v",)), groups)
    assert panels[0].texts[0].get_text().startswith("no run of these rows holds")
    assert remarks == ["Not drawn, without x/v: a."]


def test_options_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="low must be below high"):
        HeatMap(values=("a",), low=1, high=0)
    with pytest.raises(ValueError, match="for a single value"):
        HeatMap(values=("a", "b"), reference="c")
