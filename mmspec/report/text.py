"""Pieces of text that every format writes in its own way."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import attrs


@attrs.frozen
class Code:
    """A name or a command, to be set in a fixed-width face."""

    text: str


@attrs.frozen
class Link(Code):
    """An http or https address, to be followed where a format can."""


#: A sentence: plain words and code.
Sentence = tuple[str | Code, ...]

#: What an address may hold as it is; the rest is percent-encoded.
_IN_ADDRESS = ":/?#@!$&+,;=%~."

#: The direction that is better, behind the head of a column.
ARROWS = {"max": " ↑", "min": " ↓", "none": ""}


#: Joiners within a word of a script that needs them, and within an emoji.
_JOINERS = re.compile("(?<=[^\\x00-\\x7f\\s])[\u200c\u200d](?=[^\\x00-\\x7f\\s\u200c\u200d])")


def one_line(text: str) -> str:
    """`text` without what breaks a line, hides or reorders characters, or cannot be encoded.

    Spaces and line breaks become one space; control characters, direction overrides and lone surrogates
    become U+FFFD, and so do joiners that join nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    joined = " ".join(text.split()) if any(c.isspace() and c != " " for c in text) else text
    kept = {found.start() for found in _JOINERS.finditer(joined)}
    return "".join("\ufffd" if _is_unsafe(c) and i not in kept else c for i, c in enumerate(joined))


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Cf", "Zl", "Zp", "Cn", "Co")


def listed(items: Iterable[str | Code], limit: int = 12) -> Sentence:
    """`items` with commas between them; beyond `limit`, how many more there are."""
    items = list(items)
    kept: Sequence[str | Code] = items if len(items) <= limit else items[: limit - 1]
    sentence: list[str | Code] = []
    for item in kept:
        sentence += [", ", item] if sentence else [item]
    if len(items) > len(kept):
        sentence.append(f" and {len(items) - len(kept)} more")
    return tuple(sentence)


def spans(numbers: Iterable[int]) -> str:
    """Whole numbers for a reader: `0–2, 5`."""
    groups: list[list[int]] = []
    for number in sorted(set(numbers)):
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(_span(group) for group in groups)


def _span(group: Sequence[int]) -> str:
    if len(group) < 3:
        return ", ".join(map(str, group))
    return f"{group[0]}–{group[-1]}"


def minus(number: str) -> str:
    """A formatted number with a true minus sign, and no minus on zero."""
    if number.startswith("-"):
        return number[1:] if not number.strip("-0.") else "−" + number[1:]
    return number


def address(place: str, folder: Path) -> str:
    """Where a run is recorded, for a reader in `folder`: a web address as it is, a directory relative."""
    return place if "://" in place else os.path.relpath(place, folder)


@lru_cache(maxsize=10_000)
def link(place: str, folder: Path) -> str:
    """Where a run is recorded as a URL; that of a directory is relative to `folder`."""
    if "://" in place:
        return quote(place, safe=_IN_ADDRESS)
    relative = os.path.relpath(place, folder).replace(os.sep, "/")
    return quote(os.fsencode(relative), safe="/") + ("" if Path(place).is_file() else "/")


def is_web(place: str) -> bool:
    """Whether a run lies behind an http(s) address, and not in a directory."""
    return place.startswith(("http://", "https://"))
