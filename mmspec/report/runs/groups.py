"""Runs, sorted into the rows of a table or the strategies of a figure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from mmspec.errors import ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import Row, Rows, RowsBy, shown
from mmspec.report.runs.selection import Finder, Selection, said, same
from mmspec.spec.words import dotted, show, suggestion

Groups = Mapping[str, tuple[RecordedRun, ...]]


@attrs.frozen
class Candidate:
    """Runs that may stand in a row: those of which `where` is true."""

    where: Mapping[str, Any]
    runs: tuple[RecordedRun, ...]

    @property
    def name(self) -> str:
        """What tells it from the row's other candidates, for a reader."""
        values = [shown(value) for name, value in self.where.items() if name != "experiment"]
        return ", ".join(values) or shown(self.where.get("experiment", ""))

    def fits(self, where: Mapping[str, Any]) -> bool:
        """Whether a run could be of this candidate and of `where` too."""
        return all(same(self.where[name], value) for name, value in where.items() if name in self.where)


@attrs.frozen
class RowRuns:
    """A row and its runs: of one candidate, or `by` is the metric that chooses one in each column.

    `method` is what the row is called in published files.
    """

    label: str
    candidates: tuple[Candidate, ...]
    by: str | None = None
    method: str | None = None

    @property
    def runs(self) -> tuple[RecordedRun, ...]:
        """All that may stand in the row, each once."""
        return tuple({run.address: run for c in self.candidates for run in c.runs}.values())


def group(rows: Rows, selection: Selection) -> dict[str, tuple[RecordedRun, ...]]:
    """The runs that enter, by the label of their row, in the rows' order; a row may be empty.

    Raises:
        ReportError: the rows name a label or a value that no run has.
    """
    return {row.label: row.runs for row in rows_of(rows, selection)}


def rows_of(rows: Rows, selection: Selection) -> tuple[RowRuns, ...]:
    """The rows with the runs that enter, in order; a row may be empty.

    Raises:
        ReportError: the rows name a label or a value that no run has.
    """
    if isinstance(rows, RowsBy):
        found = _by_value(rows, selection)
    else:
        check_names((name for row in rows for where in _wheres(row) for name in where), selection)
        finder = Finder(selection.runs)
        found = [_said(row, finder) for row in rows]
    labels = [row.label for row in found]
    for label in labels:
        if labels.count(label) > 1:
            raise ReportError(f"two rows have the label {show(label)}", hint="give each row its own label")
    return tuple(found)


def _wheres(row: Row) -> tuple[Mapping[str, Any], ...]:
    return row.best_of or (row.where,)


def _said(row: Row, finder: Finder) -> RowRuns:
    candidates = [Candidate(where, finder.matching(where)) for where in _wheres(row)]
    return RowRuns(row.label, tuple(candidates), row.by, row.published)


def _by_value(rows: RowsBy, selection: Selection) -> list[RowRuns]:
    check_names([rows.by], selection)
    values = {value: said(run, rows.by) for run in selection.all_runs for value in [_text(run, rows.by)]}
    values.pop(None, None)
    order = list(
        dict.fromkeys([*map(shown, rows.order), *sorted(values, key=lambda v: _sortable(values[v]))])
    )
    for name, named in (("labels", rows.labels), ("published", rows.published)):
        for value in named:
            if value not in order:
                raise ReportError(
                    f"rows.{name} names {show(value)}, which is no value of {rows.by}",
                    hint=suggestion(value, order, of="its values"),
                )
    runs: dict[str, list[RecordedRun]] = {value: [] for value in order}
    for run in selection.runs:
        value = _text(run, rows.by)
        if value is not None:
            runs[value].append(run)
    typed = {**{shown(value): value for value in rows.order}, **values}
    return [
        RowRuns(
            rows.labels.get(value, value),
            (Candidate({rows.by: typed[value]}, tuple(runs[value])),),
            method=rows.published.get(value),
        )
        for value in order
    ]


def _text(run: RecordedRun, name: str) -> Any:
    value = said(run, name)
    return None if value is None else shown(value)


def _sortable(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, before words by the alphabet."""
    if isinstance(value, int | float):
        return False, float(value), ""
    return True, 0.0, str(value)


def check_names(names: Iterable[str], selection: Selection) -> None:
    """Refuse labels and keys that no run answers to; without runs there is nothing to check against."""
    runs = selection.all_runs
    for name in names:
        if runs and all(said(run, name) is None for run in runs):
            known = sorted({label for run in runs for label in run.labels} | {"experiment", "seed"})
            raise ReportError(
                f"no run has a label or a key {show(name)}", hint=suggestion(name, known, of="labels")
            )


def check_one_setting(label: str, runs: Collection[RecordedRun]) -> None:
    """Refuse a cell or a curve that would average over runs of different settings."""
    if len({(run.experiment, str(run.labels)) for run in runs}) < 2:
        return  # in most cells; their order in the labels is looked at only where they differ
    settings = {(run.experiment, str(sorted(run.labels.items(), key=str))): run for run in runs}
    if len(settings) < 2:
        return
    every = list(settings.values())
    differing = sorted(
        {name for run in every for name in run.labels if len({str(r.labels.get(name)) for r in every}) > 1}
    )
    if len({run.experiment for run in every}) > 1:
        differing.insert(0, "experiment")
    examples = ", ".join(sorted({str(said(run, differing[0])) for run in every})[:4])
    raise ReportError(
        f"row {show(label)} would average over runs that differ in {', '.join(differing)} ({examples})",
        hint=f"add where = {{{dotted([differing[0]])} = …}} to the row or the column",
    )
