"""A report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from mmspec.report.document import Block, Document, Picture, Words
from mmspec.report.formats.html_grid import Href, grid_section, links_from
from mmspec.report.formats.html_page import alone, scrollable
from mmspec.report.formats.html_text import escape, notes_list
from mmspec.report.formats.svg import inline_svg


def render(document: Document) -> str:
    """The whole report."""
    href = links_from(document.folder)
    body = [*opening(document), *blocks(document, href)]
    body += ["<h2>Runs</h2>", notes_list(document.notes), _runs(document, href)]
    return alone(document.definition.title, body)


def opening(document: Document) -> list[str]:
    """Title and introduction."""
    return [
        f"<h1>{escape(document.definition.title)}</h1>",
        *(f"<p>{escape(part)}</p>" for part in document.paragraphs),
    ]


def blocks(document: Document, href: Href) -> list[str]:
    """Texts, tables and figures, in order; `href` is where a run's link leads."""
    return [_block(block, number, href) for number, block in enumerate(document.blocks)]


def _block(block: Block, number: int, href: Href) -> str:
    if isinstance(block, Words):
        title = f"<h2>{escape(block.title)}</h2>" if block.title else ""
        return title + "".join(f"<p>{escape(part)}</p>" for part in block.paragraphs)
    if isinstance(block, Picture):
        return _figure(block, number)
    return grid_section(block.grid, block.notes, href)


def _figure(picture: Picture, number: int) -> str:
    small = f"<small>{escape(picture.text)}</small>" if picture.text else ""
    drawing = inline_svg(picture.data["svg"].decode(), picture.title, f"figure{number}")
    return (
        f'<figure class="picture">{drawing}'
        f"<figcaption>{escape(picture.title)}{small}</figcaption>{notes_list(picture.notes)}</figure>"
    )


def _runs(document: Document, href: Href) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{run.seed}</td>'
        f'<td><a href="{escape(href(run))}"><code>{escape(run.id)}</code></a></td>'
        f"<td><code>{escape(str(run.identity['spec_hash'])[:8])}</code></td></tr>"
        for label, run in document.used
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("row", "seed", "run", "spec"))
    table = f'<table class="runs"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return scrollable("Runs", table) if rows else ""
