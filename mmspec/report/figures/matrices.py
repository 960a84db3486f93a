"""Arrays of runs as matrices, and these side by side: panels on one scale, with its colour bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from mmspec.plugins.api import LabelledArray, RecordedRun
from mmspec.report.figures.heat import Heat, Matrix
from mmspec.report.figures.shared import GREY, split, wrapped
from mmspec.report.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Inches: a page, what of it panels and the names beside them may take, and what lies between panels.
_PAGE, _WIDTH, _GAP = 5.5, 4.85, 0.1
#: Points of titles of few panels side by side, and of many.
_TITLE = (8.0, 6.5)


@attrs.frozen
class Panel:
    """A matrix below its title, None where there is none; `down` and `across` name the outermost axes."""

    matrix: Matrix | None
    title: str = ""
    down: str = ""
    across: str = ""


def fitted(heat: Heat, panels: Sequence[Panel], across: int) -> Heat:
    """The same with panels as wide as there is room for beside names and scale."""
    first = attrs.evolve(heat, side=_WIDTH / across)
    matrices = _there(panels)
    names = max((first.beside(matrix) for matrix in matrices), default=0.0)
    if any(panel.down for panel in panels):
        names += 0.3
    room = (_WIDTH - names * (1 if _alike(matrices) else across)) / across - _GAP
    return attrs.evolve(heat, side=min(4.0, max(room, 0.3)))


def grid_size(heat: Heat, panels: Sequence[Panel], across: int) -> tuple[float, float]:
    """Inches that a grid needs, as wide as a page."""
    matrices = _there(panels)
    below = max((heat.below(matrix) for matrix in matrices), default=0.2)
    high = max((heat.cell(m) * m.values.shape[0] for m in matrices), default=72) / 72
    lines = -(-len(panels) // across)
    between = below if not _alike(matrices) else 0.0
    titles = [_titled(panel, across, heat).count("\n") + 1 for panel in panels if panel.title]
    head = max(titles, default=0) * _TITLE[across > 3] * 1.3 / 72 + _GAP
    last = 0.2 if any(panel.across for panel in panels) else 0.0
    tops = lines if len({panel.title for panel in panels}) > across else 1
    return _PAGE, lines * (high + _GAP) + tops * head + below + (lines - 1) * between + last


def _there(panels: Sequence[Panel]) -> list[Matrix]:
    return [panel.matrix for panel in panels if panel.matrix is not None]


def _alike(matrices: Sequence[Matrix]) -> bool:
    return len({(matrix.entries, matrix.classes) for matrix in matrices}) == 1


def _titled(panel: Panel, across: int, heat: Heat) -> str:
    """The title in as many letters as the panel is wide."""
    return wrapped(panel.title, max(8, int(72 * heat.side / (0.56 * _TITLE[across > 3]))), 3)


def mean_matrix(
    runs: Sequence[RecordedRun],
    name: str,
    of: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    *,
    fits: Callable[[LabelledArray], bool],
) -> Matrix | None:
    """The mean over seeds of what `of` makes of the arrays that fit (seeds, R, C); None if there are none.

    It is of the runs whose array has the entries of the first seed's; the matrix says how many have others.
    """
    ordered = sorted(runs, key=lambda run: run.seed)
    found = [array for run in ordered if (array := run.array(name)) is not None and fits(array)]
    if not found:
        return None
    first = found[0]
    alike = [array for array in found if array.entries == first.entries]
    values = of(np.array([array.values for array in alike], dtype=float)).mean(axis=0)
    return Matrix(
        values, first.axes, first.entries, first.classes, seeds=len(alike), unlike=len(found) - len(alike)
    )


def together(matrix: Matrix) -> Matrix:
    """The same with the entries of each class side by side; without classes that all have one entry."""
    if all(len(set(classes)) == len(classes) for classes in matrix.classes):
        return attrs.evolve(matrix, classes=())
    order = []
    for classes in matrix.classes:
        rank = {name: index for index, name in enumerate(dict.fromkeys(classes))}
        order.append(sorted(range(len(classes)), key=lambda place: rank[classes[place]]))
    return attrs.evolve(
        matrix,
        values=matrix.values[np.ix_(*order)],
        entries=tuple(_at(named, places) for named, places in zip(matrix.entries, order, strict=True)),
        classes=tuple(_at(named, places) for named, places in zip(matrix.classes, order, strict=True)),
        moved=any(places != sorted(places) for places in order),
    )


def coarse(matrix: Matrix, most: int) -> Matrix:
    """The same with `most` entries along an axis at most: means of blocks, each named by its first entry."""
    block = -(-max(matrix.values.shape) // most)
    if block == 1:
        return matrix
    values, known = np.nan_to_num(matrix.values), np.isfinite(matrix.values).astype(float)
    for axis, length in enumerate(matrix.values.shape):
        starts = np.arange(0, length, block)
        values, known = (np.add.reduceat(part, starts, axis=axis) for part in (values, known))
    return attrs.evolve(
        matrix,
        values=np.divide(values, known, out=np.full(values.shape, np.nan), where=known > 0),
        entries=tuple(named[::block] for named in matrix.entries),
        classes=tuple(named[::block] for named in matrix.classes),
        block=block,
    )


def _at(named: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    return tuple(named[place] for place in places)


def draw_grid(axes: Axes, panels: Sequence[Panel], across: int, heat: Heat, scale_label: str) -> None:
    """Panels in place of `axes`, so many side by side, with the scale at the right.

    Entries are named at the left and below, and in every panel where they are not the same in all.
    """
    grid = split(axes, [1.0] * -(-len(panels) // across), across)
    places = [place for line in grid for place in line]
    everywhere = not _alike(_there(panels))
    for index, (place, panel) in enumerate(zip(places, panels, strict=False)):
        if panel.matrix is None:
            _say_missing(place)
        else:
            heat.draw(place, panel.matrix)
        first, last = index % across == 0, index // across == len(grid) - 1
        place.set_title(_titled(panel, across, heat), fontsize=_TITLE[across > 3], parse_math=False)
        place.set_ylabel(wrapped(panel.down, int(15 * heat.side), 2) if first else "", parse_math=False)
        place.set_xlabel(one_line(panel.across) if last else "", parse_math=False)
        place.tick_params(labelleft=first or everywhere, labelbottom=last or everywhere)
    for place in places[len(panels) :]:
        place.set_visible(False)
    canvas = places[0].get_figure(root=True)
    assert canvas is not None
    bar = canvas.colorbar(heat.scale, ax=places, fraction=0.05, aspect=30, pad=0.02)
    bar.outline.set_linewidth(0.4)
    if bar.solids is not None:
        bar.solids.set_edgecolor("face")  # no gaps between the steps
        bar.solids.set_rasterized(False)
    bar.set_label(wrapped(scale_label, 44, 2), parse_math=False)


def _say_missing(place: Axes) -> None:
    """A panel that there is no matrix for."""
    place.set_xticks([])
    place.set_yticks([])
    for side_of in ("left", "bottom"):
        place.spines[side_of].set_visible(False)
    place.text(0.5, 0.5, "–", transform=place.transAxes, ha="center", va="center", color=GREY)


def unlike(matrices: Mapping[str, Matrix]) -> Iterator[str]:
    """Which rows have runs that are not in their mean."""
    if others := [f"{label} ({m.unlike})" for label, m in matrices.items() if m.unlike]:
        yield f"Runs whose entries differ from those of the first seed are left out: {', '.join(others)}."


def lowest_highest(cells: Iterable[np.ndarray]) -> tuple[float, float]:
    """The smallest and the largest finite value; 0 and 1 where there is none."""
    every = np.concatenate([np.zeros(0), *(part[np.isfinite(part)] for part in cells)])
    return (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
