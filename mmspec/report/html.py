"""A report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from mmspec.report.document import Block, Document, NotedTable, Picture, Words
from mmspec.report.style import INK
from mmspec.report.table import Cell, PublishedCell, Table
from mmspec.report.text import Code, Link, Sentence, link, minus, one_line

_ARROWS = {"max": "&nbsp;↑", "min": "&nbsp;↓", "none": ""}

_CSS = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --soft: #5c5c5c; --rule: #1b1b1b;
  --hair: #d9d9d9; --link: #0b5394; --wash: #f4f4f2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; --soft: #a3a19d;
  --rule: #c9c7c4; --hair: #3a3d40; --link: #8ab8e6; --wash: #222527; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 3rem 1.25rem 5rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; margin: 0 0 1rem;
  text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 3rem 0 .5rem; }
p { max-width: 44rem; margin: .5rem 0 1rem; }
a { color: var(--link); text-underline-offset: .15em; }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid var(--rule); font-variant-numeric: tabular-nums;
  font-size: .94rem; line-height: 1.4; }
caption, figcaption { text-align: left; font-weight: 600; padding: 0 0 .6rem; }
caption small, figcaption small { display: block; font-size: .92rem; font-weight: 400; color: var(--soft); }
th, td { padding: .32rem .7rem; text-align: right; white-space: nowrap; vertical-align: top; }
thead th { font-weight: 550; vertical-align: bottom; white-space: normal; }
thead tr:last-child > th, thead td[rowspan] { border-bottom: 1px solid var(--rule); }
th[scope=colgroup] { text-align: center; }
th[scope=colgroup] span { display: block; border-bottom: 1px solid var(--rule); padding-bottom: .2rem; }
tbody th { font-weight: 400; text-align: left; }
tbody th:first-child { padding-left: .2rem; }
td:last-child, thead tr:last-child th:last-child { padding-right: 1rem; }
tbody tr:hover { background: var(--wash); }
.pm, .n, .published { color: var(--soft); }
.pm { font-size: .92em; }
sup { display: inline-block; width: .55em; margin-right: -.55em; line-height: 0; }
td u { text-underline-offset: .2em; }
td summary { cursor: pointer; list-style: none; }
td summary::-webkit-details-marker { display: none; }
td summary:hover, td summary:focus-visible { text-decoration: underline dotted;
  text-underline-offset: .25em; }
td details ul { margin: .2rem 0 .3rem; padding: 0; list-style: none; font-size: .86em; color: var(--soft); }
.notes { max-width: 52rem; margin: .8rem 0; padding: 0; list-style: none; font-size: .85rem;
  color: var(--soft); }
.notes li { margin: .15rem 0; }
figure { margin: 3rem 0 0; }
figure svg { display: block; width: 100%; max-width: 46rem; height: auto; margin: .5rem 0; }
.runs { border-block-width: 1px; font-size: .85rem; }
.runs td, .runs th { text-align: left; padding: .15rem .7rem .15rem .2rem; }
@media print { body { max-width: none; padding: 0; } td details ul { display: none; }
  table, figure { break-inside: avoid; } }
"""


_PUBLISHED = ' class="published"'
_OPENS: Sentence = ("A number opens to its seeds, each a link to its run.",)


def escape(text: str) -> str:
    """`text` so that HTML shows it letter by letter, in content and in attributes."""
    return html.escape(one_line(text), quote=True)


def render(document: Document) -> str:
    """The whole report."""
    title = escape(document.definition.title)
    body = [f"<h1>{title}</h1>", *(f"<p>{escape(part)}</p>" for part in document.paragraphs)]
    body += [_block(block, document, number) for number, block in enumerate(document.blocks)]
    body += ["<h2>Runs</h2>", _notes(document.notes), _runs(document)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{_CSS}</style></head>",
            "<body><main>",
            *(part for part in body if part),
            "</main></body></html>",
            "",
        ]
    )


def _block(block: Block, document: Document, number: int) -> str:
    if isinstance(block, Words):
        title = f"<h2>{escape(block.title)}</h2>" if block.title else ""
        return title + "".join(f"<p>{escape(part)}</p>" for part in block.paragraphs)
    return _table_block(block, document) if isinstance(block, NotedTable) else _figure(block, number)


def sentence(note: Sentence) -> str:
    """A note; code in a fixed-width face."""
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if isinstance(part, Link):
        return f'<a href="{escape(part.text)}" rel="noopener noreferrer">{escape(part.text)}</a>'
    return f"<code>{escape(part.text)}</code>" if isinstance(part, Code) else escape(part)


def _notes(notes: Iterable[Sentence]) -> str:
    items = "".join(f"<li>{sentence(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


# ---------------------------------------------------------------- tables


def _table_block(noted: NotedTable, document: Document) -> str:
    table = noted.table
    small = f"<small>{escape(table.definition.text)}</small>" if table.definition.text else ""
    rows = [_body_row(label, line, table, document) for label, line in table.lines()]
    return "\n".join(
        [
            "<section>",
            '<div class="scroll" tabindex="0" role="region" '
            f'aria-label="{escape(table.definition.title)}"><table>',
            f"<caption>{escape(table.definition.title)}{small}</caption>",
            f"<thead>{''.join(_heads(table))}</thead>",
            "<tbody>",
            *rows,
            "</tbody></table></div>",
            _notes([*noted.notes, _OPENS]),
            "</section>",
        ]
    )


def _heads(table: Table) -> list[str]:
    labels = "".join(
        f'<th scope="col"{_PUBLISHED if head.file else ""}>{escape(label)}{_ARROWS[head.better]}</th>'
        for label, head in zip(table.labels, table.heads, strict=True)
    )
    if not any(column.group for column in table.columns):
        return [f"<tr><td></td>{labels}</tr>"]
    groups = "".join(
        f'<th scope="colgroup" colspan="{width}"><span>{escape(group)}</span></th>'
        if group
        else f'<td colspan="{width}"></td>'
        for group, width in table.column_groups
    )
    return [f'<tr><td rowspan="2"></td>{groups}</tr>', f"<tr>{labels}</tr>"]


def _body_row(label: str, line: Iterable[Cell | PublishedCell], table: Table, document: Document) -> str:
    cells = "".join(
        _claim(cell) if isinstance(cell, PublishedCell) else f"<td>{_cell(cell, table, document)}</td>"
        for cell in line
    )
    return f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>'


def _cell(cell: Cell, table: Table, document: Document) -> str:
    """A number that opens to the seeds behind it, each a link to its run's directory."""
    if not cell.taken:
        return '<span class="n" title="not measured">–</span>'
    seeds = "".join(
        f'<li><a href="{escape(link(run.address, document.folder))}" title="{escape(run.id)}">'
        f"seed {run.seed}</a> {minus(cell.format(value))}</li>"
        for run, value in cell.taken
    )
    return f"<details><summary>{_number(cell, table)}</summary><ul>{seeds}</ul></details>"


def _claim(cell: PublishedCell) -> str:
    """A published figure: grey, slanted, and nothing to open."""
    if cell.claim is None or cell.row is None:
        return f'<td{_PUBLISHED} title="not published">–</td>'
    said = f"published as {cell.row.label}: {cell.file.source}"
    return f'<td{_PUBLISHED} title="{escape(said)}"><i>{escape(cell.text)}</i></td>'


def _number(cell: Cell, table: Table) -> str:
    if cell.mean is None:
        return "NaN"
    number = minus(cell.mean) + (f' <span class="pm">± {cell.std}</span>' if cell.std else "")
    if cell.is_best:
        number = f"<strong>{number}</strong>"
    elif table.is_second(cell):
        number = f"<u>{number}</u>"
    dagger = "<sup>†</sup>" if cell.differs else ""
    remark = f' <span class="n">({escape(cell.remark)})</span>' if cell.remark else ""
    return number + dagger + remark


def _runs(document: Document) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{run.seed}</td>'
        f'<td><a href="{escape(link(run.address, document.folder))}"><code>{escape(run.id)}</code></a></td>'
        f"<td><code>{escape(str(run.identity['spec_hash'])[:8])}</code></td></tr>"
        for label, run in document.used
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("row", "seed", "run", "spec"))
    table = f'<table class="runs"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Runs">{table}</div>' if rows else ""


# ---------------------------------------------------------------- figures


def _figure(picture: Picture, number: int) -> str:
    small = f"<small>{escape(picture.text)}</small>" if picture.text else ""
    return (
        f"<figure>{inline_svg(picture.data['svg'].decode(), picture.title, f'figure{number}')}"
        f"<figcaption>{escape(picture.title)}{small}</figcaption>{_notes(picture.notes)}</figure>"
    )


def inline_svg(svg: str, label: str, prefix: str) -> str:
    """A drawing to stand in a page: its ids its own, its ink that of the text, its label said aloud."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = svg.replace('href="#', f'href="#{prefix}-').replace("url(#", f"url(#{prefix}-")
    svg = svg.replace(INK, "currentColor")
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
