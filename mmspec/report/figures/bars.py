"""The figure `bars`: final numbers as bars, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, Looks, option
from mmspec.report.figures.shared import (
    finite_numbers,
    left_out,
    legend,
    names_of,
    not_empty,
    say_nothing,
    short,
    short_names,
    wrapped,
)
from mmspec.report.style import HATCHES
from mmspec.report.tables.statistics import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More rows than this are named on a slant.
_UPRIGHT = 8
#: Longest name of a row beside horizontal bars.
_BESIDE = 40


@attrs.frozen(kw_only=True)
class Bars(Figure):
    """Final numbers: a bar for each value and row (mean and standard deviation), a point for each seed.

    Horizontal bars have room for many rows with long names: the figure is as high as they need.
    """

    values: tuple[str, ...] = option("metrics with their split", validator=not_empty)
    labels: tuple[str, ...] = option("what a reader sees instead of the metrics' names", default=())
    y_label: str = option("what the axis of the values shows", default="")
    horizontal: bool = option("names of rows at the left, bars to the right", default=False)
    sort: Literal["none", "ascending", "descending"] = option(
        "order of the rows by their mean of the first value, those without it last; none: the report's",
        default="none",
    )

    def size(self, groups: Groups) -> tuple[float, float]:
        """Horizontal bars: as high as rows and values need."""
        if not self.horizontal:
            return super().size(groups)
        drawn = max(1, len(self._drawn(groups, dict.fromkeys(self.values))))
        return 5.5, 0.75 + drawn * (0.08 + 0.13 * len(set(self.values)))

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """One group of bars for each row that has a value."""
        del looks  # colours and hatches tell the values apart; rows stand beside each other
        names = names_of(self.values, self.labels)
        drawn = self._drawn(groups, names)
        if not drawn:
            say_nothing(axes, " or ".join(names))
            return list(left_out(groups, {}, " and ".join(names)))
        width = 0.78 / len(names)
        handles: dict[str, Any] = {}
        for index, (value, name) in enumerate(names.items()):
            offset = (index - (len(names) - 1) / 2) * width
            bars = [
                (place + offset, finite_numbers(groups[label], value)) for place, label in enumerate(drawn)
            ]
            handles[name] = _bars(axes, [(x, v) for x, v in bars if v], width, index, self.horizontal)
        self._finish(axes, drawn)
        legend(axes, handles)
        found = {label: [len(finite_numbers(groups[label], value)) for value in names] for label in drawn}
        counts = {label: min(filter(None, lengths)) for label, lengths in found.items()}
        reading = "Bars: mean over seeds; whiskers: standard deviation; points: single seeds."
        if max(counts.values()) == 1:
            reading = "Bars and points: one seed."
        return [reading, *left_out(groups, counts, " and ".join(names))]

    def _drawn(self, groups: Groups, values: Iterable[str]) -> list[str]:
        """The rows that hold one of the values, in their order."""
        values = list(values)
        rows = [label for label, runs in groups.items() if any(finite_numbers(runs, v) for v in values)]
        if self.sort == "none":
            return rows
        sign = -1 if self.sort == "descending" else 1
        means = {label: summarise(finite_numbers(groups[label], values[0])).mean for label in rows}
        return sorted(rows, key=lambda label: ((mean := means[label]) is None, sign * (mean or 0.0)))

    def _finish(self, axes: Axes, rows: Sequence[str]) -> None:
        """A line at zero, and what the axes show."""
        ink = axes.spines["left"].get_edgecolor()
        if self.horizontal:
            axes.axvline(0, color=ink, linewidth=0.6)
            axes.locator_params(axis="x", nbins=6)
            _name_beside(axes, rows)
            axes.set_xlabel(wrapped(self.y_label, 60, 2), parse_math=False)
        else:
            axes.axhline(0, color=ink, linewidth=0.6)
            _name_below(axes, rows)
            axes.set_ylabel(wrapped(self.y_label, 40, 2), parse_math=False)


def _name_below(axes: Axes, rows: Sequence[str]) -> None:
    """The rows' names below the axes."""
    upright = len(rows) <= _UPRIGHT
    labels = [wrapped(row, max(8, 84 // len(rows))) if upright else short(row, 22) for row in rows]
    slant: Any = {} if upright else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(rows)), labels, parse_math=False, **slant)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="x", length=0)


def _name_beside(axes: Axes, rows: Sequence[str]) -> None:
    """The rows' names at the left, the first on top."""
    axes.set_yticks(range(len(rows)), list(short_names(rows, _BESIDE).values()), parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)  # the line at zero is where bars start


def _bars(
    axes: Axes, bars: Sequence[tuple[float, Sequence[float]]], width: float, index: int, horizontal: bool
) -> Any:
    """The bars of one value, from places along the rows; returns what a legend shows for them."""
    ink: Any = axes.spines["left"].get_edgecolor()
    summaries = [summarise(numbers) for _, numbers in bars]
    draw = axes.barh if horizontal else axes.bar
    container = draw(
        [x for x, _ in bars],
        [summary.mean or 0.0 for summary in summaries],
        width * 0.9,
        color=f"C{index}",
        hatch=HATCHES[index % len(HATCHES)],
        edgecolor="white",
        linewidth=0,
    )
    for (x, numbers), summary in zip(bars, summaries, strict=True):
        if summary.std is not None:
            mean = summary.mean or 0.0
            end: Any = {"x": mean, "y": x, "xerr": summary.std}
            if not horizontal:
                end = {"x": x, "y": mean, "yerr": summary.std}
            axes.errorbar(**end, color=ink, linewidth=0.8, capsize=2, zorder=3)
        beside = x + np.linspace(-0.36, -0.14, len(numbers)) * width  # the whisker
        across, upwards = (numbers, beside) if horizontal else (beside, numbers)
        axes.scatter(across, upwards, s=9, facecolors="white", edgecolors=ink, linewidths=0.6, zorder=4)
    return container
