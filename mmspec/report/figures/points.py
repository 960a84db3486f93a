"""The figure `points`: final numbers as marks on lines, row by row, in a panel for each value and dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from mmspec.errors import ReportError
from mmspec.plugins.api import Figure, Groups, Looks, RecordedRun, option
from mmspec.report.definition import shown
from mmspec.report.figures.shared import (
    GREY,
    finite_numbers,
    names_of,
    not_empty,
    say_nothing,
    short_names,
    split,
)
from mmspec.report.tables.statistics import summarise
from mmspec.report.text import one_line
from mmspec.spec.words import show, suggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@attrs.frozen(kw_only=True)
class Points(Figure):
    """Final numbers, a line for each row: mean, standard deviation and the seeds as points.

    Each value has a column of panels of its own, with one scale. With `panels`, each value of that label
    (each experiment, say) has panels of its own below each other.
    """

    values: tuple[str, ...] = option("metrics with their split", validator=not_empty)
    labels: tuple[str, ...] = option("what a reader sees instead of the metrics' names", default=())
    panels: str | None = option(
        "a label of the runs, or experiment: panels for each of its values; absent: none", default=None
    )
    panel_labels: dict[str, str] = option(
        "what a reader sees instead of these values; they come first, in this order", factory=dict
    )
    reference: str | None = option("a row: lines show how far the others are from it", default=None)

    @property
    def panels_by(self) -> str | None:
        """Runs of different panels are kept apart."""
        return self.panels

    def size(self, groups: Groups) -> tuple[float, float]:
        """As high as the rows and panels need."""
        panels = self._panels(groups)
        lines = sum(len(_with_runs(panel)) for panel in panels.values())
        return 5.5, 0.55 + 0.2 * max(lines, 1) + 0.3 * len(panels)

    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """A panel for each value and part of the runs; a line in it for each row that has runs there."""
        self._refuse_unknown(groups)
        panels, columns = self._panels(groups), self._columns(groups)
        if not any(finite_numbers(runs, value) for runs in groups.values() for value in columns):
            say_nothing(axes, " or ".join(columns))
            return list(self._remarks(groups, panels))
        grid = split(axes, [max(len(_with_runs(panel)), 1) for panel in panels.values()], len(columns))
        for (name, panel), line in zip(panels.items(), grid, strict=True):
            for value, part in zip(columns, line, strict=True):
                rows = {label: finite_numbers(panel[label], value) for label in _with_runs(panel)}
                _panel(part, rows, looks)
                self._lead(part, panel, value)
            first = next((part for part in line if part.get_visible()), line[0])
            first.tick_params(axis="y", labelleft=True)
            if self.panels is not None:
                _say(first, self.panel_labels.get(name, name))
        for index, name in enumerate(columns.values()):
            _finish([line[index] for line in grid], one_line(name))
        return list(self._remarks(groups, panels))

    def _refuse_unknown(self, groups: Groups) -> None:
        if self.reference is not None and self.reference not in groups:
            raise ReportError(
                f"reference: there is no row {show(self.reference)}",
                hint=suggestion(self.reference, groups, of="rows"),
            )
        runs = [run for group in groups.values() for run in group]
        if self.panels is not None and runs and all(self._panel_of(run) is None for run in runs):
            known = sorted({label for run in runs for label in run.labels} | {"experiment"})
            raise ReportError(
                f"panels: no run has a label {show(self.panels)}",
                hint=suggestion(self.panels, known, of="labels"),
            )

    def _panel_of(self, run: RecordedRun) -> str | None:
        value = {"experiment": run.experiment, **run.labels}.get(str(self.panels))
        return None if value is None else shown(value)

    def _columns(self, groups: Groups) -> dict[str, str]:
        """The values that any run holds, each with what a reader sees instead."""
        named = names_of(self.values, self.labels)
        held = {v: name for v, name in named.items() if any(finite_numbers(r, v) for r in groups.values())}
        return held or named

    def _panels(self, groups: Groups) -> dict[str, dict[str, list[RecordedRun]]]:
        """The runs of each row by panel, in order; panels without runs are left out, but for a last one."""
        if self.panels is None:
            return {"": {label: list(runs) for label, runs in groups.items()}}
        found = {
            name for runs in groups.values() for run in runs if (name := self._panel_of(run)) is not None
        }
        order = [name for name in self.panel_labels if name in found]
        order += sorted(found - set(order))
        return {
            name: {
                label: [run for run in runs if self._panel_of(run) == name] for label, runs in groups.items()
            }
            for name in order or [""]
        }

    def _lead(self, axes: Axes, panel: Mapping[str, Sequence[RecordedRun]], value: str) -> None:
        """Grey lines from the mean of the reference to those of the other rows."""
        means = {label: summarise(finite_numbers(runs, value)).mean for label, runs in panel.items()}
        start = means.get(self.reference or "")
        if start is None:
            return
        axes.axvline(start, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
        for place, label in enumerate(_with_runs(panel)):
            end = means[label]
            if end is not None and label != self.reference:
                arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": GREY, "lw": 0.8}
                axes.annotate(
                    "", (end, -place), (start, -place), arrowprops={**arrow, "shrinkA": 0}, zorder=1
                )

    def _remarks(
        self, groups: Groups, panels: Mapping[str, Mapping[str, Sequence[RecordedRun]]]
    ) -> Iterator[str]:
        counts = {
            (name, label): max(len(finite_numbers(runs, value)) for value in self.values)
            for name, panel in panels.items()
            for label, runs in panel.items()
        }
        most = max(counts.values(), default=0)
        if most > 1:
            yield f"Marks: mean over n = {most} seeds and standard deviation (n − 1); circles: seeds."
        elif most:
            yield "Marks: one seed."
        if self.reference is not None and most:
            yield f"Arrows: from the mean of {self.reference}."
        if fewer := [self._place(*at) for at, n in counts.items() if 0 < n < most]:
            yield f"From fewer than {most} seeds: {'; '.join(fewer)}."
        absent = [text for name, text in self.panel_labels.items() if name not in panels]
        absent += [label for label, runs in groups.items() if not runs]
        if absent:
            yield f"Without runs: {'; '.join(absent)}."
        if self.panels is not None and (
            apart := [label for label, runs in groups.items() if any(self._panel_of(r) is None for r in runs)]
        ):
            yield f"Not drawn, without {self.panels}: runs of {'; '.join(apart)}."
        for value in self.values:
            if lacking := list(self._lacking(panels, value)):
                yield f"Not drawn, without {value}: {'; '.join(lacking)}."

    def _lacking(
        self, panels: Mapping[str, Mapping[str, Sequence[RecordedRun]]], value: str
    ) -> Iterator[str]:
        """Panels, else rows of panels, whose runs do not hold the value."""
        for name, panel in panels.items():
            labels = [label for label in _with_runs(panel) if not finite_numbers(panel[label], value)]
            if self.panels is not None and labels == _with_runs(panel):
                yield self.panel_labels.get(name, name)
            else:
                yield from (self._place(name, label) for label in labels)

    def _place(self, panel: str, label: str) -> str:
        return label if self.panels is None else f"{label} ({self.panel_labels.get(panel, panel)})"


def _with_runs(panel: Mapping[str, Sequence[RecordedRun]]) -> list[str]:
    """The rows that a panel has lines for."""
    return [label for label, runs in panel.items() if runs]


# ---------------------------------------------------------------- matplotlib


def _panel(axes: Axes, rows: Mapping[str, Sequence[float]], looks: Looks) -> None:
    """One value: a line for each row, its mean and spread on the line, its seeds just below."""
    for place, (label, numbers) in enumerate(rows.items()):
        summary = summarise(numbers)
        if summary.mean is None:
            continue
        axes.axhline(-place, color=GREY, linewidth=0.3, alpha=0.6, zorder=0)
        colour = looks[label]["color"]
        if summary.std is not None:
            axes.errorbar(
                summary.mean, -place, xerr=summary.std, color=colour, linewidth=1.0, capsize=2, zorder=3
            )
            axes.scatter(
                numbers,
                [-place - 0.3] * len(numbers),
                s=7,
                facecolors="none",
                edgecolors=colour,
                lw=0.6,
                zorder=3,
            )
        look = {key: value for key, value in looks[label].items() if key != "linestyle"}
        axes.plot(summary.mean, -place, markersize=4.5, zorder=4, **look)
    labels = list(short_names(rows).values())
    axes.set_yticks([-place for place in range(len(labels))], labels, parse_math=False)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0.6 - len(labels), 0.5)
    axes.set_visible(any(rows.values()))


def _say(axes: Axes, text: str) -> None:
    """What a row of panels shows, above its first; it may be longer than that is wide."""
    axes.set_title(" ", fontsize=8.0)  # room for the text
    axes.text(
        0, 1.04, one_line(text), transform=axes.transAxes, weight="bold", in_layout=False, parse_math=False
    )


def _finish(column: Sequence[Axes], name: str) -> None:
    """One scale for a column of panels, with zero in it; its name and numbers below the last one drawn."""
    drawn = [axes for axes in column if axes.get_visible()]
    edges = [0.0, *(edge for axes in drawn for edge in axes.get_xlim())]
    room = 0.05 * (max(edges) - min(edges))  # for marks at the edge, and at zero
    for axes in drawn:
        axes.axvline(0, color=axes.spines["bottom"].get_edgecolor(), linewidth=0.6, zorder=0)
        axes.set_xlim(min(edges) - room, max(edges) + room)
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(axis="x", labelbottom=axes is drawn[-1])
    if drawn:
        drawn[-1].set_xlabel(name, parse_math=False)
