"""What stands around every page of a site, and the pieces that its pages are made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from mmspec.report.formats.html_page import page, scrollable
from mmspec.report.formats.html_text import escape
from mmspec.report.text import minus

#: Pages load the site's own style sheet and scripts, and nothing else; pixels of drawings stand in the page.
#: `file:` is for browsers to which pages on disk have no self.
POLICY = (
    "default-src 'none'; style-src 'self' file:; script-src 'self' file:; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_WIDE = ' class="wide"'
_DIGITS = ' class="digits"'
#: What is longer takes the room of two facts.
_LONG = 26
_MARKUP = re.compile(r"<[^>]*>")
_PLACES = {"index.html": "Overview", "compare.html": "Compare"}


def framed(
    site: str, title: str, body: Iterable[str], *, here: str = "", up: str = "", scripts: Sequence[str] = ()
) -> str:
    """A page of the site called `site`. `here` is its own file, `up` leads to the site's folder."""
    head = ['<link rel="icon" href="data:,">', f'<link rel="stylesheet" href="{up}style.css">']
    head += [f'<script src="{up}{name}" defer></script>' for name in scripts]
    links = "".join(_place(name, label, here, up) for name, label in _PLACES.items())
    before = (
        '<a class="skip" href="#main">Skip to content</a>\n'
        f'<header class="bar"><a class="home" href="{up}index.html">{escape(site)}</a>'
        f'<nav aria-label="Site">{links}</nav></header>'
    )
    whole = title if title == site else f"{title} · {site}"
    after = '<footer class="foot"><p>Made by mmspec from recorded runs.</p></footer>'
    return page(whole, body, policy=POLICY, head=head, before=before, after=after)


def _place(name: str, label: str, here: str, up: str) -> str:
    current = ' aria-current="page"' if name == here else ""
    return f'<a href="{up}{name}"{current}>{label}</a>'


def section(name: str, title: str, *parts: str, classes: str = "") -> str:
    """A part of a page under a heading; empty where nothing is in it."""
    inside = "\n".join(part for part in parts if part)
    if not inside:
        return ""
    kind = f' class="{classes}"' if classes else ""
    return f'<section{kind} aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>\n{inside}</section>'


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[str],
    *,
    classes: str = "runs",
    name: str = "",
    numbers: Collection[str] = (),
) -> str:
    """A table with a caption; `rows` are HTML already. Empty without rows. `numbers` are heads above such."""
    body = "".join(rows)
    if not body:
        return ""
    columns = "".join(
        f'<th scope="col"{_DIGITS if head in numbers else ""}>{escape(head)}</th>' for head in heads
    )
    named = f' id="{name}"' if name else ""
    return scrollable(
        caption,
        f'<table class="{classes}"{named}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>",
    )


def folded(summary: str, inside: str) -> str:
    """Something that opens; empty if there is nothing in it."""
    if not inside:
        return ""
    return f'<details class="fold"><summary>{escape(summary)}</summary>{inside}</details>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with what they say, which is HTML already; those that say nothing are left out."""
    items = "".join(
        f"<div{_WIDE if _is_long(said) else ''}><dt>{escape(name)}</dt><dd>{said}</dd></div>"
        for name, said in pairs
        if said
    )
    return f'<dl class="facts">{items}</dl>' if items else ""


def _is_long(said: str) -> bool:
    return len(_MARKUP.sub("", said)) > _LONG


def code(text: object) -> str:
    """Text in a fixed-width face."""
    return f"<code>{escape(str(text))}</code>" if text not in (None, "") else ""


def block_of(text: str, label: str) -> str:
    """Lines in a fixed-width face, as they are, in a box that scrolls by keyboard too."""
    lines = "\n".join(escape(line.expandtabs(4)) for line in text.splitlines())
    if not lines.strip():
        return ""
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}">{lines}</pre>'


def lead(words: str) -> str:
    """A line that says what follows; HTML already."""
    return f'<p class="lead">{words}</p>'


def number(value: float) -> str:
    """A measured number, to four digits, with a true minus sign."""
    return minus(f"{value:.4g}").replace("nan", "NaN")


def duration(seconds: float) -> str:
    """A time span for a reader."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(text: object) -> str:
    """A recorded time, without its offset where that is UTC."""
    said = str(text or "")
    return escape(said.replace("T", " ").replace("+00:00", " UTC"))
