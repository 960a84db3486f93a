"""A report on the terminal: its tables and notes, by rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mmspec.report.document import Document, Gridded, Words
from mmspec.report.formats.parts import Room, parts_of
from mmspec.report.grid import Grid, GridCell, GridColumn
from mmspec.report.text import ARROWS, Code, Sentence, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

#: What rich puts between two columns.
_GAP = 3


class Terminal:
    """What the console prints; where it cannot print bold, the best is set between asterisks."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Tables with their notes and text blocks, in order, and the notes on the runs."""
        marks = "" if console.is_terminal else "**"
        for block in self.document.blocks:
            if isinstance(block, Gridded):
                yield from _block(block, marks, options.max_width)
            elif isinstance(block, Words):
                yield from _words(block)
        yield from (_sentence(note) for note in self.document.notes)


def _words(words: Words) -> Iterator[RenderableType]:
    if words.title:
        yield Text(one_line(words.title), style="bold")
        yield Text()
    for part in words.paragraphs:
        yield Text(one_line(part))
        yield Text()


def _block(block: Gridded, marks: str, width: int) -> list[RenderableType]:
    title = Text(one_line(block.grid.title), style="bold")
    return [title, *_tables(block.grid, marks, width), Text(), Group(*map(_sentence, block.notes)), Text()]


@attrs.frozen
class _Lines:
    """Columns of a grid in words: the rows' labels, and for each column its head, cells and width."""

    grid: Grid
    heads: Sequence[Text]
    cells: Sequence[Sequence[Text]]
    widths: Sequence[int]

    def part(self, first: int, last: int) -> _Lines:
        """The rows' labels with the columns from `first` to before `last`, counted without the labels."""
        chosen = [0, *range(first + 1, last + 1)]
        return _Lines(
            self.grid.part(first, last),
            [self.heads[i] for i in chosen],
            [[row[i] for i in chosen] for row in self.cells],
            [self.widths[i] for i in chosen],
        )


def _tables(grid: Grid, marks: str, width: int) -> Iterator[RenderableType]:
    """The table; one that is wider than the terminal comes in parts, a group parted only if it must be."""
    heads = [Text(one_line(grid.corner)), *map(_head, grid.columns)]
    cells = [
        [Text(one_line(row.label)), *map(_cell, row.cells, grid.columns, [marks] * len(row.cells))]
        for row in grid.rows
    ]
    widths = [_width(head, [row[i] for row in cells]) for i, head in enumerate(heads)]
    lines = _Lines(grid, heads, cells, _widened(grid, widths))
    for first, last in parts_of(grid, Room(lines.widths, _GAP, width)):
        yield Text()
        yield from _table(lines.part(first, last), width)


def _table(lines: _Lines, width: int) -> Iterator[RenderableType]:
    """Columns below lines with the heads above them, if there is room; else broken to fit."""
    grid, heads = lines.grid, list(lines.heads)
    fits = _total(lines.widths) <= width
    if fits:
        yield from (_above(grid.heads(level), lines.widths) for level in range(grid.depth))
    else:
        heads[1:] = [
            Text("\n").join([*map(Text, map(one_line, column.groups)), head])
            for column, head in zip(grid.columns, heads[1:], strict=True)
        ]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    sides = ["left", *("left" if column.kind == "text" else "right" for column in grid.columns)]
    for head, size, side in zip(heads, lines.widths, sides, strict=True):
        how: Any = {"width" if fits else "max_width": size, "justify": side}
        table.add_column(head, vertical="bottom", overflow="fold", **how)
    for row in lines.cells:
        table.add_row(*row)
    yield table


# ---------------------------------------------------------------- what fits


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _widened(grid: Grid, widths: Sequence[int]) -> list[int]:
    """The widths with which each head fits over its columns: the last of them gets what is short."""
    wide = list(widths)
    for level in reversed(range(grid.depth)):
        at = 1
        for name, span in grid.heads(level):
            room = _total(wide[at : at + span])
            at += span
            wide[at - 1] += max(0, Text(one_line(name)).cell_len + 4 * bool(name) - room)
    return wide


def _above(heads: Sequence[tuple[str, int]], widths: Sequence[int]) -> Text:
    """Heads, each over its columns, between thin lines."""
    line, at = " " * widths[0], 1
    for name, span in heads:
        room = _total(widths[at : at + span])
        at += span
        said = Text(f" {one_line(name)} " if name else "")
        left = (room - said.cell_len) // 2
        fill = "─" if name else " "
        line += " " * _GAP + fill * left + said.plain + fill * (room - left - said.cell_len)
    return Text(line, style="bold")


def _width(head: Text, cells: Sequence[Text]) -> int:
    """The width of a column: no cell and no word of its head is broken."""
    words = [Text(word).cell_len for word in head.plain.replace("\n", " ").split(" ")]
    return max([1, *words, *(cell.cell_len for cell in cells)])


# ---------------------------------------------------------------- words


def _head(column: GridColumn) -> Text:
    style = "italic dim" if column.kind == "published" else ""
    return Text(one_line(column.label) + ARROWS[column.better].replace(" ", "\u00a0"), style)


def _cell(cell: GridCell, column: GridColumn, marks: str) -> Text:
    number = one_line(f"{cell.text} {cell.spread}".rstrip())
    if cell.kind == "empty":
        return Text(number, style="dim")
    style = {"best": "bold", "second": "underline", "none": ""}[cell.mark]
    if cell.kind == "published":
        style += " italic" if style else "italic dim"
    if cell.mark == "best":
        number = f"{marks}{number}{marks}"
    sign = one_line(cell.sign) or (" " if column.signed else "")
    remark = one_line(f" ({cell.remark})") if cell.remark else ""
    return Text.assemble((number, style), sign, (remark, "dim"))


def _sentence(note: Sentence) -> Text:
    parts = [(one_line(part.text), "cyan") if isinstance(part, Code) else one_line(part) for part in note]
    return Text.assemble(*parts, style="dim")
