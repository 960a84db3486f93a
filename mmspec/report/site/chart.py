"""A small line chart as SVG, drawn by a few lines of code: hundreds of them must not take minutes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

import attrs

from mmspec.report.formats.html_text import escape
from mmspec.report.site.frame import number
from mmspec.report.text import minus

_WIDTH, _HEIGHT = 340.0, 170.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 8.0, 8.0, 20.0
#: A longer line is drawn by the smallest and the largest value of each of so many stretches.
STRETCHES = 160


@attrs.frozen
class Line:
    """One line. `look` picks its colour and dashes, 0 to 5; `lost` counts values that were not finite."""

    label: str
    look: int
    xs: array[float]
    ys: array[float]
    lost: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether not all points are drawn."""
        return len(self.xs) > 2 * STRETCHES


def draw_chart(name: str, title: str, lines: Sequence[Line], mark: tuple[float, str] | None = None) -> str:
    """The chart, said in words too. `name` is for its ids; `mark` is a place on the x axis and what it is."""
    xs = _axis([x for line in lines for x in (line.xs[0], line.xs[-1])], _LEFT, _WIDTH - _RIGHT, 5)
    low, high = min(min(line.ys) for line in lines), max(max(line.ys) for line in lines)
    ys = _axis([low, high], _HEIGHT - _BOTTOM, _TOP, 5)
    parts = [
        f'<svg class="chart" role="img" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'aria-labelledby="{name}-t {name}-d">',
        f'<title id="{name}-t">{escape(title)}</title>',
        f'<desc id="{name}-d">{escape(describe(lines, mark))}</desc>',
        *_grid(xs, ys),
        *([_mark(xs.place(mark[0]))] if mark else []),
        *(_path(line, xs, ys) for line in lines),
        "</svg>",
    ]
    return "".join(parts)


def describe(lines: Iterable[Line], mark: tuple[float, str] | None = None) -> str:
    """What the chart shows, in words."""
    said = [_said(line) for line in lines]
    if mark:
        said.append(f"{mark[1]} at step {mark[0]:g}.")
    return " ".join(said)


def _said(line: Line) -> str:
    first, last = (
        f"{number(line.ys[0])} at step {line.xs[0]:g}",
        f"{number(line.ys[-1])} at step {line.xs[-1]:g}",
    )
    text = f"{line.label}: from {first} to {last}, between {number(min(line.ys))} and {number(max(line.ys))}."
    if line.is_cut:
        text += f" Of {len(line.xs):,} points, the smallest and the largest of each of {STRETCHES} stretches."
    if line.lost:
        text += f" {line.lost} values are no finite numbers and are left out."
    return text


def envelope(line: Line) -> Iterable[int]:
    """The indices of the points that are drawn: of a long line two of each stretch, so no peak is lost."""
    size = len(line.xs)
    if not line.is_cut:
        return range(size)
    kept: list[int] = []
    for stretch in range(STRETCHES):
        part = range(stretch * size // STRETCHES, (stretch + 1) * size // STRETCHES)
        ends = (min(part, key=line.ys.__getitem__), max(part, key=line.ys.__getitem__))
        kept += sorted(set(ends))
    return kept


# ---------------------------------------------------------------- axes


@attrs.frozen
class _Axis:
    """Values to places: `low` to `high` lie between `start` and `end`; `ticks` with their labels."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _axis(values: Sequence[float], start: float, end: float, most: int) -> _Axis:
    low, high = min(values), max(values)
    if not high - low > abs(high) * 1e-9:
        low, high = low - (abs(low) * 0.05 or 0.5), high + (abs(high) * 0.05 or 0.5)
    step = nice_step((high - low) / most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = [index * step for index in range(first, last + 1)]
    margin = 0.0 if start < end else (high - low) * 0.04  # the lines do not touch the frame from below
    return _Axis(low - margin, high + margin, start, end, [(tick, _label(tick, step)) for tick in ticks])


def nice_step(about: float) -> float:
    """The next of 1, 2, 5, 10, … times a power of ten that is not below `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return next((power * factor for factor in (1, 2, 5) if power * factor >= about * (1 - 1e-9)), power * 10)


def _label(tick: float, step: float) -> str:
    if abs(tick) >= 1e5 or step < 1e-4:
        return minus(f"{tick:.3g}")
    return minus(f"{tick:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}")


def _grid(xs: _Axis, ys: _Axis) -> Iterable[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for tick, label in ys.ticks:
        y = ys.place(tick)
        yield f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{right:g}"/>'
        yield f'<text x="{_LEFT - 6:g}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
    yield f'<path class="axis" d="M{_LEFT:g} {bottom:g}H{right:g}"/>'
    for tick, label in xs.ticks:
        x = xs.place(tick)
        yield f'<path class="axis" d="M{x:.1f} {bottom:g}v3.5"/>'
        anchor = "end" if x > right - 12 else "middle"
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 4:g}" text-anchor="{anchor}">{label}</text>'


def _mark(x: float) -> str:
    return f'<path class="mark" d="M{x:.1f} {_TOP:g}V{_HEIGHT - _BOTTOM:g}"/>'


def _path(line: Line, xs: _Axis, ys: _Axis) -> str:
    points = [f"{xs.place(line.xs[i]):.1f} {ys.place(line.ys[i]):.1f}" for i in envelope(line)]
    drawn = f'<path class="line l{line.look}" d="M{"L".join(points)}"/>'
    if len(points) == 1:
        x, y = points[0].split()
        drawn += f'<circle class="dot l{line.look}" cx="{x}" cy="{y}" r="2.5"/>'
    return drawn


def key_of(line: Line) -> str:
    """A sample of a line with its label, for a legend."""
    drawn = f'<path class="line l{line.look}" d="M1 4H25"/>'
    sample = f'<svg class="chart" viewBox="0 0 26 8" aria-hidden="true">{drawn}</svg>'
    return f'<span class="key">{sample} {escape(line.label)}</span>'
