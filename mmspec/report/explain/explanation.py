"""A number's way back: from a cell of a report to its runs, and all that they were made of."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mmspec.errors import ReportError
from mmspec.report.document import Document, Gridded, NotedTable
from mmspec.report.explain.cell import Facts, about_cell, about_claim, about_listing, about_nothing, as_shown
from mmspec.report.explain.run import about_runs, against
from mmspec.report.grid import Grid
from mmspec.report.leaderboards.board import Board, Elsewhere
from mmspec.report.tables.table import Cell, PublishedCell
from mmspec.spec.words import listed, show, suggestion


@attrs.frozen
class Explanation:
    """All that is behind a cell: parts, each with a title and its facts."""

    title: str
    parts: tuple[tuple[str, Facts], ...]


@attrs.frozen
class _Place:
    """A cell: its block, and its row and column in the block's grid."""

    block: Gridded
    row: int
    column: int


def explain(document: Document, row: str, column: str, table: str | None = None) -> Explanation:
    """What is behind the cell of this row and column.

    `column` is its head, with or without the heads above it, or its metric. `table` is the number of a table
    or leaderboard, from 1, or its title; without one, the cell is looked for in all of them.

    Raises:
        ReportError: there is no such cell, or there are several.
    """
    blocks = _blocks(document, table)
    if not any(row == each.label for block in blocks for each in block.grid.rows):
        rows = dict.fromkeys(each.label for block in blocks for each in block.grid.rows)
        raise ReportError(f"there is no row {show(row)}", hint=suggestion(row, rows, of="rows"))
    blocks = [block for block in blocks if any(row == each.label for each in block.grid.rows)]
    found = [place for block in blocks for place in _places(block, row, column)]
    if not found:
        names = dict.fromkeys(each[0] for block in blocks for each in _names(block))
        raise ReportError(
            f"row {show(row)} has no column {show(column)}", hint=suggestion(column, names, of="columns")
        )
    if len(found) > 1:
        raise _several(found, row, column, document)
    return _explained(document, found[0])


def _blocks(document: Document, table: str | None) -> list[Gridded]:
    blocks = document.grids
    if not blocks:
        raise ReportError("this report has no tables", hint="figures are not explained")
    if table is None:
        return blocks
    if table.isdecimal() and 1 <= int(table) <= len(blocks):
        return [blocks[int(table) - 1]]
    titles = [block.grid.title for block in blocks]
    if table not in titles:
        hint = f"a number from 1 to {len(blocks)}, or a title; {suggestion(table, titles, of='titles')}"
        raise ReportError(f"there is no table {show(table)}", hint=hint)
    return [block for block in blocks if block.grid.title == table]


def _places(block: Gridded, row: str, column: str) -> list[_Place]:
    """The cells of a block that are meant; a leaderboard has one for each entry, its value."""
    columns = [index for index, names in enumerate(_names(block)) if column in names]
    rows = [index for index, each in enumerate(block.grid.rows) if each.label == row]
    return [_Place(block, index, at) for index in rows for at in columns]


def _names(block: Gridded) -> list[list[str]]:
    """What each column may be called, the most telling name first."""
    return [
        list(dict.fromkeys((*names, *more)))
        for names, more in zip(_heads(block.grid), _metrics(block), strict=True)
    ]


def _heads(grid: Grid) -> list[tuple[str, str]]:
    plain = [[head.removesuffix(" (%)") for head in (*c.groups, c.label)] for c in grid.columns]
    return [(", ".join(heads), heads[-1]) for heads in plain]


def _metrics(block: Gridded) -> list[tuple[str, ...]]:
    """The metric of each column of ours, where it has one."""
    metrics: list[tuple[str, ...]] = [()] * len(block.grid.columns)
    if isinstance(block, NotedTable):
        for index, head in enumerate(block.table.heads):
            if head.file is None:
                metrics[index] = (head.column.value,)
    return metrics


def _several(found: Sequence[_Place], row: str, column: str, document: Document) -> ReportError:
    """Which cells could be meant."""
    blocks = document.grids
    titles = list(dict.fromkeys(blocks.index(place.block) for place in found))
    if len(titles) > 1:
        named = listed(f"{index + 1} ({blocks[index].grid.title})" for index in titles)
        return ReportError(
            f"several tables have row {show(row)} and column {show(column)}", hint=f"add --table: {named}"
        )
    names = list(dict.fromkeys(_names(place.block)[place.column][0] for place in found))
    if len(names) > 1:
        hint = f"name it with its head: {listed(map(show, names))}"
        return ReportError(f"several columns of row {show(row)} are called {show(column)}", hint=hint)
    return ReportError(f"several rows are called {show(row)}", hint="give them labels that differ")


# ---------------------------------------------------------------- what is behind it


def _explained(document: Document, place: _Place) -> Explanation:
    grid = place.block.grid
    head = _names(place.block)[place.column][0]
    title = f"{grid.title}: {grid.rows[place.row].label}, {head}"
    shown = as_shown(grid.rows[place.row].cells[place.column])
    parts = [("The cell", [("shown", shown), *_facts(document, place)])]
    cell = _ours(place)
    if cell is not None:
        parts += about_runs(cell, document)
    if cell is not None and isinstance(place.block, NotedTable):
        parts += against(cell, place.block.table, document)
    return Explanation(title, tuple(parts))


def _ours(place: _Place) -> Cell | None:
    """The cell of ours that is meant, if it is one."""
    if isinstance(place.block, Board):
        return place.block.entries[place.row].cell
    if isinstance(place.block, NotedTable):
        line = list(place.block.table.lines())[place.row][1]
        cell = line[place.column] if place.column < len(line) else None
        return cell if isinstance(cell, Cell) else None
    return None


def _facts(document: Document, place: _Place) -> Facts:
    block = place.block
    if isinstance(block, Board):
        entry = block.entries[place.row]
        ranked = sum(each.rank is not None for each in block.entries)
        rank = f"{entry.rank} of {ranked} on this board, as rounded" if entry.rank else "none"
        about = (
            about_listing(entry.listing) if entry.listing else about_cell(entry.cell) if entry.cell else []
        )
        return [*about, ("rank", rank)]
    if isinstance(block, Elsewhere):
        return about_listing(block.listings[place.row])
    if not isinstance(block, NotedTable):
        return []
    line = list(block.table.lines())[place.row][1]
    if place.column >= len(line):
        return [("value", "the mean over the columns of the row's ranks")]
    cell = line[place.column]
    if isinstance(cell, PublishedCell):
        return about_claim(cell)
    row = block.table.rows[place.row]
    return [*about_cell(cell, block.table, row), *about_nothing(cell, row, document)]
