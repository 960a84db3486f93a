"""Text in HTML: whatever it says, it is shown letter by letter."""

from __future__ import annotations

import html
from collections.abc import Iterable

from mmspec.report.text import Code, Link, Sentence, one_line


def escape(text: str) -> str:
    """`text` so that HTML shows it letter by letter, in content and in attributes."""
    return html.escape(one_line(text), quote=True)


def sentence(note: Sentence) -> str:
    """A note; code in a fixed-width face."""
    return "".join(map(_part, note))


def _part(part: str | Code) -> str:
    if isinstance(part, Link):
        return f'<a href="{escape(part.text)}" rel="noopener noreferrer">{escape(part.text)}</a>'
    return f"<code>{escape(part.text)}</code>" if isinstance(part, Code) else escape(part)


def notes_list(notes: Iterable[Sentence]) -> str:
    """Notes as a list; empty without notes."""
    items = "".join(f"<li>{sentence(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""
