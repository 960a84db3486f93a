"""The figure `paired`: lines that join runs of the same seed, across rows or across values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from mmspec.errors import ReportError
from mmspec.plugins.api import Figure, Groups, Looks, option
from mmspec.report.figures.shared import (
    GREY,
    left_out,
    names_of,
    not_empty,
    say_nothing,
    seed_numbers,
    short,
    split,
    wrapped,
    zero_line,
)
from mmspec.report.tables.statistics import summarise
from mmspec.report.text import minus
from mmspec.spec.words import show, suggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What stands at one place across: its name, the look of its points, and the numbers by seed.
Column = tuple[str, Mapping[str, Any], Mapping[int, float]]


@attrs.frozen(kw_only=True)
class Paired(Figure):
    """Lines that join runs of the same seed: across rows, or with several values across these in each row."""

    values: tuple[str, ...] = option(
        "metrics with their split; one: lines run across the rows; several: across these", validator=not_empty
    )
    labels: tuple[str, ...] = option("what a reader sees instead of the metrics' names", default=())
    reference: str | None = option(
        "the row, or value, that differences are taken from; absent: the first", default=None
    )
    y_label: str | None = option("what the vertical axis shows; absent: the metric's name", default=None)

    def size(self, groups: Groups) -> tuple[float, float]:
        """One line of panels, or more where there are more than four rows."""
        if len(self.values) == 1:
            return 5.5, 3.0
        drawn = sum(any(seed_numbers(runs, value) for value in self.values) for runs in groups.values())
        lines = max(1, -(-drawn // _across(drawn)))
        return 5.5, 0.4 + 2.1 * lines

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """One panel across the rows, or a panel for each row across the values."""
        names = names_of(self.values, self.labels)
        self._refuse_unknown(groups if len(names) == 1 else names)
        found = {
            label: {value: seed_numbers(runs, value) for value in names} for label, runs in groups.items()
        }
        drawn = {label: by_value for label, by_value in found.items() if any(by_value.values())}
        remarks = ["Lines join runs of the same seed; bars are means."] if drawn else []
        if not drawn:
            say_nothing(axes, " or ".join(names))
        elif len(names) == 1:
            (value,) = names
            columns = [(label, looks[label], by[value]) for label, by in drawn.items()]
            _panel(axes, columns, room=84)
            axes.set_ylabel(wrapped(self.y_label or names[value], 44, 2), parse_math=False)
            remarks += differences(columns, self.reference)
        else:
            remarks += self._panels(axes, drawn, names, looks)
        counts = {label: min(map(len, by_value.values())) for label, by_value in found.items()}
        return [*remarks, *left_out(groups, counts, " and ".join(names))]

    def _refuse_unknown(self, known: Iterable[str]) -> None:
        if self.reference is not None and self.reference not in known:
            what = "row" if len(self.values) == 1 else "value"
            raise ReportError(
                f"reference: there is no {what} {show(self.reference)}",
                hint=suggestion(self.reference, known, of=f"{what}s"),
            )

    def _panels(
        self,
        axes: Axes,
        drawn: Mapping[str, Mapping[str, Mapping[int, float]]],
        names: Mapping[str, str],
        looks: Looks,
    ) -> Iterator[str]:
        """A panel for each row, all on one scale."""
        across = _across(len(drawn))
        grid = split(axes, [1.0] * -(-len(drawn) // across), across)
        panels = [panel for line in grid for panel in line]
        limits: list[float] = []
        for panel, (label, by_value) in zip(panels, drawn.items(), strict=False):
            columns = [(name, looks[label], by_value[value]) for value, name in names.items()]
            _panel(panel, columns, room=72 // across)
            panel.set_title(wrapped(label, 22, 2), fontsize=8.0, parse_math=False)
            limits += panel.get_ylim()
            reference = names[self.reference] if self.reference else None
            yield from (f"{label}: {said}" for said in differences(columns, reference))
        for index, panel in enumerate(panels):
            panel.set_visible(index < len(drawn))
            panel.set_ylim(min(limits), max(limits))
            panel.tick_params(axis="y", labelleft=index % across == 0)
            zero_line(panel)
        for line in grid:
            line[0].set_ylabel(wrapped(self.y_label or "", 30, 2), parse_math=False)


def _across(panels: int) -> int:
    return max(1, panels if panels <= 4 else 3)


def differences(columns: Sequence[Column], reference: str | None) -> Iterator[str]:
    """How each column differs from the reference, over the seeds that both have."""
    named = {name: numbers for name, _, numbers in columns}
    start = reference if reference in named else next(iter(named))
    for name, numbers in named.items():
        common = sorted(numbers.keys() & named[start].keys())
        if name == start or not common:
            continue
        found = [numbers[seed] - named[start][seed] for seed in common]
        summary = summarise(found)
        spread = "" if summary.std is None else f" ± {summary.std:.3g}"
        above = sum(difference > 0 for difference in found)
        yield (
            f"{name} − {start}: {minus(f'{summary.mean:.3g}')}{spread} "
            f"(n = {len(found)} {'pair' if len(found) == 1 else 'pairs'}, {above} above zero)."
        )


def _panel(axes: Axes, columns: Sequence[Column], room: int) -> None:
    """Points at each place across, the mean of each as a bar, a line for each seed; `room` in characters."""
    seeds = sorted({seed for _, _, numbers in columns for seed in numbers})
    for seed in seeds:
        line = [(place, numbers[seed]) for place, (_, _, numbers) in enumerate(columns) if seed in numbers]
        axes.plot(*zip(*line, strict=True), color=GREY, linewidth=0.8, zorder=1)
    for place, (_, look, numbers) in enumerate(columns):
        shape = {key: value for key, value in look.items() if key != "linestyle"}
        axes.plot([place] * len(numbers), list(numbers.values()), linestyle="none", markersize=4, **shape)
        mean = summarise(list(numbers.values())).mean
        if mean is not None:
            axes.plot(
                [place - 0.22, place + 0.22], [mean, mean], color=look["color"], linewidth=2.2, zorder=2
            )
    width = room // len(columns)
    slant: Any = {} if width >= 8 else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    labels = [wrapped(name, width) if width >= 8 else short(name, 22) for name, _, _ in columns]
    axes.set_xticks(range(len(columns)), labels, parse_math=False, **slant)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(columns) - 0.5)
