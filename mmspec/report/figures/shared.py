"""What several figures do: numbers of runs, names that fit, panels, legends, remarks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmspec.plugins.api import RecordedRun
from mmspec.report.text import listed, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lines that help the eye and are no data.
GREY = "#9a9a9a"
#: Beyond so many characters a name in a picture is shortened.
LONGEST = 32
#: What a line may be filled with: words with the spaces behind them, or parts of words up to a sign.
_PIECES = re.compile(r"[^\s|/_.,=]*(?:[|/_.,=]+|\s+|$)")


def not_empty(_: object, __: object, value: Sequence[object]) -> None:
    """Refuse an empty list."""
    if not value:
        raise ValueError("is an empty list")


# ---------------------------------------------------------------- numbers


def finite_numbers(runs: Sequence[RecordedRun], value: str) -> list[float]:
    """The finite values, by seed."""
    found = [run.values.get(value) for run in sorted(runs, key=lambda run: run.seed)]
    return [float(v) for v in found if isinstance(v, int | float) and math.isfinite(v)]


def seed_numbers(runs: Sequence[RecordedRun], value: str) -> dict[int, float]:
    """The finite values by seed; a seed that several runs have is left out."""
    seeds = [run.seed for run in runs]
    found = {run.seed: finite_numbers([run], value) for run in runs if seeds.count(run.seed) == 1}
    return {seed: numbers[0] for seed, numbers in sorted(found.items()) if numbers}


def left_out(rows: Iterable[str], drawn: Mapping[str, int], what: str) -> Iterable[str]:
    """What a figure does not show; `drawn` are the seeds that each row is drawn from."""
    missing = [label for label in rows if not drawn.get(label)]
    if missing:
        yield f"Not drawn, without {what}: {''.join(map(str, listed(missing)))}."
    most = max(drawn.values(), default=0)
    if fewer := [f"{label} ({n})" for label, n in drawn.items() if 0 < n < most]:
        yield f"From fewer than {most} seeds: {', '.join(fewer)}."


# ---------------------------------------------------------------- names


def names_of(values: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """What a reader sees instead of each value: its label, else its name."""
    return {
        value: labels[index] if index < len(labels) else value
        for index, value in enumerate(dict.fromkeys(values))
    }


def short(text: str, longest: int = LONGEST) -> str:
    """`text` on one line, with its middle left out if it is longer."""
    line = one_line(text)
    if len(line) <= longest:
        return line
    tail = (longest - 1) // 2
    return line[: longest - 1 - tail].rstrip() + "…" + line[-tail:].lstrip()


def short_names(labels: Iterable[str], longest: int = LONGEST) -> dict[str, str]:
    """Each label as it stands in a picture; those that would look alike are numbered."""
    names: dict[str, str] = {}
    for label in labels:
        name, number = short(label, longest), 2
        while name in names.values():
            name, number = f"{short(label, longest)} ({number})", number + 1
        names[label] = name
    return names


def wrapped(text: str, width: int = 14, lines: int = 3) -> str:
    """`text` in lines of `width` characters; shortened if it needs more than `lines` of them."""
    for longest in range(width * lines, width, -1):  # words seldom fill their lines
        found = _filled(short(text, longest), width)
        if len(found) <= lines:
            return "\n".join(found)
    return short(text, width)


def _filled(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces, behind signs, or where nothing else is left."""
    found = [""]
    for piece in _PIECES.findall(text):
        if len(found[-1]) + len(piece.rstrip()) <= width:
            found[-1] += piece
        else:
            found += [piece[at : at + width] for at in range(0, len(piece), width)]
    return [line.strip() for line in found if line.strip()]


# ---------------------------------------------------------------- matplotlib


def split(axes: Axes, heights: Sequence[float], columns: int) -> list[list[Axes]]:
    """Axes of panels in place of `axes`: rows of these heights, so many in each."""
    spec, canvas = axes.get_subplotspec(), axes.get_figure(root=False)
    assert spec is not None
    assert canvas is not None
    axes.remove()
    parts = spec.subgridspec(len(heights), columns, height_ratios=heights)
    return [
        [canvas.add_subplot(parts[row, column]) for column in range(columns)] for row in range(len(heights))
    ]


def say_nothing(axes: Axes, what: str) -> None:
    """Instead of an empty picture: that no run holds `what`."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        f"no run of these rows holds\n{wrapped(what, 60)}",
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=GREY,
        parse_math=False,
    )


def legend(axes: Axes, handles: Mapping[str, Any], *, beside: bool = False) -> None:
    """Names above the axes, or `beside` them in one column."""
    if not handles:
        return
    names = short_names(handles).values()
    across = min(len(handles), 4, 1 + 60 // (5 + max(map(len, names))))
    place: Any = (
        {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
        if beside
        else {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": across}
    )
    made = axes.legend(handles.values(), [" "] * len(handles), handlelength=1.4, borderaxespad=0.3, **place)
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def zero_line(axes: Axes, direction: str = "y") -> None:
    """A thin line at zero, where zero is within what is drawn."""
    low, high = sorted(axes.get_ylim() if direction == "y" else axes.get_xlim())
    if low <= 0 <= high:
        draw = axes.axhline if direction == "y" else axes.axvline
        draw(0, color=GREY, linewidth=0.6, zorder=0)
