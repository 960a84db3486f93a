"""The figure `scatter`: one final number against another, a point for each run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from mmspec.plugins.api import Figure, Groups, Looks, RecordedRun, option
from mmspec.report.figures.labels import name_points
from mmspec.report.figures.shared import (
    finite_numbers,
    left_out,
    legend,
    say_nothing,
    wrapped,
    zero_line,
)
from mmspec.report.style import COLOURS
from mmspec.report.tables.statistics import summarise
from mmspec.report.text import minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Coordinates of runs.
Pairs = Sequence[tuple[float, float]]
#: With names at the points, more rows than this share one colour and shape.
_TOLD_APART = 7


@attrs.frozen(kw_only=True)
class Scatter(Figure):
    """One final number against another: a point for each run, in the colour and shape of its row.

    With `labels`, more than seven rows share one colour: their names tell them apart.
    """

    x: str = option("a metric with its split, across")
    y: str = option("a metric with its split, upwards")
    x_label: str | None = option("what the horizontal axis shows; absent: the metric's name", default=None)
    y_label: str | None = option("what the vertical axis shows; absent: the metric's name", default=None)
    means: bool = option("a cross for each row: its means, with standard deviations as arms", default=False)
    labels: bool = option(
        "names of rows stand at their points (or at the means of their runs) instead of a legend beside the "
        "figure",
        default=False,
    )
    correlation: bool = option("say Pearson's r and Spearman's ρ below the figure", default=False)

    def size(self, groups: Groups) -> tuple[float, float]:
        """As high as the legend beside it needs; with names at the points the same for any rows."""
        return 5.5, 3.8 if self.labels else max(3.2, 0.5 + 0.17 * len(groups))

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """The points of each row, and its cross."""
        found = {label: pairs_of(runs, self.x, self.y) for label, runs in groups.items()}
        drawn = {label: pairs for label, pairs in found.items() if pairs}
        both = f"{self.x} and {self.y}"
        if not drawn:
            say_nothing(axes, both)
            return list(left_out(groups, {}, both))
        if self.labels:
            axes.margins(0.09)  # for names
            if len(drawn) > _TOLD_APART:
                looks = {label: {"color": COLOURS[-1], "marker": "o"} for label in drawn}
        handles = {label: self._row(axes, pairs, looks[label]) for label, pairs in drawn.items()}
        zero_line(axes, "x")
        zero_line(axes, "y")
        axes.set_xlabel(wrapped(self.x_label or self.x, 60, 2), parse_math=False)
        axes.set_ylabel(wrapped(self.y_label or self.y, 44, 2), parse_math=False)
        if self.labels:
            arms = [box for pairs in drawn.values() for box in _boxes(pairs, self.means)]
            name_points(axes, {label: _mean(pairs) for label, pairs in drawn.items()}, arms)
        else:
            legend(axes, handles, beside=True)
        return list(self._remarks(groups, drawn, both))

    def _row(self, axes: Axes, pairs: Pairs, look: Mapping[str, Any]) -> Any:
        """The points of one row, its cross, or lines to where its name is; returns what a legend shows."""
        look = {key: value for key, value in look.items() if key != "linestyle"}
        look["alpha"] = 0.55 if self.means else 1.0
        x, y = zip(*pairs, strict=True)
        (handle,) = axes.plot(x, y, linestyle="none", markersize=4.5, **look)
        if self.means:
            _cross(axes, x, y, look["color"])
        elif self.labels and len(pairs) > 1:
            middle = _mean(pairs)
            for pair in pairs:
                axes.plot(*zip(middle, pair, strict=True), color=look["color"], linewidth=0.9, zorder=1)
        return handle

    def _remarks(self, groups: Groups, drawn: Mapping[str, Pairs], both: str) -> Iterator[str]:
        crosses = " Crosses: means of rows, with standard deviations as arms." if self.means else ""
        if self.labels and not self.means and any(len(pairs) > 1 for pairs in drawn.values()):
            crosses = " Thick lines join the runs of a row at their mean."
        yield f"Points: single runs.{crosses}"
        if self.correlation:
            every = [pair for pairs in drawn.values() for pair in pairs]
            yield f"Over {len(every)} runs: {correlations(every)}."
            if 1 < len(drawn) < len(every):
                means = [_mean(pairs) for pairs in drawn.values()]
                yield f"Over the means of {len(means)} rows: {correlations(means)}."
        yield from left_out(groups, {label: len(pairs) for label, pairs in drawn.items()}, both)


def pairs_of(runs: Sequence[RecordedRun], x: str, y: str) -> list[tuple[float, float]]:
    """Both values of each run that has both, by seed."""
    found = [
        (finite_numbers([run], x), finite_numbers([run], y)) for run in sorted(runs, key=lambda r: r.seed)
    ]
    return [(first[0], second[0]) for first, second in found if first and second]


def correlations(pairs: Pairs) -> str:
    """Pearson's r and Spearman's ρ in words; no p, since the seeds of a row are no independent samples."""
    if len(pairs) < 3:
        return "too few for a correlation"
    x, y = zip(*sorted(pairs), strict=True)
    if len(set(x)) == 1 or len(set(y)) == 1:
        return "no correlation, since one of the two does not vary"
    from scipy.stats import pearsonr, spearmanr

    r, rho = float(pearsonr(x, y).statistic), float(spearmanr(x, y).statistic)
    return f"Pearson's r = {minus(f'{r:.2f}')}, Spearman's ρ = {minus(f'{rho:.2f}')} (n = {len(pairs)})"


def _mean(pairs: Pairs) -> tuple[float, float]:
    x, y = (summarise(numbers).mean for numbers in zip(*pairs, strict=True))
    assert x is not None
    assert y is not None
    return x, y


def _boxes(pairs: Pairs, means: bool) -> Iterator[tuple[float, float, float, float]]:
    """What is drawn of a row, as left, bottom, right and top: its points, and the arms of its cross."""
    yield from ((x, y, x, y) for x, y in pairs)
    if means:
        (x, y), (dx, dy) = (
            _mean(pairs),
            (summarise(numbers).std or 0.0 for numbers in zip(*pairs, strict=True)),
        )
        yield from ((x - dx, y, x + dx, y), (x, y - dy, x, y + dy))


def _cross(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str) -> None:
    """The mean of a row, with arms as long as the standard deviations."""
    across, upwards = summarise(x), summarise(y)
    axes.errorbar(
        [across.mean or 0.0],
        [upwards.mean or 0.0],
        xerr=across.std or 0.0,
        yerr=upwards.std or 0.0,
        color=colour,
        linewidth=1.4,
        zorder=3,
    )
