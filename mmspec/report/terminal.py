"""A report on the terminal: its tables and notes, by rich."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

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
    return [title, *_grids(noted.table, marks, width), Text(), Group(*map(_sentence, noted.notes)), Text()]


def _grids(table: Table, marks: str, width: int) -> Iterator[RenderableType]:
    """The table; one that is wider than the terminal comes in parts, a group of columns never parted."""
    cells = [
        [Text(one_line(label)), *(_cell(table, cell, marks) for cell in line)]
        for label, line in table.lines()
    ]
    heads = [Text(), *map(_head, table.labels, table.heads)]
    widths = [_width(head, [row[i] for row in cells]) for i, head in enumerate(heads)]
    groups = _units(table)
    widths = _widened(widths, groups)
    first = 1
    for part in _parts(groups, widths, width):
        last = first + sum(span for _, span in part)
        columns = [0, *range(first, last)]
        first = last
        yield Text()
        yield from _grid(
            part,
            [heads[i] for i in columns],
            [[row[i] for i in columns] for row in cells],
            [widths[i] for i in columns],
            width,
        )


def _units(table: Table) -> list[tuple[str, int]]:
    """What is never parted: the groups with their widths, and each column of none."""
    units = []
    for name, span in table.column_groups:
        units += [(name, span)] if name else [("", 1)] * span
    return units


def _grid(
    groups: list[tuple[str, int]], heads: list[Text], cells: list[list[Text]], widths: list[int], width: int
) -> Iterator[RenderableType]:
    """Columns below a line with the heads of their groups, if there is room; else broken to fit."""
    fits = _total(widths) <= width
    named = any(name for name, _ in groups)
    if fits and named:
        yield _above(groups, widths)
    elif named:
        said = [name for name, span in groups for _ in range(span)]
        heads[1:] = [
            Text.assemble(one_line(name), "\n" if name else "", head)
            for name, head in zip(said, heads[1:], strict=True)
        ]
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for index, (head, size) in enumerate(zip(heads, widths, strict=True)):
        exact: Any = {"width": size} if fits else {"max_width": size}
        grid.add_column(
            head, justify="right" if index else "left", vertical="bottom", overflow="fold", **exact
        )
    for row in cells:
        grid.add_row(*row)
    yield grid


#: What rich puts between two columns.
_GAP = 3


def _total(widths: list[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _parts(groups: list[tuple[str, int]], widths: list[int], width: int) -> list[list[tuple[str, int]]]:
    """The groups, as many in each part as fit beside the rows' labels."""
    parts: list[list[tuple[str, int]]] = []
    room, at = 0, 1
    for name, span in groups:
        needed = sum(widths[at : at + span]) + _GAP * span
        at += span
        if not parts or needed > room:
            parts.append([])
            room = width - widths[0]
        parts[-1].append((name, span))
        room -= needed
    return parts


def _widened(widths: list[int], groups: list[tuple[str, int]]) -> list[int]:
    """The widths with which each group's head fits over its columns: the last of them gets what is short."""
    wide, at = list(widths), 1
    for name, span in groups:
        room = _total(wide[at : at + span])
        at += span
        wide[at - 1] += max(0, Text(one_line(name)).cell_len + 4 * bool(name) - room)
    return wide


def _above(groups: list[tuple[str, int]], widths: list[int]) -> Text:
    """The groups' heads, each over its columns, between thin lines."""
    line, at = " " * widths[0], 1
    for name, span in groups:
        room = _total(widths[at : at + span])
        at += span
        said = Text(f" {one_line(name)} " if name else "")
        left = (room - said.cell_len) // 2
        fill = "─" if name else " "
        line += " " * _GAP + fill * left + said.plain + fill * (room - left - said.cell_len)
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
