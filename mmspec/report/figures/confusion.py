"""The figure `confusion`: which classes are taken for which, a matrix for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, LabelledArray, Looks, RecordedRun, at_least, option
from mmspec.report.figures.heat import Heat, Matrix, colours
from mmspec.report.figures.matrices import (
    Panel,
    draw_grid,
    fitted,
    grid_size,
    lowest_highest,
    mean_matrix,
    unlike,
)
from mmspec.report.figures.shared import left_out, say_nothing
from mmspec.report.text import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More classes than this have no numbers in their cells.
_NUMBERED = 12


@attrs.frozen(kw_only=True)
class Confusion(Figure):
    """Confusion matrices, one for each row of the report: of each true class, what it was taken for.

    The runs must have counted them: metric `confusion_matrix`.
    """

    value: str = option("an array of the runs, with its split", default="test/confusion")
    show: Literal["share", "count"] = option(
        "share: of the samples of a true class, in percent; count: how many samples", default="share"
    )
    seeds: Literal["mean", "sum"] = option(
        "mean: over the seeds, of shares or counts; sum: the counts of all seeds together", default="mean"
    )
    columns: int | None = option(
        "so many matrices side by side; absent: as many as can be read",
        default=None,
        validator=attrs.validators.optional(at_least(1)),
    )

    def size(self, groups: Groups) -> tuple[float, float]:
        """As high as the matrices need."""
        found = self._matrices(groups)
        if not found:
            return 5.5, 3.0
        panels, across, heat = self._grid(found)
        return grid_size(heat, panels, across)

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A matrix for each row that has one, all on one scale."""
        del looks  # rows stand in panels of their own
        found = self._matrices(groups)
        counts = {label: matrix.seeds for label, matrix in found.items()}
        if not found:
            say_nothing(axes, self.value)
            return list(left_out(groups, counts, self.value))
        panels, across, heat = self._grid(found)
        what = "% of the true class" if self.show == "share" else "samples"
        draw_grid(axes, panels, across, heat, what)
        return [*self._remarks(found, heat), *unlike(found), *left_out(groups, counts, self.value)]

    def _matrices(self, groups: Groups) -> dict[str, Matrix]:
        found = {label: matrix_of(runs, self.value, self.show, self.seeds) for label, runs in groups.items()}
        return {label: matrix for label, matrix in found.items() if matrix is not None}

    def _grid(self, found: Mapping[str, Matrix]) -> tuple[list[Panel], int, Heat]:
        """The panels, how many stand side by side (fewer of many classes), and how they are drawn."""
        panels = [Panel(matrix, label, *matrix.axes) for label, matrix in found.items()]
        few = max(len(matrix.entries[0]) for matrix in found.values()) <= _NUMBERED
        across = min(self.columns or (3 if few else 2), len(panels))
        top = lowest_highest(matrix.values for matrix in found.values())[1] or 1.0
        scale = colours(0, 100 if self.show == "share" else top)
        heat = Heat(scale=scale, side=1.0, white=lambda v: v <= 0, text=self._text if few else None)
        return panels, across, fitted(heat, panels, across)

    def _text(self, value: float) -> str:
        """What stands in a cell; nothing in one that rounds to nothing."""
        if self.show == "count" and self.seeds == "mean" and 0 < value < 10:
            return f"{value:.1f}"
        return f"{value:.0f}" if round(value) else ""

    def _remarks(self, found: Mapping[str, Matrix], heat: Heat) -> Iterator[str]:
        most = max(matrix.seeds for matrix in found.values())
        what = "share of the true class in percent" if self.show == "share" else "samples"
        if self.show == "share" and self.seeds == "sum":
            how = "of the counts of all seeds together"
        else:
            how = "mean over seeds" if self.seeds == "mean" else "sum over seeds"
        over = f", {how} (n = {most})" if most > 1 else ""
        blank = "; those without a number round to 0" if heat.text else ""
        yield f"Cells: {what}{over}{blank}."
        every = max(map(heat.every, found.values()))
        if every > 1:
            yield f"One in {every} of the classes is named; they stand in the order of the data."
        unseen = dict.fromkeys(
            name
            for matrix in found.values()
            for name, row in zip(matrix.entries[0], matrix.values, strict=True)
            if np.isnan(row).all()
        )
        if unseen:
            yield f"Crossed out, without samples: {''.join(map(str, listed(unseen)))}."


def matrix_of(
    runs: Sequence[RecordedRun],
    value: str,
    show: Literal["share", "count"],
    seeds: Literal["mean", "sum"],
) -> Matrix | None:
    """The matrix of a row, from the runs that have one of the same classes; None if none has."""

    def summed(counts: np.ndarray) -> np.ndarray:
        together = counts.sum(axis=0, keepdims=True) if seeds == "sum" else counts
        return np.array([shares(each) for each in together]) if show == "share" else together

    return mean_matrix(runs, value, summed, fits=_is_square)


def shares(counts: np.ndarray) -> np.ndarray:
    """Each row of counts (K, K) in percent of its sum; NaN where there is nothing."""
    total = counts.sum(axis=1, keepdims=True)
    share: np.ndarray = np.divide(100 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return share


def _is_square(array: LabelledArray) -> bool:
    return array.values.ndim == 2 and array.entries[0] == array.entries[1]
