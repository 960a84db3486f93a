"""From a table of runs to what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from mmspec.report.grid import Grid, GridCell, GridColumn, GridRow, Mark, SeedValue
from mmspec.report.tables.table import Cell, Head, MeanRanks, PublishedCell, Table
from mmspec.report.text import Sentence, minus

_PERCENT = " (%)"


def as_grid(table: Table, notes: Sequence[Sentence]) -> Grid:
    """What the formats show of a table of runs, with the notes under it."""
    rows = [GridRow(label, tuple(_cell(cell, table) for cell in line)) for label, line in table.lines()]
    columns = [
        attrs.evolve(column, signed=any(row.cells[index].sign for row in rows))
        for index, column in enumerate(_columns(table))
    ]
    if table.mean_ranks is not None and table.mean_ranks.columns:
        columns.append(GridColumn("mean rank", better="min"))
        last = _mean_ranks(table, table.mean_ranks)
        rows = [attrs.evolve(row, cells=(*row.cells, last[row.label])) for row in rows]
    return Grid(table.definition.title, table.definition.text, tuple(columns), tuple(rows), tuple(notes))


# ---------------------------------------------------------------- heads


def _columns(table: Table) -> list[GridColumn]:
    return [
        GridColumn(label, groups, head.better, "published" if head.file else "number")
        for head, (groups, label) in zip(table.heads, _heads(table.heads, 0), strict=True)
    ]


def _heads(heads: Sequence[Head], level: int) -> Iterator[tuple[tuple[str, ...], str]]:
    """For each column the heads above it from `level` on, and its label.

    The unit of columns that are all in percent is said once, by the outermost head that is theirs alone.
    """
    for path, span in _spans(heads, level):
        if not path:
            yield from (((), _label(head, span) + _PERCENT * head.is_percent) for head in span)
        elif all(head.is_percent for head in span):
            inner = _below(span, level + 1)
            yield from (((path[-1] + _PERCENT, *groups), label) for groups, label in inner)
        else:
            yield from (((path[-1], *groups), label) for groups, label in _heads(span, level + 1))


def _below(heads: Sequence[Head], level: int) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same without units."""
    for path, span in _spans(heads, level):
        if not path:
            yield from (((), _label(head, span)) for head in span)
        else:
            yield from (((path[-1], *groups), label) for groups, label in _below(span, level + 1))


def _spans(heads: Sequence[Head], level: int) -> list[tuple[tuple[str, ...], list[Head]]]:
    """Neighbouring columns with the same head at `level`, by the heads down to it; () where there is none."""
    spans: list[tuple[tuple[str, ...], list[Head]]] = []
    for head in heads:
        groups = head.column.groups
        path = groups[: level + 1] if len(groups) > level else ()
        if spans and spans[-1][0] == path:
            spans[-1][1].append(head)
        else:
            spans.append((path, [head]))
    return spans


def _label(head: Head, neighbours: Sequence[Head]) -> str:
    """The head of a column; a published one names ours, unless it is plain which that is."""
    if head.file is None:
        return head.column.label
    alone = head.column.groups and sum(other.file is None for other in neighbours) == 1
    return "published" if alone else f"{head.column.label}, published"


# ---------------------------------------------------------------- cells


def _cell(cell: Cell | PublishedCell, table: Table) -> GridCell:
    if isinstance(cell, PublishedCell):
        return _claim(cell)
    if not cell.taken:
        return GridCell("empty", "–", hint="not measured")
    behind = tuple(SeedValue(run, minus(cell.format(value))) for run, value in cell.taken)
    mark: Mark = "best" if cell.is_best else "second" if table.is_second(cell) else "none"
    whole = GridCell("number", "", mark=mark, remark=cell.remark, behind=behind)
    if cell.column.show == "rank":
        return attrs.evolve(whole, text="–" if cell.place is None else str(cell.place))
    if cell.centre is not None:
        sign = "†" if cell.differs else ""
        return attrs.evolve(whole, text=minus(cell.centre), spread=cell.spread, sign=sign)
    if cell.summary.n:
        return attrs.evolve(whole, text="–", hint="no baseline to compare with")
    return GridCell("text", "NaN", behind=behind)


def _mean_ranks(table: Table, ranks: MeanRanks) -> dict[str, GridCell]:
    """The cells of the last column."""
    shown = {label: f"{rank:.2f}" for label, rank in ranks.ranks.items()}
    order = sorted(set(map(float, shown.values())))
    marks: dict[float, Mark] = {order[0]: "best"} if len(order) > 1 else {}
    if table.definition.underline_second and len(order) > 1:
        marks[order[1]] = "second"
    return {
        label: GridCell("number", text, mark=marks.get(float(text), "none")) for label, text in shown.items()
    }


def _claim(cell: PublishedCell) -> GridCell:
    if cell.claim is None or cell.row is None:
        return GridCell("empty", "–", hint="not published")
    hint = f"published as {cell.row.label}: {cell.file.source}"
    spread = f"± {cell.claim.std_text}" if cell.claim.std_text else ""
    return GridCell("published", minus(cell.claim.mean_text), spread=spread, hint=hint)
