"""A matrix as a picture: cells of one colour from light to dark, so that they print; no bitmaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from mmspec.report.figures.shared import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import Collection

#: Numbers in cells, crosses and borders; not the ink of the style, which pages replace by their own.
_DARK, _LIGHT = "#101010", "#ffffff"
#: Points between two names along an axis, at least.
_NAME = 6.5
#: Steps of a scale.
_STEPS = 64


@attrs.frozen
class Matrix:
    """What a panel shows (R, C), from so many `seeds`: names of its axes, and of the entries along each.

    `classes` are those of the entries along each axis, entries of one class together; () if there are none.
    So many runs are not in it, since their entries are `unlike` these. Entries may have been `moved` to
    those of their class; a cell may stand for a `block` of so many by so many, 0: for itself.
    """

    values: np.ndarray
    axes: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    classes: tuple[tuple[str, ...], ...]
    seeds: int
    unlike: int = 0
    moved: bool = False
    block: int = 0


def colours(low: float, high: float, name: str = "blue") -> ScalarMappable:
    """A scale by name: `blue` from near white to dark, or one of matplotlib's.

    Its lightness must change evenly, so that grey shows the same.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    if name == "blue":
        steps = ["#e8f0f8", "#abcde8", "#5a9fd0", "#1a659f", "#06294a"]
        return ScalarMappable(Normalize(low, high), LinearSegmentedColormap.from_list(name, steps, N=_STEPS))
    return ScalarMappable(
        Normalize(low, high), colormaps["gray_r" if name == "grey" else name].resampled(_STEPS)
    )


@attrs.frozen(kw_only=True)
class Heat:
    """How matrices are drawn: the scale, inches that each may be wide and high, and what stands in cells.

    Cells that are NaN are crossed out; those that `white` chooses of a matrix are left without colour.
    """

    scale: ScalarMappable
    side: float
    white: Callable[[np.ndarray], np.ndarray]
    text: Callable[[float], str] | None = None

    def cell(self, matrix: Matrix) -> float:
        """The side of a cell in points."""
        return 72 * self.side / max(map(len, matrix.entries))

    def every(self, matrix: Matrix) -> int:
        """One in so many entries can be named."""
        return max(1, int(np.ceil(_NAME / self.cell(matrix))))

    def draw(self, axes: Axes, matrix: Matrix) -> None:
        """A matrix, its first row at the top."""
        values = matrix.values
        white, known = self.white(values), np.isfinite(values)
        axes.set_facecolor(_LIGHT)
        steps = self._steps(values, known & ~white)
        levels = [level for level in range(_STEPS) if (steps == level).any()]
        axes.add_collection(_cells([steps == level for level in levels], self.scale.get_cmap()(levels)))
        axes.add_collection(_crosses(~known & ~white))
        self._borders(axes, matrix)
        axes.set_xlim(-0.5, values.shape[1] - 0.5)
        axes.set_ylim(values.shape[0] - 0.5, -0.5)
        axes.set_aspect("equal")
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)
        axes.tick_params(length=0, pad=2)
        self._name(axes, matrix)
        if self.text is not None:
            self._write(axes, matrix, known)

    def _steps(self, values: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Which step of the scale each cell has; −1 where nothing is to be seen."""
        low, high = self.scale.get_clim()
        share = (np.where(shown, values, low) - low) / ((high - low) or 1.0)
        steps: np.ndarray = np.where(shown, np.clip(share * _STEPS, 0, _STEPS - 1).astype(int), -1)
        return steps

    def _borders(self, axes: Axes, matrix: Matrix) -> None:
        """Lines between classes, to be seen on light and on dark."""
        width = min(1.0, max(0.5, 0.3 * self.cell(matrix)))
        for draw, classes in zip((axes.axhline, axes.axvline), matrix.classes, strict=False):
            for first, _, _ in list(_blocks(classes))[1:]:
                draw(first - 0.5, color=_LIGHT, linewidth=width, zorder=3)
                draw(first - 0.5, color=_DARK, linewidth=0.4 * width, zorder=3)

    def below(self, matrix: Matrix) -> float:
        """Inches that the names below the matrix need."""
        _, words, size, upright = self._names(matrix, 1)
        return (size if upright else _long(words, size)) / 72 + 0.05

    def beside(self, matrix: Matrix) -> float:
        """Inches that the names at the left of the matrix need."""
        _, words, size, _ = self._names(matrix, 0)
        return _long(words, size) / 72 + 0.05

    def names_classes(self, matrix: Matrix) -> bool:
        """Whether classes are named along the axes, since there is no room for every entry."""
        return self.every(matrix) > 1 and bool(matrix.classes)

    def _names(self, matrix: Matrix, axis: int) -> tuple[list[float], list[str], float, bool]:
        """Places and names along an axis, their size in points, and whether they fit side by side."""
        cell, every = self.cell(matrix), self.every(matrix)
        if self.names_classes(matrix):
            blocks = list(_blocks(matrix.classes[axis]))
            room = cell * min(length for _, length, _ in blocks)
            apart = max(1, int(np.ceil(_NAME * 0.75 / room)))
            places = [first + (length - 1) / 2 for first, length, _ in blocks][::apart]
            words, room = [short(name, 20) for _, _, name in blocks][::apart], room * apart
        else:
            places, room = [float(place) for place in range(len(matrix.entries[axis]))][::every], cell * every
            words = [short(name, 20) for name in matrix.entries[axis][::every]]
        size = min(7.0, max(5.0, room * 0.72))
        return places, words, size, all(len(word) * 0.6 * size < room for word in words)

    def _name(self, axes: Axes, matrix: Matrix) -> None:
        """What stands along both axes, as much as there is room for."""
        places, words, size, upright = self._names(matrix, 1)
        turned: Any = (
            {} if upright else {"rotation": 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}
        )
        axes.set_xticks(places, words, parse_math=False, fontsize=size, **turned)
        places, words, size, _ = self._names(matrix, 0)
        axes.set_yticks(places, words, parse_math=False, fontsize=size)

    def _write(self, axes: Axes, matrix: Matrix, known: np.ndarray) -> None:
        """The number in each cell that has one to say."""
        assert self.text is not None
        cell, values = self.cell(matrix), matrix.values
        said = {(row, column): self.text(float(values[row, column])) for row, column in np.argwhere(known)}
        size = min(7.0, cell * 0.46, cell * 1.45 / max(map(len, said.values()), default=1))
        white = self.white(values)
        for (row, column), text in said.items():
            dark = not white[row, column] and _is_dark(self.scale.to_rgba(values[row, column]))
            axes.text(
                column, row, text, ha="center", va="center_baseline", fontsize=size, parse_math=False,
                color=_LIGHT if dark else _DARK, in_layout=False,
            )  # fmt: skip


def _is_dark(colour: Any) -> bool:
    """Whether white is read better on it."""
    red, green, blue = colour[:3]
    return bool(0.299 * red + 0.587 * green + 0.114 * blue < 0.5)


def _long(words: Sequence[str], size: float) -> float:
    """Points that the longest word needs."""
    return 0.62 * size * max(map(len, words), default=0)


def _blocks(classes: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First place, length and name of each run of equal classes."""
    first = 0
    for name, members in groupby(classes):
        length = len(list(members))
        yield first, length, name
        first += length


def _cells(levels: Sequence[np.ndarray], faces: Any) -> Collection:
    """The cells (R, C) of each level as one path of strokes, as thick as cells are high: small in a file.

    Neighbours in a row are one stroke. All are a little larger than they should be, so that no gaps show.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    class Strokes(PathCollection):
        def draw(self, renderer: Any) -> None:
            assert self.axes is not None
            ends = self.axes.transData.transform([(0, 0), (0, 1)])  # known only once the layout is
            self.set_linewidth(1.02 * abs(ends[1, 1] - ends[0, 1]) * 72 / self.figure.dpi)
            super().draw(renderer)

    paths = []
    for chosen in levels:
        changes = np.diff(np.pad(chosen.astype(np.int8), ((0, 0), (1, 1))))
        (rows, starts), (_, stops) = np.nonzero(changes == 1), np.nonzero(changes == -1)
        points = np.stack([starts - 0.51, rows, stops - 0.49, rows], axis=1).reshape(-1, 2)
        paths.append(Path(points, [Path.MOVETO, Path.LINETO] * len(rows)))
    return Strokes(paths, facecolors="none", edgecolors=faces, capstyle="butt", zorder=1)


def _crosses(chosen: np.ndarray) -> Collection:
    """Both diagonals of each chosen cell."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    centres = np.argwhere(chosen)[:, ::-1]
    ends = np.array([(-0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (0.5, -0.5)])
    points = (centres[:, None] + ends).reshape(-1, 2)
    path = Path(points, [Path.MOVETO, Path.LINETO] * (len(points) // 2))
    return PathCollection([path], facecolors="none", edgecolors=_DARK, linewidths=0.3)
