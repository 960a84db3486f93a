"""A table as every format renders it: rows, columns, and cells that know their runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report import definition
from mmspec.report.choice import Choice, choose
from mmspec.report.definition import Column
from mmspec.report.groups import Groups, RowRuns, check_one_setting
from mmspec.report.published import Claim, Published, PublishedRow
from mmspec.report.selection import matches
from mmspec.report.statistics import ALPHA, Better, Summary, holm, ranks, summarise, welch
from mmspec.report.text import minus


@attrs.frozen
class Cell:
    """One number of one row: `taken` are the runs that gave it, each with its value.

    `rank` is 1 for the best (compared as rounded). `p` is Holm's, against the baseline. `without` are runs
    of the row that do not hold the value. `seeds_expected` is what most other cells have. `stale` counts the
    runs that would come out anew today (`stale.py`).
    """

    column: Column
    taken: tuple[tuple[RecordedRun, float], ...]
    without: tuple[RecordedRun, ...]
    summary: Summary
    rank: int | None = None
    p: float | None = None
    seeds_expected: int = 0
    stale: int = 0

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
        """What a reader must know about this cell: `n=2`, `1 NaN`, `stale`; mostly empty."""
        remarks = []
        if 0 < self.summary.n != self.seeds_expected:
            remarks.append(f"n={self.summary.n}")
        if self.summary.dropped:
            remarks.append(f"{self.summary.dropped} NaN")
        if self.stale:
            remarks.append("stale" if self.stale == len(self.taken) else f"{self.stale} stale")
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
class PublishedCell:
    """A published figure beside one of ours; `claim` is None where none was published. Never ranked."""

    file: Published
    row: PublishedRow | None = None
    claim: Claim | None = None

    @property
    def text(self) -> str:
        """The figure as it was printed, with a true minus sign; a dash where there is none."""
        if self.claim is None:
            return "–"
        spread = f" ± {self.claim.std_text}" if self.claim.std_text else ""
        return minus(self.claim.mean_text) + spread


@attrs.frozen
class Head:
    """The head of a column as shown: `column`, or the published figures of `file` beside it."""

    column: Column
    file: Published | None = None

    @property
    def better(self) -> Better:
        """Which direction is better; none for published figures, which are not ranked."""
        return "none" if self.file else self.column.better

    @property
    def is_percent(self) -> bool:
        """Whether the numbers below it are shown in percent."""
        return self.column.unit == "percent"


@attrs.frozen
class Table:
    """`cells` has one entry for each row's label, in order: a cell for each column.

    Cells are our numbers alone: whatever averages, ranks or tests goes over them. `heads` and `line` are
    what is shown: published figures stand after the column that they belong to.
    """

    definition: definition.Table
    rows: tuple[RowRuns, ...]
    cells: Mapping[str, tuple[Cell, ...]]
    choices: tuple[Choice, ...] = ()
    published: Mapping[str, Published] = attrs.field(factory=dict)

    @property
    def groups(self) -> Groups:
        """The runs of each row."""
        return {row.label: row.runs for row in self.rows}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Our columns, in order."""
        return self.definition.columns

    @property
    def heads(self) -> list[Head]:
        """The columns as shown, in order."""
        heads = []
        for column in self.columns:
            heads.append(Head(column))
            if column.published is not None:
                heads.append(Head(column, self.published[column.published.source]))
        return heads

    def lines(self) -> Iterator[tuple[str, list[Cell | PublishedCell]]]:
        """The rows as shown, each with its label."""
        for row in self.rows:
            line: list[Cell | PublishedCell] = []
            for cell in self.cells[row.label]:
                line.append(cell)
                if cell.column.published is not None:
                    line.append(self.beside(cell.column, row))
            yield row.label, line

    def beside(self, column: Column, row: RowRuns) -> PublishedCell:
        """What was published of a row, to stand beside `column`, which has a published one."""
        assert column.published is not None
        file = self.published[column.published.source]
        found = file.rows.get(row.method) if row.method else None
        if found is None:
            return PublishedCell(file)
        return PublishedCell(file, found, found.claims.get(column.published.column))

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


def build_table(
    wanted: definition.Table,
    rows: tuple[RowRuns, ...],
    published: Mapping[str, Published],
    stale: Collection[str] = (),
) -> Table:
    """The table that `wanted` asks for, from runs sorted into rows; `stale` are addresses of runs.

    Raises:
        ReportError: a cell would average over runs of different settings, or be chosen on test.
    """
    choices = _choices(wanted.columns, rows)
    by_column = [_column_cells(column, rows, wanted.baseline, choices) for column in wanted.columns]
    cells = {row.label: tuple(column[row.label] for column in by_column) for row in rows}
    table = Table(wanted, rows, cells, choices, published)
    expected = table.seeds_expected
    filled = {
        label: tuple(
            attrs.evolve(cell, seeds_expected=expected, stale=count_stale(cell.taken, stale)) for cell in row
        )
        for label, row in cells.items()
    }
    return attrs.evolve(table, cells=filled)


def count_stale(taken: Iterable[tuple[RecordedRun, float]], stale: Collection[str]) -> int:
    """How many of the runs behind a cell have their address in `stale`."""
    return sum(run.address in stale for run, _ in taken) if stale else 0


def _choices(columns: Sequence[Column], rows: Sequence[RowRuns]) -> tuple[Choice, ...]:
    """What is chosen for each row that is a choice, once for all columns of the same runs."""
    scopes: list[Mapping[str, object]] = []
    for column in columns:
        if column.where not in scopes:
            scopes.append(column.where)
    return tuple(choose(row, scope) for row in rows if row.by is not None for scope in scopes)


def _column_cells(
    column: Column, rows: Sequence[RowRuns], baseline: str | None, choices: Sequence[Choice]
) -> dict[str, Cell]:
    """One column, top to bottom: averaged, ranked and tested."""
    chosen = {choice.row.label: choice.runs for choice in choices if choice.scope == column.where}
    cells = {row.label: _cell(row.label, column, chosen.get(row.label, row.runs)) for row in rows}
    whole = {label: cell for label, cell in cells.items() if cell.mean and not cell.summary.dropped}
    places = ranks({label: float(cell.mean or "nan") for label, cell in whole.items()}, column.better)
    p_values = _tests(whole, baseline)
    return {
        label: attrs.evolve(cell, rank=places.get(label), p=p_values.get(label))
        for label, cell in cells.items()
    }


def _cell(label: str, column: Column, runs: Sequence[RecordedRun]) -> Cell:
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
