"""Names of conditional figures, and of many things in few words."""

from __future__ import annotations

from collections.abc import Sequence


def given_others(letter: str, modality: str, modalities: Sequence[str]) -> str:
    """u(color|grey): of grey, as to color. More than one other are joined by "+"."""
    return f"{letter}({'+'.join(m for m in modalities if m != modality)}|{modality})"


def some(names: Sequence[str], shown: int = 10) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f", and {more} more" if more > 0 else "")
