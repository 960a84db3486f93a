"""The figure `heat_map`: arrays of runs, such as dissimilarity matrices, as panels on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, LabelledArray, Looks, RecordedRun, at_least, option
from mmspec.report.figures.heat import Heat, Matrix, colours
from mmspec.report.figures.matrices import (
    Panel,
    coarse,
    draw_grid,
    fitted,
    grid_size,
    lowest_highest,
    mean_matrix,
    together,
    unlike,
)
from mmspec.report.figures.shared import left_out, names_of, not_empty, say_nothing
from mmspec.report.text import minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Cells of so many points have numbers in them.
_NUMBERED = 14.0
#: Cells in a picture; larger matrices are drawn in blocks, but for no fewer than so many a side.
_CELLS, _FEWEST = 60_000, 50


@attrs.frozen(kw_only=True)
class HeatMap(Figure):
    """Arrays with two axes as heat maps, a panel for each row of the report, all on one scale.

    Several `values` stand side by side, with a line of panels for each row. Where the arrays know classes
    of their entries (categories of objects), there are borders between these.
    """

    values: tuple[str, ...] = option("arrays of the runs, e.g. rdm/network", validator=not_empty)
    labels: tuple[str, ...] = option("what a reader sees instead of the arrays' names", default=())
    reference: str | None = option(
        "of a single value: an array that all runs share (of a target, say), drawn once as the first panel",
        default=None,
    )
    reference_label: str | None = option("its title; absent: its name", default=None)
    low: float | None = option("low end of the scale; absent: the smallest cell of all panels", default=None)
    high: float | None = option("high end of the scale; absent: the largest cell of all panels", default=None)
    colours: Literal["blue", "cividis", "viridis", "grey"] = option(
        "of the scale; lightness changes evenly in each. blue and grey are dark where values are high",
        default="blue",
    )
    diagonal: bool = option("false: the diagonal is left white and out of the scale", default=True)
    columns: int | None = option(
        "so many panels of a single value side by side; absent: as many as can be read",
        default=None,
        validator=attrs.validators.optional(at_least(1)),
    )
    scale_label: str = option("what the scale shows", default="")

    def __attrs_post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        if len(self.values) > 1 and (self.reference is not None or self.columns is not None):
            raise ValueError("reference and columns are for a single value")

    def size(self, groups: Groups) -> tuple[float, float]:
        """As high as the panels need."""
        panels, across = self._panels(groups)
        return grid_size(self._heat(panels, across), panels, across) if panels else (5.5, 3.0)

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A panel for each row and value that there is."""
        del looks  # rows stand in panels of their own
        panels, across = self._panels(groups)
        if not panels:
            say_nothing(axes, " or ".join(self.values))
            return list(left_out(groups, {}, " and ".join(self.values)))
        heat = self._heat(panels, across)
        draw_grid(axes, panels, across, heat, self.scale_label)
        matrices = [panel.matrix for panel in panels if panel.matrix is not None]
        return [*self._reading(matrices, heat), *self._about(groups)]

    # ------------------------------------------------------------ what is drawn

    def _panels(self, groups: Groups) -> tuple[list[Panel], int]:
        """The panels, line by line, and how many stand in a line."""
        found, names = self._found(groups), names_of(self.values, self.labels)
        rows = [label for label in groups if any(label in of for of in found.values())]
        if len(names) == 1:
            panels = [Panel(found[self.values[0]][label], label) for label in rows]
            shared = self._shared(groups) if rows else None
            if shared is not None:
                panels.insert(0, Panel(together(shared), self.reference_label or str(self.reference)))
            across = min(self.columns or _across(len(panels)), max(1, len(panels)))
        else:
            across = len(names)
            panels = [
                Panel(found[value].get(row), title if row == rows[0] else "", down=row)
                for row in rows
                for value, title in names.items()
            ]
        most = max(_FEWEST, int((_CELLS / max(1, len(panels))) ** 0.5))
        return [attrs.evolve(p, matrix=p.matrix and coarse(p.matrix, most)) for p in panels], across

    def _found(self, groups: Groups) -> dict[str, dict[str, Matrix]]:
        """The mean over seeds of each value, by row."""
        return {
            value: {
                label: together(matrix)
                for label, runs in groups.items()
                if (matrix := mean_matrix(runs, value, fits=_is_matrix)) is not None
            }
            for value in dict.fromkeys(self.values)
        }

    def _shared(self, groups: Groups) -> Matrix | None:
        """The reference, as the first run has it."""
        runs = [run for row in groups.values() for run in sorted(row, key=lambda run: run.seed)]
        held = (mean_matrix([run], self.reference, fits=_is_matrix) for run in runs if self.reference)
        return next((matrix for matrix in held if matrix is not None), None)

    def _heat(self, panels: Sequence[Panel], across: int) -> Heat:
        matrices = [panel.matrix for panel in panels if panel.matrix is not None]
        low, high = lowest_highest(matrix.values[~self._white(matrix.values)] for matrix in matrices)
        low = low if self.low is None else self.low
        high = high if self.high is None else self.high
        scale = colours(low, max(low, high), self.colours)
        heat = fitted(Heat(scale=scale, side=1.0, white=self._white), panels, across)
        is_few = min(map(heat.cell, matrices)) >= _NUMBERED
        return attrs.evolve(heat, text=_number if is_few else None)

    def _white(self, values: np.ndarray) -> np.ndarray:
        """Which cells of a matrix (R, C) are left white."""
        nowhere = np.zeros(values.shape, dtype=bool)
        return nowhere if self.diagonal else np.eye(*values.shape, dtype=bool)

    # ------------------------------------------------------------ what is said

    def _reading(self, matrices: Sequence[Matrix], heat: Heat) -> Iterator[str]:
        """How the panels are to be read."""
        most, (down, across) = max(matrix.seeds for matrix in matrices), matrices[0].axes
        over = f", mean over seeds (n = {most})" if most > 1 else ""
        yield f"Cells: {down} by {across}{over}.{'' if self.diagonal else ' The diagonal is left out.'}"
        if blocks := max(matrix.block for matrix in matrices):
            yield f"There are too many entries to draw: cells are means of up to {blocks} by {blocks}."
        if any(matrix.classes for matrix in matrices):
            named = "; names are those of the classes" if any(map(heat.names_classes, matrices)) else ""
            yield f"Lines are borders between classes{named}."
        elif (every := max(map(heat.every, matrices))) > 1:
            yield f"One in {every} of the entries is named."
        if any(matrix.moved for matrix in matrices):
            yield "The entries of each class are put together."
        low, high = heat.scale.get_clim()
        cells = np.concatenate([m.values[~self._white(m.values)] for m in matrices])
        for count, where in ((np.sum(cells < low), "below"), (np.sum(cells > high), "above")):
            if count:
                yield f"{count} cells are {where} the scale, and have the colour of its end."
        if count := np.sum(~np.isfinite(cells)):
            yield f"Crossed out: {count} cells without a number."

    def _about(self, groups: Groups) -> Iterator[str]:
        """What is not there, or not the same."""
        for value, matrices in self._found(groups).items():
            yield from unlike(matrices)
            yield from left_out(groups, {label: m.seeds for label, m in matrices.items()}, value)
        if self.reference is None:
            return
        shared = self._shared(groups)
        if shared is None:
            yield f"Not drawn: no run holds {self.reference}."
        elif apart := [label for label, runs in groups.items() if self._differs(runs, shared)]:
            yield f"{self.reference} is drawn of the first run; it is another in runs of: {', '.join(apart)}."

    def _differs(self, runs: Iterable[RecordedRun], shared: Matrix) -> bool:
        """Whether one of these runs has another reference."""
        arrays = [array for run in runs if (array := run.array(str(self.reference))) is not None]
        return any(
            array.entries != shared.entries or not np.array_equal(array.values, shared.values, equal_nan=True)
            for array in arrays
        )


def _is_matrix(array: LabelledArray) -> bool:
    return array.values.ndim == 2 and array.values.size > 0


def _across(panels: int) -> int:
    """So many panels side by side: few are large, many small."""
    return panels if panels <= 3 else 4 if panels <= 8 else 5


def _number(value: float) -> str:
    """What stands in a cell."""
    return minus(f"{value:.2f}" if abs(value) < 10 else f"{value:.3g}")
