"""A table as every format shows it: heads, rows and cells, with no statistics left to do.

Tables of runs and leaderboards become grids; formats know nothing else. Texts are raw: each format escapes
them in its own way. Numbers have a true minus sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.tables.statistics import Better
from mmspec.report.text import Sentence

#: What a cell holds: a number of ours, one that others published, words, or nothing.
CellKind = Literal["number", "published", "text", "empty"]
#: How a number stands out: bold, underlined, or not at all.
Mark = Literal["none", "best", "second"]


@attrs.frozen
class SeedValue:
    """One run behind a cell, with its value as it is shown."""

    run: RecordedRun
    text: str


@attrs.frozen
class GridCell:
    """One cell: `text` and, smaller, its `spread` (`± 0.5`, `[97.1, 98.9]`).

    `mark` sets it in bold or underlines it, `sign` stands raised behind it (†), `remark` in brackets (n=2).
    `hint` is said when a pointer rests on it. `behind` are the runs that it opens to.
    """

    kind: CellKind
    text: str
    spread: str = ""
    mark: Mark = "none"
    sign: str = ""
    remark: str = ""
    hint: str = ""
    behind: Sequence[SeedValue] = ()


@attrs.frozen
class GridColumn:
    """The head of a column. `groups` are the heads above it, outermost first; neighbours share equal ones.

    `signed`: some of its cells have a `sign`, so the others leave room for it.
    """

    label: str
    groups: tuple[str, ...] = ()
    better: Better = "none"
    kind: CellKind = "number"
    signed: bool = False


@attrs.frozen
class GridRow:
    """One row: its label, and a cell for each column."""

    label: str
    cells: tuple[GridCell, ...]


@attrs.frozen
class Grid:
    """A whole table: caption, a sentence or two under it, heads, rows, and what a reader must know."""

    title: str
    text: str
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    notes: tuple[Sentence, ...] = ()
    #: The head above the labels of the rows.
    corner: str = ""

    @property
    def depth(self) -> int:
        """How many lines of heads stand above the columns' own."""
        return max((len(column.groups) for column in self.columns), default=0)

    def part(self, first: int, last: int) -> Grid:
        """The same with the columns from `first` to before `last` alone."""
        rows = tuple(attrs.evolve(row, cells=row.cells[first:last]) for row in self.rows)
        return attrs.evolve(self, columns=self.columns[first:last], rows=rows)

    def heads(self, level: int) -> list[tuple[str, int]]:
        """The heads of one line above the columns, 0 is the outermost: each with how many columns it spans.

        Neighbours share a head if all heads down to it are equal; "" where a column has none.
        """
        spans: list[tuple[tuple[str, ...], int]] = []
        for column in self.columns:
            path = column.groups[: level + 1] if len(column.groups) > level else ()
            if spans and spans[-1][0] == path:
                spans[-1] = (path, spans[-1][1] + 1)
            else:
                spans.append((path, 1))
        return [(path[-1] if path else "", width) for path, width in spans]
