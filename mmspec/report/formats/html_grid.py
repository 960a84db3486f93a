"""A grid as a table in HTML, with heads that a screen reader says for each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.html_text import escape, notes_list
from mmspec.report.grid import Grid, GridCell, GridColumn, GridRow, SeedValue
from mmspec.report.text import Sentence, link

#: Where a run's page or directory is, as an address that needs no more than HTML's own escaping.
Href = Callable[[RecordedRun], str]

_ARROWS = {"max": "&nbsp;↑", "min": "&nbsp;↓", "none": ""}
_CLASSES = {"number": "", "published": ' class="published"', "text": ' class="words"', "empty": ""}
_OPENS: Sentence = ("A number opens to its seeds, each a link to its run.",)


def links_from(folder: Path) -> Href:
    """Links to where runs are recorded, as seen from `folder`."""
    return lambda run: link(run.address, folder)


def grid_section(grid: Grid, notes: Sequence[Sentence], href: Href) -> str:
    """The whole block: the table, which scrolls by itself where it is too wide, and the notes under it."""
    opens = any(cell.behind for row in grid.rows for cell in row.cells)
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(grid.title)}">'
    under = notes_list([*notes, _OPENS] if opens else notes)
    return "\n".join(["<section>", f"{region}{grid_table(grid, href)}</div>", under, "</section>"])


def grid_table(grid: Grid, href: Href) -> str:
    """The table alone."""
    small = f"<small>{escape(grid.text)}</small>" if grid.text else ""
    return "\n".join(
        [
            "<table>",
            f"<caption>{escape(grid.title)}{small}</caption>",
            *_column_groups(grid),
            f"<thead>{''.join(_heads(grid))}</thead>",
            "<tbody>",
            *(_row(row, grid.columns, href) for row in grid.rows),
            "</tbody></table>",
        ]
    )


def _column_groups(grid: Grid) -> list[str]:
    """The columns below each of the outermost heads: what `scope="colgroup"` of these heads means."""
    if not grid.depth:
        return []
    spans = "".join(f'<colgroup span="{width}"></colgroup>' for _, width in grid.heads(0))
    return [f"<colgroup></colgroup>{spans}"]


def _heads(grid: Grid) -> list[str]:
    """A row for each level of heads above the columns, and the columns' own."""
    deep = f' rowspan="{grid.depth + 1}"' if grid.depth else ""
    corner = (
        f'<th class="words" scope="col"{deep}>{escape(grid.corner)}</th>'
        if grid.corner
        else f"<td{deep}></td>"
    )
    rows = [
        "".join(_above(head, width, level) for head, width in grid.heads(level))
        for level in range(grid.depth)
    ]
    rows.append("".join(map(_head, grid.columns)))
    return [f"<tr>{corner if index == 0 else ''}{row}</tr>" for index, row in enumerate(rows)]


def _above(head: str, width: int, level: int) -> str:
    """A head above columns. An inner one is of no column group, but a head of all columns it spans."""
    if not head:
        return f'<td colspan="{width}"></td>'
    scope = "col" if level else "colgroup"
    return f'<th scope="{scope}" colspan="{width}"><span>{escape(head)}</span></th>'


def _head(column: GridColumn) -> str:
    return f'<th scope="col"{_CLASSES[column.kind]}>{escape(column.label)}{_ARROWS[column.better]}</th>'


def _row(row: GridRow, columns: Sequence[GridColumn], href: Href) -> str:
    cells = "".join(_cell(cell, column, href) for cell, column in zip(row.cells, columns, strict=True))
    return f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>'


def _cell(cell: GridCell, column: GridColumn, href: Href) -> str:
    """A cell; one with runs behind it opens to them."""
    hint = f' title="{escape(cell.hint)}"' if cell.hint else ""
    if column.kind == "published":  # grey, slanted, and nothing to open
        text = escape(cell.text) if cell.kind == "empty" else _number(cell)
        return f"<td{_CLASSES['published']}{hint}>{text}</td>"
    if cell.kind == "empty":
        return f'<td><span class="n"{hint}>{escape(cell.text)}</span></td>'
    classes = _CLASSES[
        "text" if column.kind == "text" else cell.kind if cell.kind == "published" else "number"
    ]
    if not cell.behind:
        return f"<td{classes}{hint}>{_number(cell)}</td>"
    runs = "".join(_behind(value, href) for value in cell.behind)
    return f"<td{classes}{hint}><details><summary>{_number(cell)}</summary><ul>{runs}</ul></details></td>"


def _behind(value: SeedValue, href: Href) -> str:
    run = value.run
    return (
        f'<li><a href="{escape(href(run))}" title="{escape(run.id)}">seed {run.seed}</a> '
        f"{escape(value.text)}</li>"
    )


def _number(cell: GridCell) -> str:
    """The text with its spread, marks and remark."""
    number = escape(cell.text) + (f' <span class="pm">{escape(cell.spread)}</span>' if cell.spread else "")
    if cell.kind == "published":
        number = f"<i>{escape(f'{cell.text} {cell.spread}'.rstrip())}</i>"
    if cell.mark == "best":
        number = f"<strong>{number}</strong>"
    elif cell.mark == "second":
        number = f"<u>{number}</u>"
    sign = f"<sup>{escape(cell.sign)}</sup>" if cell.sign else ""
    gap = "&nbsp;" if cell.sign else ""  # the sign itself takes no room
    remark = f'{gap} <span class="n">({escape(cell.remark)})</span>' if cell.remark else ""
    return number + sign + remark
