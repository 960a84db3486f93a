"""A report on the terminal: its tables and notes, by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text

from mmspec.report.document import Document, NotedTable
from mmspec.report.table import Cell, Head, PublishedCell, Table
from mmspec.report.text import ARROWS, Code, Sentence, minus, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult


class Terminal:
    """What the console prints; where it cannot print bold, the best is set between asterisks."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The tables, each with its notes, and the notes on the runs."""
        marks = "" if console.is_terminal else "**"
        for noted in self.document.tables:
            yield from _block(noted, marks, options.max_width)
        yield from (_sentence(note) for note in self.document.notes)


def _block(noted: NotedTable, marks: str, width: int) -> list[RenderableType]:
    title = Text(one_line(noted.table.definition.title), style="bold")
    return [title, *_grid(noted.table, marks, width), Text(), Group(*map(_sentence, noted.notes)), Text()]


def _grid(table: Table, marks: str, width: int) -> list[RenderableType]:
    """The table, below a line with the heads of its groups if there is room for it."""
    cells = [
        [Text(one_line(label)), *(_cell(table, cell, marks) for cell in line)]
        for label, line in table.lines()
    ]
    heads = [Text(), *map(_head, table.labels, table.heads)]
    widths = [_width(head, [row[i] for row in cells]) for i, head in enumerate(heads)]
    groups = table.column_groups
    above = any(group for group, _ in groups) and sum(widths) + _GAP * len(widths) <= width
    if not above:
        said = [group for group, span in groups for _ in range(span)]
        heads[1:] = [
            Text.assemble(one_line(group), "\n" if group else "", head)
            for group, head in zip(said, heads[1:], strict=True)
        ]
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for index, (head, size) in enumerate(zip(heads, widths, strict=True)):
        grid.add_column(
            head, justify="right" if index else "left", vertical="bottom", max_width=size, overflow="fold"
        )
    for row in cells:
        grid.add_row(*row)
    return [Text(), _above(groups, widths), grid] if above else [Text(), grid]


#: What rich puts between two columns.
_GAP = 3


def _above(groups: list[tuple[str, int]], widths: list[int]) -> Text:
    """The groups' heads, each over its columns, between thin lines."""
    line, at = " " * widths[0], 1
    for group, span in groups:
        room = sum(widths[at : at + span]) + _GAP * (span - 1)
        at += span
        name = Text(f" {one_line(group)} " if group else "")
        name.truncate(room, overflow="ellipsis")
        left = (room - name.cell_len) // 2
        fill = "─" if group else " "
        line += " " * _GAP + fill * left + name.plain + fill * (room - left - name.cell_len)
    return Text(line, style="bold")


def _width(head: Text, cells: list[Text]) -> int:
    """The width of a column: no cell and no word of its head is broken."""
    words = [Text(word).cell_len for word in head.plain.replace("\n", " ").split(" ")]
    return max([1, *words, *(cell.cell_len for cell in cells)])


def _head(label: str, head: Head) -> Text:
    style = "italic dim" if head.file else ""
    return Text(one_line(label) + ARROWS[head.better].replace(" ", "\u00a0"), style)


def _cell(table: Table, cell: Cell | PublishedCell, marks: str) -> Text:
    if isinstance(cell, PublishedCell):
        return Text(cell.text, style="italic dim")
    if cell.mean is None:
        return Text("NaN" if cell.taken else "–", style="dim")
    number = minus(cell.mean) + (f" ± {cell.std}" if cell.std else "")
    style = "bold" if cell.is_best else "underline" if table.is_second(cell) else ""
    if cell.is_best:
        number = f"{marks}{number}{marks}"
    dagger = "†" if cell.differs else " " if table.is_tested else ""
    remark = f" ({cell.remark})" if cell.remark else ""
    return Text.assemble((number, style), dagger, (remark, "dim"))


def _sentence(note: Sentence) -> Text:
    parts = [(one_line(part.text), "cyan") if isinstance(part, Code) else one_line(part) for part in note]
    return Text.assemble(*parts, style="dim")
