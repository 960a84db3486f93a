"""A table as every format renders it: rows, columns, and cells that know their runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

from mmspec.records import RunRecord
from mmspec.report import definition
from mmspec.report.definition import Column
from mmspec.report.groups import Groups, check_one_setting
from mmspec.report.selection import matches
from mmspec.report.statistics import ALPHA, Summary, holm, ranks, summarise, welch


@attrs.frozen
class Cell:
    """One number of one row: `taken` are the runs that gave it, each with its value.

    `rank` is 1 for the best (compared as rounded). `p` is Holm's, against the baseline. `without` are runs
    of the row that do not hold the value. `seeds_expected` is what most other cells have.
    """

    column: Column
    taken: tuple[tuple[RunRecord, float], ...]
    without: tuple[RunRecord, ...]
    summary: Summary
    rank: int | None = None
    p: float | None = None
    seeds_expected: int = 0

    @property
    def values(self) -> tuple[float, ...]:
        """The values, in the order of the seeds."""
        return tuple(value for _, value in self.taken)

    @property
    def mean(self) -> str | None:
        """The mean as it is shown, with an ASCII minus; None without a value."""
        return None if self.summary.mean is None else self.format(self.summary.mean)

    @property
    def std(self) -> str | None:
        """The standard deviation as it is shown; None below two seeds."""
        return None if self.summary.std is None else self.format(self.summary.std)

    @property
    def remark(self) -> str:
        """What a reader must know about this cell: `n=2`, `1 NaN`; mostly empty."""
        remarks = []
        if 0 < self.summary.n != self.seeds_expected:
            remarks.append(f"n={self.summary.n}")
        if self.summary.dropped:
            remarks.append(f"{self.summary.dropped} NaN")
        return ", ".join(remarks)

    @property
    def is_best(self) -> bool:
        """Whether it is to be set in bold."""
        return self.rank == 1

    @property
    def differs(self) -> bool:
        """Whether it differs from the baseline."""
        return self.p is not None and self.p < ALPHA

    def format(self, value: float) -> str:
        """A value in the column's unit and digits."""
        scaled = value * self.column.factor
        if not math.isfinite(scaled):
            return "NaN"
        return f"{scaled:.3e}" if abs(scaled) >= 1e15 else f"{scaled:.{self.column.decimals}f}"


@attrs.frozen
class Table:
    """`cells` has one entry for each row's label, in order: a cell for each column."""

    definition: definition.Table
    groups: Groups
    cells: Mapping[str, tuple[Cell, ...]]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return self.definition.columns

    @property
    def column_groups(self) -> list[tuple[str, int]]:
        """Heads above neighbouring columns, each with how many it spans; empty where there is no group."""
        return [(_group_head(columns), len(columns)) for columns in _spans(self.columns)]

    @property
    def labels(self) -> list[str]:
        """The heads of the columns, with their unit where their group does not say it."""
        return [
            column.label + (" (%)" if column.unit == "percent" and not _shares_percent(columns) else "")
            for columns in _spans(self.columns)
            for column in columns
        ]

    @property
    def seeds_expected(self) -> int:
        """The number of seeds that a cell has unless it says otherwise."""
        return max((len(cell.taken) for row in self.cells.values() for cell in row), default=0)

    @property
    def is_tested(self) -> bool:
        """Whether any cell was tested against the baseline."""
        return any(cell.p is not None for row in self.cells.values() for cell in row)

    def is_second(self, cell: Cell) -> bool:
        """Whether a cell is to be underlined."""
        return self.definition.underline_second and cell.rank == 2


def _spans(columns: Sequence[Column]) -> list[list[Column]]:
    """Neighbouring columns of one group."""
    spans: list[list[Column]] = []
    for column in columns:
        if spans and spans[-1][0].group == column.group:
            spans[-1].append(column)
        else:
            spans.append([column])
    return spans


def _shares_percent(columns: Sequence[Column]) -> bool:
    """Whether the head above these columns says their unit."""
    return columns[0].group is not None and all(column.unit == "percent" for column in columns)


def _group_head(columns: Sequence[Column]) -> str:
    return (columns[0].group or "") + (" (%)" if _shares_percent(columns) else "")


def build_table(wanted: definition.Table, groups: Groups) -> Table:
    """The table that `wanted` asks for, from runs grouped by row.

    Raises:
        ReportError: a cell would average over runs of different settings.
    """
    by_column = [_column_cells(column, groups, wanted.baseline) for column in wanted.columns]
    cells = {label: tuple(column[label] for column in by_column) for label in groups}
    table = Table(wanted, groups, cells)
    expected = table.seeds_expected
    filled = {
        label: tuple(attrs.evolve(cell, seeds_expected=expected) for cell in row)
        for label, row in cells.items()
    }
    return attrs.evolve(table, cells=filled)


def _column_cells(column: Column, groups: Groups, baseline: str | None) -> dict[str, Cell]:
    """One column, top to bottom: averaged, ranked and tested."""
    cells = {label: _cell(label, column, runs) for label, runs in groups.items()}
    whole = {label: cell for label, cell in cells.items() if cell.mean and not cell.summary.dropped}
    places = ranks({label: float(cell.mean or "nan") for label, cell in whole.items()}, column.better)
    p_values = _tests(whole, baseline)
    return {
        label: attrs.evolve(cell, rank=places.get(label), p=p_values.get(label))
        for label, cell in cells.items()
    }


def _cell(label: str, column: Column, runs: Sequence[RunRecord]) -> Cell:
    if column.where:
        runs = [run for run in runs if matches(run, column.where)]
    check_one_setting(label, runs)
    runs = sorted(runs, key=lambda run: run.seed)
    having = [(run, _number(run.values.get(column.value))) for run in runs]
    taken = tuple((run, float(value)) for run, value in having if value is not None)
    without = tuple(run for run, value in having if value is None)
    return Cell(column, taken, without, summarise([value for _, value in taken]))


def _number(value: object) -> float | None:
    """A recorded value as a number; None for what is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tests(cells: Mapping[str, Cell], baseline: str | None) -> dict[str, float]:
    """Holm's p of each row against the baseline, over the tests of one column."""
    if baseline is None or baseline not in cells:
        return {}
    others = {label: cell.values for label, cell in cells.items() if label != baseline}
    return holm(welch(others, cells[baseline].values))
