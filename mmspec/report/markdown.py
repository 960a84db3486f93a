"""A report as Markdown (the tables of GitHub and CommonMark's common extension)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from mmspec.report.document import Block, Document, NotedTable, Words
from mmspec.report.table import Cell, PublishedCell, Table
from mmspec.report.text import ARROWS, Code, Link, Sentence, link, minus, one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
#: What would begin a list, a heading or a rule at the beginning of a line.
_BLOCK = re.compile(r"^(\d+)?([-+.)=])")

#: What an address may hold as it is; brackets, quotes and the like are percent-encoded.
_IN_ADDRESS = ":/?#@!$&+,;=%~."


def escape(text: str) -> str:
    """`text` so that Markdown shows it letter by letter, on one line."""
    return _SPECIAL.sub(r"\\\1", one_line(text)).replace("@", "&#64;")


def render(document: Document) -> str:
    """The whole report."""
    parts = [f"# {_line(document.definition.title)}", *map(_line, document.paragraphs)]
    for block in document.blocks:
        parts += _block(block)
    parts += ["## Runs", _bullets(document.notes), _runs(document)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> list[str]:
    if isinstance(block, NotedTable):
        return _table_block(block)
    if isinstance(block, Words):
        return [f"## {_line(block.title)}" if block.title else "", *map(_line, block.paragraphs)]
    return [
        f"## {_line(block.title)}",
        f"![{escape(block.title)}]({quote(block.file('svg'))})",
        _line(block.text),
        _bullets(block.notes),
    ]


def _table_block(noted: NotedTable) -> list[str]:
    wanted = noted.table.definition
    return [f"## {_line(wanted.title)}", _line(wanted.text), _table(noted.table), _bullets(noted.notes)]


def _line(text: str) -> str:
    """A paragraph: escaped, and no beginning of a list."""
    return _BLOCK.sub(r"\1\\\2", escape(text))


def _bullets(notes: Iterable[Sentence]) -> str:
    return "\n".join(f"- {sentence(note)}" for note in notes)


def sentence(note: Sentence) -> str:
    """A note; code in backticks."""
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if isinstance(part, Link):
        return f"[{escape(part.text)}]({quote(part.text, safe=_IN_ADDRESS)})"
    return _code(part.text) if isinstance(part, Code) else escape(part)


def _code(text: str) -> str:
    """A code span: its fence is longer than any run of backticks in it."""
    text = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _table(table: Table) -> str:
    head = ["", *_heads(table)]
    body = [[escape(label), *(_cell(table, cell) for cell in line)] for label, line in table.lines()]
    return "\n".join(_row(cells) for cells in [head, ["---", *("---:" for _ in table.heads)], *body])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _heads(table: Table) -> list[str]:
    """The heads of the columns; a group is said at the first of its columns."""
    above = [text for group, width in table.column_groups for text in (group, *[""] * (width - 1))]
    grouped = any(above)
    return [
        (f"{escape(group)}<br>" if grouped else "") + escape(label) + ARROWS[head.better]
        for group, label, head in zip(above, table.labels, table.heads, strict=True)
    ]


def _cell(table: Table, cell: Cell | PublishedCell) -> str:
    if isinstance(cell, PublishedCell):
        return f"*{escape(cell.text)}*" if cell.claim else "–"
    if cell.mean is None:
        return "NaN" if cell.taken else "–"
    number = minus(cell.mean) + (f" ± {cell.std}" if cell.std else "")
    if cell.is_best:
        number = f"**{number}**"
    elif table.is_second(cell):
        number = f"<ins>{number}</ins>"
    dagger = "†" if cell.differs else ""
    remark = f" ({escape(cell.remark)})" if cell.remark else ""
    return f"{number}{dagger}{remark}"


def _runs(document: Document) -> str:
    """Which runs stand behind each row."""
    rows = [["row", "seed", "run", "spec"], ["---", "---:", "---", "---"]]
    for label, run in document.used:
        linked = f"[{escape(run.id)}]({link(run.address, document.folder)})"
        rows.append([escape(label), str(run.seed), linked, escape(str(run.identity["spec_hash"])[:8])])
    return "\n".join(map(_row, rows)) if document.used else ""
