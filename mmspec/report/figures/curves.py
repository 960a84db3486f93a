"""The figure `curves`: metrics over training, as means over seeds with bands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from mmspec.plugins.api import Figure, Groups, Looks, RecordedRun, at_least, option
from mmspec.plugins.recorded import kind_of_stage
from mmspec.report.figures.shared import (
    left_out,
    names_of,
    say_nothing,
    short_names,
    split,
    wrapped,
    zero_line,
)
from mmspec.report.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The finite values of a metric by step or epoch.
Track = Mapping[int, float]

#: A line has no more points than this: it could not show them.
_POINTS = 1000
#: Inches that a label at the end of a line needs.
_LABEL = 8.0 * 1.3 / 72


@attrs.frozen(kw_only=True)
class Curves(Figure):
    """Metrics over training: the mean over seeds as a line for each row, its spread as a band.

    Several `values` have panels of their own, below each other or in `columns`, over the same steps.
    """

    value: str | None = option("a metric of the training rows, e.g. train/d_speed", default=None)
    values: tuple[str, ...] = option("several metrics instead, a panel for each", default=())
    labels: tuple[str, ...] = option("what a reader sees instead of the names of `values`", default=())
    columns: int = option("how many panels stand beside each other", default=1, validator=at_least(1))
    per: Literal["step", "epoch"] = option("over optimizer steps, or over epochs", default="step")
    stage: str | None = option("the stage of training; absent: the last one", default=None)
    band: Literal["std", "range"] = option(
        "mean ± standard deviation, or lowest to highest seed", default="std"
    )
    smooth: int = option(
        "each seed's values are averaged over so many neighbours, which is said below", default=1,
        validator=at_least(1),
    )  # fmt: skip
    scale: Literal["linear", "log"] = option("scale of the vertical axis", default="linear")
    x_label: str | None = option("what the horizontal axis shows; absent: steps or epochs", default=None)
    y_label: str | None = option("what the vertical axis shows; absent: the metric's name", default=None)

    def __attrs_post_init__(self) -> None:
        if (self.value is None) == (not self.values):
            raise ValueError("it needs either value or values")

    def size(self, groups: Groups) -> tuple[float, float]:
        """As high as the panels, and the labels beside them, need."""
        across = self._across()
        least = 2.4 if len(self._names()) == 1 else 1.5 if across == 1 else 2.0
        width = 5.5 if across == 1 else 3.9 * across
        return width, 0.6 + self._lines() * max(least, _LABEL * len(groups) + 0.1)

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A panel for each value; in it a line and a band for each row that has the metric."""
        names = self._names()
        tracks = {label: list(self._tracks(runs)) for label, runs in groups.items()}
        panels = self._split(axes) if len(names) > 1 else [axes]
        remarks: list[str] = []
        for panel, (value, name) in zip(panels, names.items(), strict=True):
            found = {label: [t[value] for t in of if t[value]] for label, of in tracks.items()}
            remarks += self._panel(panel, found, value, looks)
            alone = len(panels) == 1
            said = self.y_label if alone and self.y_label is not None else name
            panel.set_ylabel(wrapped(said, 44 if alone else 24, 2), parse_math=False)
        ends = [panel.get_xlim()[1] for panel in panels if panel.axison]
        for panel in panels:
            panel.set_xlim(0, max(ends, default=1.0))
        x_label = self.x_label or ("optimizer steps" if self.per == "step" else "epochs")
        for panel in panels[: -self._across()]:
            panel.tick_params(axis="x", labelbottom=False)
        for panel in panels[-self._across() :]:
            panel.set_xlabel(one_line(x_label), parse_math=False)
        several = any(len(of) > 1 for of in tracks.values())
        reading = [self._reading(several)] if ends else []
        return [*reading, *dict.fromkeys(remarks)]

    def _across(self) -> int:
        return min(self.columns, len(self._names()))

    def _lines(self) -> int:
        return -(-len(self._names()) // self._across())

    def _split(self, axes: Axes) -> list[Axes]:
        """A panel for each value, line by line."""
        panels = [panel for line in split(axes, [1.0] * self._lines(), self._across()) for panel in line]
        for panel in panels[len(self._names()) :]:
            panel.remove()
        return panels[: len(self._names())]

    def _reading(self, several: bool) -> str:
        """What lines and bands are, of one seed or `several`."""
        spread = "mean ± standard deviation" if self.band == "std" else "mean, lowest and highest"
        said = f"Lines and bands: {spread} over seeds." if several else "Lines: one seed."
        if self.smooth > 1:
            said += f" Smoothed: of each seed, the mean of {self.smooth} neighbouring rows."
        return said

    def _names(self) -> dict[str, str]:
        """The values, each with what a reader sees instead."""
        return names_of(self.values or (str(self.value),), self.labels)

    def _tracks(self, runs: Sequence[RecordedRun]) -> Iterator[dict[str, Track]]:
        """Of each run the values of each metric, smoothed if asked for."""
        names = list(self._names())
        for run in runs:
            stage = self.stage or _trained(run)
            tracks: dict[str, dict[int, float]] = {name: {} for name in names}
            for row in run.rows(kind=self.per, names=names, stage=stage):
                for name, value in row.values.items():
                    if math.isfinite(value):
                        tracks[name][row.step if self.per == "step" else row.epoch] = value
            yield {name: smoothed(track, self.smooth) for name, track in tracks.items()}

    def _panel(
        self, axes: Axes, tracks: Mapping[str, Sequence[Track]], value: str, looks: Looks
    ) -> Iterator[str]:
        """One metric; yields what is to be said of it."""
        curves = {label: average(of, self.band) for label, of in tracks.items()}
        found = {label: curve for label, curve in curves.items() if curve is not None}
        if self.scale == "log":
            found = {label: log for label, curve in found.items() if (log := _above_zero(curve)) is not None}
        if found:
            _lines(axes, found, looks)
            axes.set_yscale(self.scale)
            if self.scale == "linear":
                zero_line(axes)
            height = self.size(dict.fromkeys(tracks, ()))[1] / self._lines()
            _label_ends(axes, found, looks, height=0.78 * height)
        else:
            say_nothing(axes, value)
        what = value if self.scale == "linear" else f"{value} above zero, which a logarithmic scale needs"
        yield from left_out(tracks, {label: curve.seeds for label, curve in found.items()}, what)


def _trained(run: RecordedRun) -> str:
    """The last stage of a run that trains, if one does: others have no curves."""
    trained = [stage for stage in run.spec["stages"] if kind_of_stage(stage) == "trains"]
    return str((trained or [run.main_stage])[-1]["name"])


@attrs.frozen
class Curve:
    """A mean over `seeds` runs and its band, at the positions that all of them have."""

    seeds: int
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def at(self, chosen: np.ndarray) -> Curve:
        """The curve at some of its positions."""
        return Curve(self.seeds, self.x[chosen], self.mean[chosen], self.low[chosen], self.high[chosen])


def smoothed(track: Track, neighbours: int) -> Track:
    """The running mean over `neighbours` values, over as many as there are at both ends."""
    if neighbours == 1 or not track:
        return track
    positions = sorted(track)
    total = np.concatenate([[0.0], np.cumsum([track[position] for position in positions])])
    places = np.arange(len(positions))
    first = np.maximum(places - (neighbours - 1) // 2, 0)
    last = np.minimum(places + neighbours // 2 + 1, len(positions))
    means = (total[last] - total[first]) / (last - first)
    return dict(zip(positions, means.tolist(), strict=True))


def average(tracks: Sequence[Track], band: Literal["std", "range"]) -> Curve | None:
    """The mean over runs at the positions that all of them have; None where there are none."""
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


def _above_zero(curve: Curve) -> Curve | None:
    """The curve where its mean is above zero; a band that is not ends at a tenth of the smallest mean."""
    chosen = curve.mean > 0
    if not chosen.any():
        return None
    kept = curve.at(chosen)
    return attrs.evolve(kept, low=np.where(kept.low > 0, kept.low, kept.mean.min() / 10))


# ---------------------------------------------------------------- matplotlib


def _lines(axes: Axes, curves: Mapping[str, Curve], looks: Looks) -> None:
    """Lines with bands; markers on them stand at other places for each row."""
    for index, (label, whole) in enumerate(curves.items()):
        step = max(1, -(-len(whole.x) // _POINTS))
        curve = whole.at(np.unique(np.append(np.arange(0, len(whole.x), step), len(whole.x) - 1)))
        apart = max(1, len(curve.x) // 6)
        first = index * apart // max(len(curves), 1)
        axes.fill_between(curve.x, curve.low, curve.high, color=looks[label]["color"], alpha=0.18, lw=0)
        axes.plot(
            curve.x, curve.mean, markevery=(first, apart), markersize=3.2, clip_on=False, **looks[label]
        )
    axes.set_xlim(0, max(curve.x[-1] for curve in curves.values()))
    axes.locator_params(axis="x", integer=True)


def _label_ends(axes: Axes, curves: Mapping[str, Curve], looks: Looks, height: float) -> None:
    """Write each row's label and marker where its line ends, pushed apart on axes `height` inches high."""
    axes.get_ylim()  # makes the limits known to the transforms
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = {label: (float(curve.x[-1]), float(curve.mean[-1])) for label, curve in curves.items()}
    wanted = {label: float(to_axes.transform(end)[1]) for label, end in ends.items()}
    places = spread_out(_within(wanted, gap=_LABEL / height), gap=_LABEL / height)
    names = short_names(curves, 24)
    leader = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 1, "relpos": (0, 0.5)}
    for label, end in ends.items():
        axes.annotate(
            names[label],
            xy=end,
            xytext=(1.06, places[label]),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            parse_math=False,
            arrowprops={**leader, "color": looks[label]["color"]},
        )
        axes.plot(
            [1.045], [places[label]], transform=axes.transAxes, clip_on=False, markersize=3.2, **looks[label]
        )


def _within(wanted: Mapping[str, float], gap: float) -> dict[str, float]:
    """The wanted places moved so far that labels spread out around them stay between 0 and 1."""
    ordered = sorted(wanted, key=lambda name: wanted[name])
    last = len(ordered) - 1
    return {
        name: max(min(wanted[name], 1 - gap * (last - rank)), gap * rank) for rank, name in enumerate(ordered)
    }


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
