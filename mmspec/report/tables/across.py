"""Columns that stand once for each value of a label: `[tables.across]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from mmspec.errors import ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report import definition
from mmspec.report.definition import Across, Beside, Column, RowsBy, shown
from mmspec.report.runs.groups import RowRuns, rows_of
from mmspec.report.runs.selection import Selection, matches, said
from mmspec.spec.words import show, suggestion


def columns_of(wanted: definition.Table, rows: Sequence[RowRuns], selection: Selection) -> tuple[Column, ...]:
    """The columns of a table as they stand, each with its aggregate.

    Raises:
        ReportError: `across` names a label or a value that no run has.
    """
    columns = [attrs.evolve(c, aggregate=c.aggregate or wanted.aggregate) for c in wanted.columns]
    if wanted.over is None:
        return tuple(columns)
    by = wanted.over.by
    heads = _heads(wanted.over, columns, _within(rows, selection))
    return tuple(
        attrs.evolve(
            column,
            group=(head.label, *column.groups),
            where={**column.where, by: value},
            published=_beside(column.published, shown(value)),
        )
        for head in heads
        for value in [head.candidates[0].where[by]]
        for column in columns
    )


def _within(rows: Sequence[RowRuns], selection: Selection) -> Selection:
    """The runs of the rows alone, those that do not enter as well: their columns stand, with holes."""
    wheres = [candidate.where for row in rows for candidate in row.candidates]

    def some(runs: Iterable[RecordedRun]) -> tuple[RecordedRun, ...]:
        return tuple(run for run in runs if any(matches(run, where) for where in wheres))

    left_out = tuple(left for left in selection.left_out if some([left.run]))
    entered = {run.address: run for row in rows for run in row.runs}
    return Selection(tuple(run for run in selection.runs if run.address in entered), left_out)


def _heads(across: Across, columns: Sequence[Column], selection: Selection) -> tuple[RowRuns, ...]:
    """The values with what a reader sees, in order."""
    found = {shown(value) for run in selection.all_runs if (value := said(run, across.by)) is not None}
    values = sorted(found.union(map(shown, across.order)))
    published = [c.published.column for c in columns if c.published is not None]
    for key, named in [
        ("across.labels", across.labels),
        *(("published.column", column) for column in published if isinstance(column, dict)),
    ]:
        for name in named:
            if values and name not in values:
                raise ReportError(
                    f"{key} names {show(name)}, which is no value of {across.by}",
                    hint=suggestion(name, values, of="its values"),
                )
    heads = rows_of(RowsBy(by=across.by, order=across.order, labels=across.labels), selection)
    return heads if across.rest else heads[: len(dict.fromkeys(map(shown, across.order)))]


def _beside(beside: Beside | None, value: str) -> Beside | None:
    """What is published of one value: its own column of the file, if there is one."""
    if beside is None or not isinstance(beside.column, dict):
        return beside
    column = beside.column.get(value)
    return attrs.evolve(beside, column=column) if column is not None else None
