"""Names of conditional figures."""

from __future__ import annotations

from collections.abc import Sequence


def given_others(letter: str, modality: str, modalities: Sequence[str]) -> str:
    """u(color|grey): of grey, as to color. More than one other are joined by "+"."""
    return f"{letter}({'+'.join(m for m in modalities if m != modality)}|{modality})"
