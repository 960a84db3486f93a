"""The tables of a report as LaTeX to be input: booktabs and what LaTeX itself has, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from mmspec.report.document import Document, Gridded, Words
from mmspec.report.formats.latex_text import OTHER_LETTERS, comment, escape, running, sentence, short
from mmspec.report.formats.parts import Room, parts_of
from mmspec.report.grid import Grid, GridCell, GridColumn
from mmspec.report.text import one_line

_ARROWS = {"max": r" $\uparrow$", "min": r" $\downarrow$", "none": ""}

#: How many letters stand beside each other on a page, its margins included; what is wider comes in parts.
_PAGE = 120
#: The longest caption, in letters: LaTeX measures it in one line first.
_CAPTION = 600

_HEAD = r"""% {title}
% Made by mmspec report from the runs named below; changes are overwritten.
% Needs \usepackage[T1]{{fontenc}} and \usepackage{{booktabs}}. Letters that are neither Latin nor Greek
% are set by xelatex and lualatex, with a font that has them; pdflatex sets question marks.
{other}"""


#: The table, smaller where it would be wider than the line; if that is not enough, as far out on both sides.
_FIT = (
    r"\sbox0{\setlength{\tabcolsep}{4pt}\mmspectable}",
    r"\ifdim\wd0>\linewidth\sbox0{\footnotesize\setlength{\tabcolsep}{3pt}\mmspectable}\fi",
    r"\ifdim\wd0>\linewidth\def\mmspecpm{$\pm$}%",
    r"\sbox0{\scriptsize\setlength{\tabcolsep}{3pt}\mmspectable}\fi",
    r"\makebox[\linewidth][c]{\usebox0}",
)


def render(document: Document) -> str:
    """All tables, leaderboards and text blocks of the report, and as comments the runs behind them."""
    parts = [_HEAD.format(title=one_line(document.definition.title), other=OTHER_LETTERS)]
    for block in document.blocks:
        if isinstance(block, Words):
            parts += _words(block)
        elif isinstance(block, Gridded):
            parts.append(_float(block))
    comments = [comment(note) for note in document.notes]
    comments += [
        comment((f"{label}, seed {run.seed}: {run.id}, spec {run.identity['spec_hash']}",))
        for label, run in document.used
    ]
    return "\n\n".join(parts) + "\n\n" + "\n".join(comments) + "\n"


def _words(words: Words) -> list[str]:
    """A text block: its title begins its first paragraph, since headings are the paper's."""
    title = rf"\paragraph{{{short(words.title, _CAPTION)}}} " if words.title else ""
    return [title * (index == 0) + running(part) for index, part in enumerate(words.paragraphs)]


def _float(block: Gridded) -> str:
    grid = block.grid
    caption, below = _caption(grid)
    lines = [
        r"\begin{table}[tbp]",
        r"\centering\small",
        rf"\caption{{{caption}}}\smallskip",
        r"\def\mmspecpm{\,$\pm$\,}",
        *(line for first, last in parts_of(grid, _room(grid)) for line in _tabular(grid.part(first, last))),
        r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
        *below,
        *(sentence(note) for note in block.notes),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _tabular(grid: Grid) -> list[str]:
    return [
        r"\def\mmspectable{%",
        rf"\begin{{tabular}}{{@{{}}l{''.join(map(_alignment, grid.columns))}@{{}}}}",
        r"\toprule",
        *_heads(grid),
        r"\midrule",
        *(_row([short(row.label), *map(_cell, row.cells)]) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        *_FIT,
        r"\par\smallskip",
    ]


def _room(grid: Grid) -> Room:
    """About how wide the columns are, in letters of the smallest size, and how wide a page is."""
    widths = [max([len(grid.corner), *(len(row.label) for row in grid.rows)])]
    for index, column in enumerate(grid.columns):
        cells = [row.cells[index] for row in grid.rows]
        said = (
            len(cell.text) + len(cell.spread) + len(cell.remark) + 3 * bool(cell.remark) for cell in cells
        )
        widths.append(max([len(column.label), *said]))
    return Room(widths, 2, _PAGE)


def _caption(grid: Grid) -> tuple[str, list[str]]:
    """The caption with the text behind it; a long text, in its place, stands below the table."""
    title = grid.title.rstrip(".") + "."
    if len(title) + len(grid.text) <= _CAPTION:
        return escape(f"{title} {grid.text}".rstrip()), []
    return short(title, _CAPTION), [running(grid.text) + r"\par"] if grid.text else []


def _alignment(column: GridColumn) -> str:
    return "l" if column.kind == "text" else "r"


def _heads(grid: Grid) -> list[str]:
    """A line for each level of heads above the columns, with rules under them, and the columns' own."""
    lines: list[str] = []
    for level in range(grid.depth):
        rules, above, first = [], [""], 2
        for head, width in grid.heads(level):
            above.append(rf"\multicolumn{{{width}}}{{c}}{{{short(head)}}}")
            if head:
                rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
            first += width
        lines += [_row(above), "".join(rules)]
    labels = [
        rf"\multicolumn{{1}}{{{'l' if column.kind == 'text' else 'c'}}}"
        rf"{{{short(column.label)}{_ARROWS[column.better]}}}"
        for column in grid.columns
    ]
    return [*lines, _row([short(grid.corner), *labels])]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: GridCell) -> str:
    if cell.kind == "empty":
        return escape(cell.text)
    number = short(cell.text) + _spread(cell.spread)
    if cell.kind == "published":
        number = rf"\textit{{{number}}}"
    if cell.mark == "best":
        number = rf"\textbf{{\boldmath {number}}}"
    elif cell.mark == "second":
        number = rf"\underline{{{number}}}"
    sign = rf"\textsuperscript{{{escape(cell.sign)}}}" if cell.sign else ""
    if sign and not cell.remark:
        sign = rf"\rlap{{{sign}}}"  # so that numbers stand below each other
    remark = f" ({short(cell.remark)})" if cell.remark else ""
    return f"{number}{sign}{remark}"


def _spread(spread: str) -> str:
    if spread.startswith("± "):
        return r"\mmspecpm " + escape(spread[2:])
    return rf"\,{escape(spread)}" if spread else ""
