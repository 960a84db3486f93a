"""From runs in rows to a table: aggregated, ranked, compared with the baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report import definition
from mmspec.report.definition import Column
from mmspec.report.published import Published
from mmspec.report.runs.choice import Choice, choose
from mmspec.report.runs.groups import RowRuns, check_one_setting
from mmspec.report.runs.selection import Selection, matches
from mmspec.report.tables.across import columns_of
from mmspec.report.tables.aggregates import CONFIDENCE, Spread, aggregate
from mmspec.report.tables.pairs import not_pairs
from mmspec.report.tables.statistics import (
    holm,
    mean_ranks,
    paired,
    places,
    ranks,
    summarise,
    welch,
    welch_interval,
)
from mmspec.report.tables.table import Cell, MeanRanks, Table, count_stale

#: The cells of one column, by the labels of their rows.
_ColumnCells = Mapping[str, Cell]


def build_table(
    wanted: definition.Table,
    rows: tuple[RowRuns, ...],
    published: Mapping[str, Published],
    selection: Selection,
    *,
    stale: Collection[str] = (),
) -> Table:
    """The table that `wanted` asks for, from runs sorted into rows; `stale` are addresses of runs.

    Raises:
        ReportError: a cell would average over runs of different settings, or be chosen on test.
    """
    columns = columns_of(wanted, rows, selection)
    choices = _choices(columns, rows)
    runs_in = _Scopes(rows, choices)
    by_column = [_column(column, rows, wanted, runs_in) for column in columns]
    expected = max((len(cell.taken) for cells in by_column for cell in cells.values()), default=0)
    cells = {
        row.label: tuple(_finished(cells[row.label], expected, stale) for cells in by_column) for row in rows
    }
    mean_rank = _mean_ranks(columns, by_column) if wanted.mean_rank else None
    return Table(wanted, columns, rows, cells, mean_rank, choices, published)


def _finished(cell: Cell, expected: int, stale: Collection[str]) -> Cell:
    return attrs.evolve(cell, seeds_expected=expected, stale=count_stale(cell.taken, stale))


def _choices(columns: Sequence[Column], rows: Sequence[RowRuns]) -> tuple[Choice, ...]:
    """What is chosen for each row that is a choice, once for all columns of the same runs."""
    scopes: list[Mapping[str, object]] = []
    for column in columns:
        if column.where not in scopes:
            scopes.append(column.where)
    return tuple(choose(row, scope) for row in rows if row.by is not None for scope in scopes)


class _Scopes:
    """The runs of each row that count in a column: looked for once for all columns of the same `where`."""

    def __init__(self, rows: Sequence[RowRuns], choices: Sequence[Choice]) -> None:
        self._rows = rows
        self._choices = choices
        self._found: list[tuple[Mapping[str, object], dict[str, list[RecordedRun]]]] = []

    def __call__(self, where: Mapping[str, object]) -> dict[str, list[RecordedRun]]:
        """By the label of the row, in the order of the seeds."""
        for scope, found in self._found:
            if scope == where:
                return found
        chosen = {choice.row.label: choice.runs for choice in self._choices if choice.scope == where}
        found = {row.label: self._of(row, chosen.get(row.label, row.runs), where) for row in self._rows}
        self._found.append((where, found))
        return found

    def _of(
        self, row: RowRuns, runs: Sequence[RecordedRun], where: Mapping[str, object]
    ) -> list[RecordedRun]:
        within = [run for run in runs if matches(run, where)] if where else runs
        check_one_setting(row.label, within)
        return sorted(within, key=lambda run: run.seed)


# ---------------------------------------------------------------- a column


def _column(
    column: Column,
    rows: Sequence[RowRuns],
    wanted: definition.Table,
    runs_in: Callable[[Mapping[str, object]], dict[str, list[RecordedRun]]],
) -> _ColumnCells:
    """One column, top to bottom: aggregated, compared, ranked."""
    runs = runs_in(column.where)
    cells: _ColumnCells = {row.label: _cell(column, runs[row.label]) for row in rows}
    baseline = cells.get(wanted.baseline) if wanted.baseline is not None else None
    if baseline is not None:
        cells = _compared(cells, baseline, wanted)
    if column.show == "delta":
        cells = {label: _delta(cell, baseline, wanted) for label, cell in cells.items()}
    numbers = {label: number for label, cell in cells.items() if (number := cell.number) is not None}
    better = "none" if column.aggregate == "n" else column.better
    ranked, placed = ranks(numbers, better), places(numbers, better)
    return {
        label: attrs.evolve(cell, rank=ranked.get(label), place=placed.get(label))
        for label, cell in cells.items()
    }


def _cell(column: Column, runs: Sequence[RecordedRun]) -> Cell:
    having = [(run, _number(run.values.get(column.value))) for run in runs]
    taken = tuple((run, float(value)) for run, value in having if value is not None)
    without = tuple(run for run, value in having if value is None)
    values = [value for _, value in taken]
    summary = summarise(values)
    if column.aggregate in (None, "mean_std"):
        return Cell(column, taken, without, summary)
    shown = aggregate(values, column.aggregate) if taken else Spread()
    return Cell(column, taken, without, summary, shown=shown)


def _number(value: object) -> float | None:
    """A recorded value as a number; None for what is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# ---------------------------------------------------------------- against the baseline


def _compared(cells: _ColumnCells, baseline: Cell, wanted: definition.Table) -> _ColumnCells:
    """The cells with Holm's p against the baseline, over the tests of one column."""
    column = baseline.column
    if wanted.test == "none" or column.show == "rank" or column.aggregate == "n":
        return cells
    others = {
        label: cell for label, cell in cells.items() if cell.number is not None and cell is not baseline
    }
    if baseline.number is None:
        return cells
    reasons: dict[str, str] = {}
    if wanted.test == "paired":
        found = {label: not_pairs(cell.runs, baseline.runs) for label, cell in others.items()}
        reasons = {label: reason for label, reason in found.items() if reason is not None}
    test = paired if wanted.test == "paired" else welch
    values = {label: cell.values for label, cell in others.items() if label not in reasons}
    p_values = holm(test(values, baseline.values))
    return {
        label: attrs.evolve(cell, p=p_values.get(label), unpaired=reasons.get(label))
        for label, cell in cells.items()
    }


def _delta(cell: Cell, baseline: Cell | None, wanted: definition.Table) -> Cell:
    """The cell with its difference to the baseline.

    Of pairs, the differences of the pairs are aggregated. Else it is the difference of the two centres, and
    has no spread but Welch's confidence interval.
    """
    if baseline is None or cell.shown.centre is None or baseline.shown.centre is None:
        return attrs.evolve(cell, shown=Spread())
    if cell.taken == baseline.taken:
        return attrs.evolve(cell, shown=Spread(0.0))
    how = cell.column.aggregate or "mean_std"
    whole = cell.number is not None and baseline.number is not None
    if wanted.test == "paired" and whole and cell.unpaired is None:
        pairs = zip(cell.values, baseline.values, strict=True)
        return attrs.evolve(cell, shown=aggregate([mine - other for mine, other in pairs], how))
    interval = None
    if how == "mean_ci" and whole and wanted.test != "paired":
        interval = welch_interval(cell.values, baseline.values, CONFIDENCE)
    low, high = interval or (None, None)
    return attrs.evolve(cell, shown=Spread(cell.shown.centre - baseline.shown.centre, low=low, high=high))


# ---------------------------------------------------------------- over the columns


def _mean_ranks(columns: Sequence[Column], by_column: Sequence[_ColumnCells]) -> MeanRanks:
    """The mean rank of each row over what is measured: a value that is shown in two ways counts once."""
    counted: list[Column] = []
    numbers: list[dict[str, float]] = []
    for column, cells in zip(columns, by_column, strict=True):
        known = any((column.value, column.where) == (other.value, other.where) for other in counted)
        found = {label: cell.number for label, cell in cells.items()}
        if column.better == "none" or column.aggregate == "n" or known:
            continue
        sign = -1.0 if column.better == "max" else 1.0
        signed = {label: sign * number for label, number in found.items() if number is not None}
        if len(signed) == len(found) > 1:
            counted.append(column)
            numbers.append(signed)
    return MeanRanks(mean_ranks(numbers) if numbers else {}, tuple(counted))
