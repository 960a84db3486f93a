"""The figures that come with mmspec: curves over training, and bars of final numbers."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, Looks, RecordedRun, option
from mmspec.report.statistics import summarise
from mmspec.report.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def not_empty(_: object, __: object, value: Sequence[object]) -> None:
    """Refuse an empty list."""
    if not value:
        raise ValueError("is an empty list")


@attrs.frozen(kw_only=True)
class Curves(Figure):
    """A metric over training: the mean over seeds as a line for each row, its spread as a band."""

    value: str = option("a metric of the training rows, e.g. train/d_speed")
    per: Literal["step", "epoch"] = option("over optimizer steps, or over epochs", default="step")
    band: Literal["std", "range"] = option(
        "mean ± standard deviation, or lowest to highest seed", default="std"
    )
    y_label: str | None = option("what the vertical axis shows; absent: the metric's name", default=None)

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A line and a band for each row that has the metric."""
        drawn: dict[str, Curve] = {}
        for label, runs in groups.items():
            curve = average(runs, self.per, self.value, self.band)
            if curve is not None:
                drawn[label] = curve
                look = {key: looks[label][key] for key in ("color", "linestyle")}
                axes.fill_between(curve.x, curve.low, curve.high, color=look["color"], alpha=0.18, lw=0)
                axes.plot(curve.x, curve.mean, **look)
        axes.axhline(0, color="#9a9a9a", linewidth=0.6, zorder=0)
        axes.set_xlabel("optimizer steps" if self.per == "step" else "epochs")
        axes.set_ylabel(one_line(self.y_label or self.value), parse_math=False)
        axes.set_xlim(0, max((curve.x[-1] for curve in drawn.values()), default=1))
        _label_ends(axes, drawn, looks, height=0.78 * self.size(groups)[1])
        spread = "mean ± standard deviation" if self.band == "std" else "mean, lowest and highest"
        counts = {label: curve.seeds for label, curve in drawn.items()}
        return [f"Lines and bands: {spread} over seeds.", *_left_out(groups, counts, self.value)]


@attrs.frozen
class Curve:
    """A mean over `seeds` runs and its band, at the positions that all of them have."""

    seeds: int
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def average(
    runs: Sequence[RecordedRun], kind: Literal["step", "epoch"], name: str, band: str
) -> Curve | None:
    """The mean of a metric over the runs that have it, where all of those are finite; None if nowhere."""
    tracks = [track for run in runs if (track := _track(run, kind, name))]
    x = sorted(set.intersection(*map(set, tracks))) if tracks else []
    if not x:
        return None
    values = np.array([[track[position] for position in x] for track in tracks])
    mean = values.mean(axis=0)
    if len(tracks) == 1:
        low = high = mean
    elif band == "range":
        low, high = values.min(axis=0), values.max(axis=0)
    else:
        std = values.std(axis=0, ddof=1)
        low, high = mean - std, mean + std
    return Curve(len(tracks), np.array(x), mean, low, high)


def _track(run: RecordedRun, kind: Literal["step", "epoch"], name: str) -> dict[int, float]:
    """The finite values of a metric by step or epoch."""
    rows = run.rows(kind=kind, names=[name])
    track = {(row.step if kind == "step" else row.epoch): row.values[name] for row in rows}
    return {position: value for position, value in track.items() if math.isfinite(value)}


def _label_ends(axes: Axes, curves: Mapping[str, Curve], looks: Looks, height: float) -> None:
    """Write each row's label where its line ends, pushed apart on axes `height` inches high."""
    if not curves:
        return
    low, high = axes.get_ylim()
    ends = {label: (float(curve.mean[-1]) - low) / (high - low) for label, curve in curves.items()}
    places = spread_out(ends, gap=8.0 * 1.3 / 72 / height)
    leader = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 1}
    for label, curve in curves.items():
        end = (float(curve.x[-1]), float(curve.mean[-1]))
        axes.annotate(
            one_line(label),
            xy=end,
            xytext=(1.045, places[label]),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            parse_math=False,
            arrowprops={**leader, "color": looks[label]["color"]},
        )


def spread_out(wanted: Mapping[str, float], gap: float) -> dict[str, float]:
    """Places as near to the wanted ones as can be, in the same order, at least `gap` apart.

    Labels that would touch form a block around the mean of their wanted places; blocks that touch merge.
    """
    blocks: list[list[str]] = []
    for name in sorted(wanted, key=lambda name: wanted[name]):
        blocks.append([name])
        while len(blocks) > 1 and _bottom(blocks[-1], wanted, gap) < _top(blocks[-2], wanted, gap) + gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return {
        name: _bottom(block, wanted, gap) + gap * index
        for block in blocks
        for index, name in enumerate(block)
    }


def _bottom(block: Sequence[str], wanted: Mapping[str, float], gap: float) -> float:
    return math.fsum(wanted[name] for name in block) / len(block) - gap * (len(block) - 1) / 2


def _top(block: Sequence[str], wanted: Mapping[str, float], gap: float) -> float:
    return _bottom(block, wanted, gap) + gap * (len(block) - 1)


def _left_out(groups: Groups, drawn: Mapping[str, int], value: str) -> Iterable[str]:
    """What a figure does not show; `drawn` are the seeds that each row is drawn from."""
    missing = [label for label in groups if not drawn.get(label)]
    if missing:
        yield f"Not drawn, without {value}: {', '.join(missing)}."
    most = max(drawn.values(), default=0)
    if fewer := [f"{label} ({n})" for label, n in drawn.items() if 0 < n < most]:
        yield f"From fewer than {most} seeds: {', '.join(fewer)}."


@attrs.frozen(kw_only=True)
class Bars(Figure):
    """Final numbers: a bar for each value and row (mean and standard deviation), a point for each seed."""

    values: tuple[str, ...] = option("metrics with their split", validator=not_empty)
    labels: tuple[str, ...] = option("what a reader sees instead of the metrics' names", default=())
    y_label: str = option("what the vertical axis shows", default="")

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """One group of bars for each row that has a value."""
        del looks  # colours tell the values apart; rows stand beside each other
        drawn = [label for label, runs in groups.items() if any(finite_numbers(runs, v) for v in self.values)]
        width = 0.78 / len(self.values)
        handles: dict[str, Any] = {}
        for index, value in enumerate(self.values):
            name = self.labels[index] if index < len(self.labels) else value
            offset = (index - (len(self.values) - 1) / 2) * width
            bars = [
                (place + offset, finite_numbers(groups[label], value)) for place, label in enumerate(drawn)
            ]
            handles[name] = _bars(axes, [(x, v) for x, v in bars if v], width, f"C{index}")
        axes.axhline(0, color=axes.spines["left"].get_edgecolor(), linewidth=0.6)
        labels = [textwrap.fill(one_line(label), 14) for label in drawn]
        axes.set_xticks(range(len(drawn)), labels, parse_math=False)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(one_line(self.y_label), parse_math=False)
        _legend(axes, handles)
        reading = "Bars: mean over seeds; whiskers: standard deviation; points: single seeds."
        found = {
            label: [len(finite_numbers(groups[label], value)) for value in self.values] for label in drawn
        }
        counts = {label: min(filter(None, lengths)) for label, lengths in found.items()}
        return [reading, *_left_out(groups, counts, " and ".join(self.values))]


def finite_numbers(runs: Sequence[RecordedRun], value: str) -> list[float]:
    """The finite values, by seed."""
    found = [run.values.get(value) for run in sorted(runs, key=lambda run: run.seed)]
    return [float(v) for v in found if isinstance(v, int | float) and math.isfinite(v)]


def _bars(axes: Axes, bars: Sequence[tuple[float, Sequence[float]]], width: float, colour: str) -> Any:
    """The bars of one value; returns what a legend shows for them."""
    ink: Any = axes.spines["left"].get_edgecolor()
    summaries = [summarise(numbers) for _, numbers in bars]
    container = axes.bar(
        [x for x, _ in bars], [summary.mean or 0.0 for summary in summaries], width * 0.9, color=colour
    )
    for (x, numbers), summary in zip(bars, summaries, strict=True):
        axes.errorbar(
            x, summary.mean or 0.0, yerr=summary.std or 0.0, color=ink, linewidth=0.8, capsize=2, zorder=3
        )
        spread = np.linspace(-0.36, -0.14, len(numbers)) * width  # beside the whisker
        axes.scatter(x + spread, numbers, s=9, facecolors="white", edgecolors=ink, linewidths=0.6, zorder=4)
    return container


def _legend(axes: Axes, handles: Mapping[str, Any]) -> None:
    """Names of the values above the bars."""
    legend = axes.legend(
        handles.values(),
        [" "] * len(handles),
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=min(len(handles), 4),
        handlelength=1.1,
        borderaxespad=0.3,
    )
    for text, name in zip(legend.get_texts(), handles, strict=True):
        text.set_parse_math(False)
        text.set_text(one_line(name))
