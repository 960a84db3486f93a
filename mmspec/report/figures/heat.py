"""Matrices as pictures: cells of one colour from white to dark, so that they print; no bitmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from mmspec.report.figures.shared import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

#: Numbers in cells; not the ink of the style, which pages replace by their own.
_DARK, _LIGHT = "#101010", "#ffffff"
#: Points between two names along an axis, at least.
_NAME = 7.0


def colours(low: float, high: float, name: str = "mmspec-dark") -> ScalarMappable:
    """A scale from near white to dark blue; its lightness falls evenly, so that grey shows the same."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    steps = ["#e8f0f8", "#abcde8", "#5a9fd0", "#1a659f", "#06294a"]
    return ScalarMappable(Normalize(low, high), LinearSegmentedColormap.from_list(name, steps, N=64))


@attrs.frozen(kw_only=True)
class Heat:
    """How matrices are drawn: the scale, the side of a cell in points, and what stands in it, if anything.

    Cells that are NaN are crossed out; cells at the scale's low end are left white.
    """

    scale: ScalarMappable
    cell: float
    text: Callable[[float], str] | None = None

    @property
    def every(self) -> int:
        """One in so many entries can be named."""
        return max(1, int(np.ceil(_NAME / self.cell)))

    def draw(self, axes: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> None:
        """A matrix (rows, columns), its first row at the top."""
        from matplotlib.collections import PolyCollection

        known = np.isfinite(values)
        shown = known & (values > self.scale.get_clim()[0])
        axes.set_facecolor(_LIGHT)
        for chosen, look in ((shown, {}), (~known, {"facecolor": "none", "hatch": "xxxx"})):
            corners = [_corners(row, column) for row, column in np.argwhere(chosen)]
            face: Any = look or {"facecolor": self.scale.to_rgba(values[chosen]), "edgecolor": "face"}
            cells = PolyCollection(corners, linewidth=0.15, **{"edgecolor": "#9a9a9a", **face})
            axes.add_collection(cells)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_aspect("equal")
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)
        axes.tick_params(length=0, pad=2)
        self._name(axes, rows, columns)
        if self.text is not None:
            self._write(axes, values, known)

    def below(self, columns: Sequence[str]) -> float:
        """Inches that the names of the columns need."""
        words, size, upright = self._words(columns)
        return (size if upright else 0.62 * size * max(map(len, words), default=0)) / 72 + 0.05

    def _words(self, columns: Sequence[str]) -> tuple[list[str], float, bool]:
        """The columns' names, their size in points, and whether they fit side by side."""
        size = min(7.0, max(5.0, self.cell * self.every * 0.72))
        words = [short(name, 20) for name in columns]
        return words, size, all(len(word) * 0.6 * size < self.cell * self.every for word in words)

    def _name(self, axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
        """Entries along both axes, as many as there is room for."""
        words, size, upright = self._words(columns)
        turned: Any = (
            {} if upright else {"rotation": 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}
        )
        places = range(0, len(words), self.every)
        axes.set_xticks(places, words[:: self.every], parse_math=False, fontsize=size, **turned)
        names = [short(name, 20) for name in rows][:: self.every]
        axes.set_yticks(range(0, len(rows), self.every), names, parse_math=False, fontsize=size)

    def _write(self, axes: Axes, values: np.ndarray, known: np.ndarray) -> None:
        """The number in each cell that has one to say."""
        assert self.text is not None
        size = min(7.0, self.cell * 0.46)
        low, high = self.scale.get_clim()
        for row, column in np.argwhere(known):
            value = float(values[row, column])
            colour = _LIGHT if high > low and (value - low) / (high - low) > 0.5 else _DARK
            axes.text(
                column, row, self.text(value), ha="center", va="center_baseline", fontsize=size, color=colour,
                parse_math=False, in_layout=False,
            )  # fmt: skip


def _corners(row: int, column: int) -> list[tuple[float, float]]:
    left, right, top, bottom = column - 0.5, column + 0.5, row - 0.5, row + 0.5
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
