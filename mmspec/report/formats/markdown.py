"""A report as Markdown (the tables of GitHub and CommonMark's common extension)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from mmspec.report.document import Block, Document, Gridded, Words
from mmspec.report.grid import Grid, GridCell
from mmspec.report.text import ARROWS, Code, Link, Sentence, link, one_line

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
        parts += block_parts(block)
    parts += ["## Runs", _bullets(document.notes), _runs(document)]
    return "\n\n".join(part for part in parts if part) + "\n"


def block_parts(block: Block) -> list[str]:
    """A block in paragraphs, its title first."""
    if isinstance(block, Gridded):
        return _grid_block(block)
    if isinstance(block, Words):
        return [f"## {_line(block.title)}" if block.title else "", *map(_line, block.paragraphs)]
    return [
        f"## {_line(block.title)}",
        f"![{escape(block.title)}]({quote(block.file('svg'))})",
        _line(block.text),
        _bullets(block.notes),
    ]


def _grid_block(block: Gridded) -> list[str]:
    grid = block.grid
    return [f"## {_line(grid.title)}", _line(grid.text), _table(grid), _bullets(block.notes)]


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


def _table(grid: Grid) -> str:
    head = [escape(grid.corner), *_heads(grid)]
    rule = ["---", *("---" if column.kind == "text" else "---:" for column in grid.columns)]
    body = [[escape(row.label), *map(_cell, row.cells)] for row in grid.rows]
    return "\n".join(_row(cells) for cells in [head, rule, *body])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _heads(grid: Grid) -> list[str]:
    """The heads of the columns; a head above several is said at the first of them."""
    levels = [
        [text for head, width in grid.heads(level) for text in (escape(head), *[""] * (width - 1))]
        for level in range(grid.depth)
    ]
    own = [escape(column.label) + ARROWS[column.better] for column in grid.columns]
    return ["<br>".join(parts) for parts in zip(*levels, own, strict=True)]


def _cell(cell: GridCell) -> str:
    if cell.kind == "empty":
        return escape(cell.text)
    number = escape(f"{cell.text} {cell.spread}".rstrip())
    if cell.kind == "published":
        number = f"*{number}*"
    if cell.mark == "best":
        number = f"**{number}**"
    elif cell.mark == "second":
        number = f"<ins>{number}</ins>"
    remark = f" ({escape(cell.remark)})" if cell.remark else ""
    return f"{number}{escape(cell.sign)}{remark}"


def _runs(document: Document) -> str:
    """Which runs stand behind each row."""
    rows = [["row", "seed", "run", "spec"], ["---", "---:", "---", "---"]]
    for label, run in document.used:
        linked = f"[{escape(run.id)}]({link(run.address, document.folder)})"
        rows.append([escape(label), str(run.seed), linked, escape(str(run.identity["spec_hash"])[:8])])
    return "\n".join(map(_row, rows)) if document.used else ""
