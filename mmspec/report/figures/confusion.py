"""The figure `confusion`: which classes are taken for which, a matrix for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, LabelledArray, Looks, RecordedRun, at_least, option
from mmspec.report.figures.heat import Heat, colours
from mmspec.report.figures.shared import left_out, say_nothing, split, wrapped
from mmspec.report.text import listed, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More classes than this have no numbers in their cells.
_NUMBERED = 12


@attrs.frozen
class Matrix:
    """The confusion matrix of a row: shares of the true class or counts (K, K), from so many `seeds`."""

    values: np.ndarray
    classes: tuple[str, ...]
    axes: tuple[str, ...]
    seeds: int


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
        matrices = list(self._matrices(groups).values())
        across, side = self._across(matrices), self._side(matrices)
        heat = self._heat(matrices)
        below = max((heat.below(matrix.classes) for matrix in matrices), default=0.2)
        return 5.5, 0.3 + below + (side + 0.3) * max(1, -(-len(matrices) // across))

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A matrix for each row that has one, all on one scale."""
        del looks  # rows stand in panels of their own
        found = self._matrices(groups)
        counts = {label: matrix.seeds for label, matrix in found.items()}
        if not found:
            say_nothing(axes, self.value)
            return list(left_out(groups, counts, self.value))
        heat = self._heat(list(found.values()))
        across = self._across(list(found.values()))
        grid = split(axes, [1.0] * -(-len(found) // across), across)
        panels = [panel for line in grid for panel in line]
        for index, (panel, (label, matrix)) in enumerate(zip(panels, found.items(), strict=False)):
            heat.draw(panel, matrix.values, matrix.classes, matrix.classes)
            panel.set_title(wrapped(label, 26, 2), fontsize=8.0, parse_math=False)
            self._trim(panel, index, across, list(found.values()))
        for panel in panels[len(found) :]:
            panel.set_visible(False)
        canvas = axes.get_figure(root=True) or panels[0].get_figure(root=True)
        assert canvas is not None
        bar = canvas.colorbar(heat.scale, ax=panels, fraction=0.05, aspect=30, pad=0.02)
        bar.outline.set_linewidth(0.4)
        if bar.solids is not None:
            bar.solids.set_edgecolor("face")  # no gaps between the steps
            bar.solids.set_rasterized(False)
        bar.set_label("% of the true class" if self.show == "share" else "samples")
        return [*self._remarks(found, heat), *left_out(groups, counts, self.value)]

    def _matrices(self, groups: Groups) -> dict[str, Matrix]:
        found = {label: matrix_of(runs, self.value, self.show, self.seeds) for label, runs in groups.items()}
        return {label: matrix for label, matrix in found.items() if matrix is not None}

    def _across(self, matrices: Sequence[Matrix]) -> int:
        """So many matrices side by side: fewer of many classes."""
        most = 3 if _classes(matrices) <= _NUMBERED else 2
        return min(self.columns or most, max(1, len(matrices)))

    def _side(self, matrices: Sequence[Matrix]) -> float:
        """Inches that a matrix is wide and high."""
        return min(4.0, 4.1 / self._across(matrices))

    def _heat(self, matrices: Sequence[Matrix]) -> Heat:
        classes = _classes(matrices)
        top = max((float(np.nanmax(m.values, initial=0)) for m in matrices), default=0) or 1.0
        cell = 72 * self._side(matrices) / max(classes, 1)
        text = self._text if classes <= _NUMBERED else None
        return Heat(scale=colours(0, 100 if self.show == "share" else top), cell=cell, text=text)

    def _text(self, value: float) -> str:
        """What stands in a cell; nothing in one that rounds to nothing."""
        if self.show == "count" and self.seeds == "mean" and 0 < value < 10:
            return f"{value:.1f}"
        return f"{value:.0f}" if round(value) else ""

    def _trim(self, panel: Axes, index: int, across: int, matrices: Sequence[Matrix]) -> None:
        """Axes are named at the left and below; classes too, where all matrices have the same."""
        alike = len({matrix.classes for matrix in matrices}) == 1
        first, last = index % across == 0, index + across >= len(matrices)
        true, predicted = matrices[index].axes
        panel.set_ylabel(one_line(true) if first else "", parse_math=False)
        panel.set_xlabel(one_line(predicted) if last else "", parse_math=False)
        panel.tick_params(labelleft=first or not alike, labelbottom=last or not alike)

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
        if heat.every > 1:
            yield f"One in {heat.every} of the classes is named; they stand in the order of the data."
        unseen = dict.fromkeys(
            name
            for matrix in found.values()
            for name, row in zip(matrix.classes, matrix.values, strict=True)
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
    ordered = sorted(runs, key=lambda run: run.seed)
    found = [array for run in ordered if (array := run.array(value)) is not None and _is_square(array)]
    if not found:
        return None
    alike = [array for array in found if array.entries == found[0].entries]
    counts = np.array([array.values for array in alike], dtype=float)
    if seeds == "sum":
        counts = counts.sum(axis=0, keepdims=True)
    parts = np.array([shares(each) for each in counts]) if show == "share" else counts
    return Matrix(parts.mean(axis=0), found[0].entries[0], found[0].axes, len(alike))


def shares(counts: np.ndarray) -> np.ndarray:
    """Each row of counts (K, K) in percent of its sum; NaN where there is nothing."""
    total = counts.sum(axis=1, keepdims=True)
    share: np.ndarray = np.divide(100 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return share


def _is_square(array: LabelledArray) -> bool:
    return array.values.ndim == 2 and array.entries[0] == array.entries[1]


def _classes(matrices: Sequence[Matrix]) -> int:
    return max((len(matrix.classes) for matrix in matrices), default=1)
