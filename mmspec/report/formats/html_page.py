"""What all pages have in common: the skeleton, the style, and what they may load."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from mmspec.report.formats.html_text import escape


@cache
def asset(name: str) -> str:
    """A file that comes with mmspec: a style sheet or a script."""
    return (files("mmspec.report") / "assets" / name).read_text(encoding="utf-8")


def page(
    title: str,
    body: Iterable[str],
    *,
    policy: str,
    head: Iterable[str] = (),
    before: str = "",
    after: str = "",
) -> str:
    """A whole page. `body` is its main part, `before` and `after` stand around it, `head` is what it loads.

    `policy` is what it may load, as a Content-Security-Policy.
    """
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="generator" content="mmspec">',
            f"<title>{escape(title)}</title>",
            *head,
            "</head>",
            "<body>",
            *([before] if before else []),
            '<main id="main">',
            *(part for part in body if part),
            "</main>",
            *([after] if after else []),
            "</body></html>",
            "",
        ]
    )


def alone(title: str, body: Iterable[str]) -> str:
    """A page that is one file: its style is in it, and it may load nothing."""
    style = asset("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'"
    return page(title, body, policy=policy, head=[f"<style>{style}</style>"])


def scrollable(label: str, table: str) -> str:
    """A table in a box of its own that scrolls sideways, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'
