"""The tables of a report as LaTeX to be input: booktabs and what LaTeX itself has, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmspec.report.document import Document, Gridded
from mmspec.report.grid import Grid, GridCell, GridColumn
from mmspec.report.text import Code, Link, Sentence, one_line

_LETTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}", "±": r"$\pm$", "−": "$-$", "–": "--", "†": r"\dag{}", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "·": r"$\cdot$", "→": r"$\to$", "\ufffd": "?",
    # These would be read as an argument of the \\ before them.
    "[": "{[}", "]": "{]}", "*": "{*}",
    # A hyphen in braces never joins its neighbour to a dash.
    "-": "{-}",
}  # fmt: skip
_TO_ESCAPE = re.compile("|".join(map(re.escape, _LETTERS)))
_ARROWS = {"max": r" $\uparrow$", "min": r" $\downarrow$", "none": ""}

_HEAD = r"""% {title}
% Made by mmspec report from the runs named below; changes are overwritten.
% Needs \usepackage[T1]{{fontenc}} and \usepackage{{booktabs}}."""


#: The table, smaller where it would be wider than the line; if that is not enough, as far out on both sides.
_FIT = (
    r"\sbox0{\setlength{\tabcolsep}{4pt}\mmspectable}",
    r"\ifdim\wd0>\linewidth\sbox0{\footnotesize\setlength{\tabcolsep}{3pt}\mmspectable}\fi",
    r"\ifdim\wd0>\linewidth\def\mmspecpm{$\pm$}%",
    r"\sbox0{\scriptsize\setlength{\tabcolsep}{3pt}\mmspectable}\fi",
    r"\makebox[\linewidth][c]{\usebox0}",
)
#: A slash of an address: the line may break behind it.
_BREAK = r"/\allowbreak{}"


def escape(text: str) -> str:
    """`text` so that LaTeX sets it letter by letter, on one line."""
    return _TO_ESCAPE.sub(lambda found: _LETTERS[found.group()], one_line(text))


def render(document: Document) -> str:
    """All tables and leaderboards of the report, and as comments the runs behind them."""
    parts = [_HEAD.format(title=one_line(document.definition.title))]
    parts += [_float(block) for block in document.grids]
    comments = [_comment(note) for note in document.notes]
    comments += [
        _comment((f"{label}, seed {run.seed}: {run.id}, spec {run.identity['spec_hash']}",))
        for label, run in document.used
    ]
    return "\n\n".join(parts) + "\n\n" + "\n".join(comments) + "\n"


def _comment(note: Sentence) -> str:
    return "% " + "".join(one_line(part.text if isinstance(part, Code) else part) for part in note)


def _float(block: Gridded) -> str:
    grid = block.grid
    caption = escape(grid.title.rstrip(".") + "." + (f" {grid.text}" if grid.text else ""))
    lines = [
        r"\begin{table}[tbp]",
        r"\centering\small",
        rf"\caption{{{caption}}}\smallskip",
        r"\def\mmspecpm{\,$\pm$\,}",
        r"\def\mmspectable{%",
        rf"\begin{{tabular}}{{@{{}}l{''.join(map(_alignment, grid.columns))}@{{}}}}",
        r"\toprule",
        *_heads(grid),
        r"\midrule",
        *(_row([escape(row.label), *map(_cell, row.cells)]) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        *_FIT,
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
        *(_sentence(note) for note in block.notes),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _alignment(column: GridColumn) -> str:
    return "l" if column.kind == "text" else "r"


def _heads(grid: Grid) -> list[str]:
    """A line for each level of heads above the columns, with rules under them, and the columns' own."""
    lines: list[str] = []
    for level in range(grid.depth):
        rules, above, first = [], [""], 2
        for head, width in grid.heads(level):
            above.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(head)}}}")
            if head:
                rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
            first += width
        lines += [_row(above), "".join(rules)]
    labels = [
        rf"\multicolumn{{1}}{{{'l' if column.kind == 'text' else 'c'}}}"
        rf"{{{escape(column.label)}{_ARROWS[column.better]}}}"
        for column in grid.columns
    ]
    return [*lines, _row([escape(grid.corner), *labels])]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: GridCell) -> str:
    if cell.kind == "empty":
        return escape(cell.text)
    number = escape(cell.text) + _spread(cell.spread)
    if cell.kind == "published":
        number = rf"\textit{{{number}}}"
    elif cell.mark == "best":
        number = rf"\textbf{{\boldmath {number}}}"
    elif cell.mark == "second":
        number = rf"\underline{{{number}}}"
    sign = rf"\rlap{{\textsuperscript{{{escape(cell.sign)}}}}}" if cell.sign else ""
    remark = f" ({escape(cell.remark)})" if cell.remark else ""
    return f"{number}{sign}{remark}"


def _spread(spread: str) -> str:
    if spread.startswith("± "):
        return r"\mmspecpm " + escape(spread[2:])
    return rf"\,{escape(spread)}" if spread else ""


def _sentence(note: Sentence) -> str:
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if not isinstance(part, Code):
        return escape(part)
    text = escape(part.text)
    return rf"\texttt{{{text.replace('/', _BREAK) if isinstance(part, Link) else text}}}"
