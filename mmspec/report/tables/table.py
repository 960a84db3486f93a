"""A table as every format renders it: rows, columns, and cells that know their runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report import definition
from mmspec.report.definition import Beside, Column
from mmspec.report.published import Claim, Published, PublishedRow
from mmspec.report.runs.choice import Choice
from mmspec.report.runs.groups import Groups, RowRuns
from mmspec.report.tables.aggregates import Spread
from mmspec.report.tables.statistics import ALPHA, Better, Summary
from mmspec.report.text import minus


@attrs.frozen
class Cell:
    """One number of one row: `taken` are the runs that gave it, each with its value.

    `summary` are their mean and standard deviation, whatever is shown; `shown` is what the column asks for,
    of the value or of its difference to the baseline. `rank` (1 for the best, the next value is second) and
    `place` (one more than how many are better) go by its centre as rounded. `p` is Holm's, against the
    baseline; `unpaired` says why there can be no paired test. `without` are runs of the row that do not hold
    the value. `seeds_expected` is what most other cells have. `stale` counts the runs that would come out
    anew today (`stale.py`).
    """

    column: Column
    taken: tuple[tuple[RecordedRun, float], ...]
    without: tuple[RecordedRun, ...]
    summary: Summary
    rank: int | None = None
    p: float | None = None
    seeds_expected: int = 0
    stale: int = 0
    place: int | None = None
    unpaired: str | None = None
    shown: Spread = attrs.Factory(
        lambda cell: Spread(cell.summary.mean, std=cell.summary.std), takes_self=True
    )

    @property
    def runs(self) -> tuple[RecordedRun, ...]:
        """The runs behind it."""
        return tuple(run for run, _ in self.taken)

    @property
    def values(self) -> tuple[float, ...]:
        """The values, in the order of the seeds."""
        return tuple(value for _, value in self.taken)

    @property
    def mean(self) -> str | None:
        """The mean in the column's unit and digits, with an ASCII minus; None without a value."""
        return None if self.summary.mean is None else self.format(self.summary.mean)

    @property
    def std(self) -> str | None:
        """The standard deviation in the column's unit and digits; None below two seeds."""
        return None if self.summary.std is None else self.format(self.summary.std)

    @property
    def centre(self) -> str | None:
        """The centre as it is shown, with an ASCII minus; a difference has a sign. None without one."""
        centre = self.shown.centre
        if centre is None:
            return None
        if self.column.aggregate == "n":
            return f"{centre:.0f}"
        return self.format(centre, signed=self.column.show == "delta")

    @property
    def spread(self) -> str:
        """What stands around the centre, with true minus signs: `± 0.5`, `[97.1, 98.9]`, or nothing."""
        shown, signed = self.shown, self.column.show == "delta"
        if shown.std is not None:
            return f"± {self.format(shown.std)}"
        if shown.low is None or shown.high is None:
            return ""
        ends = (minus(self.format(end, signed=signed)) for end in (shown.low, shown.high))
        return f"[{', '.join(ends)}]"

    @property
    def number(self) -> float | None:
        """The centre as rounded, for ranks; None where it is not one of all its seeds."""
        if self.centre is None or self.summary.dropped:
            return None
        number = float(self.centre)
        return number if math.isfinite(number) else None

    @property
    def remark(self) -> str:
        """What a reader must know about this cell: `n=2`, `1 NaN`, `stale`; mostly empty."""
        remarks = []
        if 0 < self.summary.n != self.seeds_expected and self.column.aggregate != "n":
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

    def format(self, value: float, *, signed: bool = False) -> str:
        """A value in the column's unit and digits; `signed`: with a plus, but for zero."""
        scaled = value * self.column.factor
        if not math.isfinite(scaled):
            return "NaN"
        text = f"{scaled:.3e}" if abs(scaled) >= 1e15 else f"{scaled:.{self.column.decimals}f}"
        return f"+{text}" if signed and text.strip("-0.") and not text.startswith("-") else text


@attrs.frozen
class PublishedCell:
    """A published figure beside one of ours; `claim` is None where none was published. Never ranked."""

    file: Published
    metric: str
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
        """Which direction is better; none for published figures and for ranks, whose direction is plain."""
        return "none" if self.file or self.column.show == "rank" else self.column.better

    @property
    def is_percent(self) -> bool:
        """Whether the numbers below it are shown in percent."""
        return self.column.shows_percent


@attrs.frozen
class MeanRanks:
    """The mean rank of each row, by label, over `columns`: those in which every row has a number."""

    ranks: Mapping[str, float]
    columns: tuple[Column, ...]


@attrs.frozen
class Table:
    """`cells` has one entry for each row's label, in order: a cell for each of `columns`.

    The columns are those of the definition, each as often as it stands across, with the table's aggregate
    where they have none of their own. Cells are our numbers alone: whatever averages, ranks or tests goes
    over them. `heads` and `line` are what is shown: published figures stand after their column.
    """

    definition: definition.Table
    columns: tuple[Column, ...]
    rows: tuple[RowRuns, ...]
    cells: Mapping[str, tuple[Cell, ...]]
    mean_ranks: MeanRanks | None = None
    choices: tuple[Choice, ...] = ()
    published: Mapping[str, Published] = attrs.field(factory=dict)

    @property
    def groups(self) -> Groups:
        """The runs of each row."""
        return {row.label: row.runs for row in self.rows}

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
            return PublishedCell(file, column.value)
        return PublishedCell(file, column.value, found, found.claims.get(_claimed(column.published)))

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


def _claimed(beside: Beside) -> str | None:
    """The published column; one for each value across has become one by now."""
    return None if isinstance(beside.column, dict) else beside.column


def count_stale(taken: Iterable[tuple[RecordedRun, float]], stale: Collection[str]) -> int:
    """How many of the runs behind a cell have their address in `stale`."""
    return sum(run.address in stale for run, _ in taken) if stale else 0
