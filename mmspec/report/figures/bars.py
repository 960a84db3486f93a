"""The figure `bars`: final numbers as bars, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
    wrapped,
)
from mmspec.report.style import HATCHES
from mmspec.report.tables.statistics import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More rows than this are named on a slant.
_UPRIGHT = 8


@attrs.frozen(kw_only=True)
class Bars(Figure):
    """Final numbers: a bar for each value and row (mean and standard deviation), a point for each seed."""

    values: tuple[str, ...] = option("metrics with their split", validator=not_empty)
    labels: tuple[str, ...] = option("what a reader sees instead of the metrics' names", default=())
    y_label: str = option("what the vertical axis shows", default="")

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """One group of bars for each row that has a value."""
        del looks  # colours and hatches tell the values apart; rows stand beside each other
        names = names_of(self.values, self.labels)
        drawn = [label for label, runs in groups.items() if any(finite_numbers(runs, v) for v in names)]
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
            handles[name] = _bars(axes, [(x, v) for x, v in bars if v], width, index)
        axes.axhline(0, color=axes.spines["left"].get_edgecolor(), linewidth=0.6)
        _name(axes, drawn)
        axes.set_ylabel(wrapped(self.y_label, 40, 2), parse_math=False)
        legend(axes, handles)
        found = {label: [len(finite_numbers(groups[label], value)) for value in names] for label in drawn}
        counts = {label: min(filter(None, lengths)) for label, lengths in found.items()}
        reading = "Bars: mean over seeds; whiskers: standard deviation; points: single seeds."
        if max(counts.values()) == 1:
            reading = "Bars and points: one seed."
        return [reading, *left_out(groups, counts, " and ".join(names))]


def _name(axes: Axes, rows: Sequence[str]) -> None:
    """The rows' names below the axes."""
    upright = len(rows) <= _UPRIGHT
    labels = [wrapped(row, max(8, 84 // len(rows))) if upright else short(row, 22) for row in rows]
    slant: Any = {} if upright else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(rows)), labels, parse_math=False, **slant)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="x", length=0)


def _bars(axes: Axes, bars: Sequence[tuple[float, Sequence[float]]], width: float, index: int) -> Any:
    """The bars of one value; returns what a legend shows for them."""
    ink: Any = axes.spines["left"].get_edgecolor()
    summaries = [summarise(numbers) for _, numbers in bars]
    container = axes.bar(
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
            axes.errorbar(
                x, summary.mean or 0.0, yerr=summary.std, color=ink, linewidth=0.8, capsize=2, zorder=3
            )
        spread = np.linspace(-0.36, -0.14, len(numbers)) * width  # beside the whisker
        axes.scatter(x + spread, numbers, s=9, facecolors="white", edgecolors=ink, linewidths=0.6, zorder=4)
    return container
