"""The tables of a report as LaTeX to be input: booktabs and what LaTeX itself has, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmspec.report.document import Document, NotedTable
from mmspec.report.published import Claim
from mmspec.report.table import Cell, PublishedCell, Table
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
    """All tables of the report, and as comments the runs behind them."""
    parts = [_HEAD.format(title=one_line(document.definition.title))]
    parts += [_float(noted) for noted in document.tables]
    comments = [_comment(note) for note in document.notes]
    comments += [
        _comment((f"{label}, seed {run.seed}: {run.id}, spec {run.identity['spec_hash']}",))
        for label, run in document.used
    ]
    return "\n\n".join(parts) + "\n\n" + "\n".join(comments) + "\n"


def _comment(note: Sentence) -> str:
    return "% " + "".join(one_line(part.text if isinstance(part, Code) else part) for part in note)


def _float(noted: NotedTable) -> str:
    table = noted.table
    wanted = table.definition
    caption = escape(wanted.title.rstrip(".") + "." + (f" {wanted.text}" if wanted.text else ""))
    lines = [
        r"\begin{table}[tbp]",
        r"\centering\small",
        rf"\caption{{{caption}}}\smallskip",
        r"\def\mmspecpm{\,$\pm$\,}",
        r"\def\mmspectable{%",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(table.heads)}@{{}}}}",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        *(_row([escape(label), *(_cell(table, cell) for cell in line)]) for label, line in table.lines()),
        r"\bottomrule",
        r"\end{tabular}}",
        *_FIT,
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
        *(_sentence(note) for note in noted.notes),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _heads(table: Table) -> list[str]:
    labels = [
        rf"\multicolumn{{1}}{{c}}{{{escape(label)}{_ARROWS[head.better]}}}"
        for label, head in zip(table.labels, table.heads, strict=True)
    ]
    groups = table.column_groups
    if not any(group for group, _ in groups):
        return [_row(["", *labels])]
    rules, first = [], 2
    for group, width in groups:
        if group:
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    above = [rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}" for group, width in groups]
    return [_row(["", *above]), "".join(rules), _row(["", *labels])]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(table: Table, cell: Cell | PublishedCell) -> str:
    if isinstance(cell, PublishedCell):
        return rf"\textit{{{_claim(cell.claim)}}}" if cell.claim else "--"
    if cell.mean is None:
        return "NaN" if cell.taken else "--"
    number = _number(cell.mean) + (rf"\mmspecpm {cell.std}" if cell.std else "")
    if cell.is_best:
        number = rf"\textbf{{\boldmath {number}}}"
    elif table.is_second(cell):
        number = rf"\underline{{{number}}}"
    dagger = r"\rlap{\textsuperscript{\dag}}" if cell.differs else ""
    remark = f" ({escape(cell.remark)})" if cell.remark else ""
    return f"{number}{dagger}{remark}"


def _claim(claim: Claim) -> str:
    spread = rf"\mmspecpm {claim.std_text}" if claim.std_text else ""
    return _number(claim.mean_text) + spread


def _number(number: str) -> str:
    """A number with a true minus, and none on zero."""
    if not number.startswith("-"):
        return number
    return number[1:] if not number.strip("-0.") else f"$-${number[1:]}"


def _sentence(note: Sentence) -> str:
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if not isinstance(part, Code):
        return escape(part)
    text = escape(part.text)
    return rf"\texttt{{{text.replace('/', _BREAK) if isinstance(part, Link) else text}}}"
