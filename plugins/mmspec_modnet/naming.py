"""Which folders the names of a task stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mmspec.plugins.api import Problem
from mmspec_modnet.files import some
from mmspec_modnet.hierarchy import Children, descendants


def find_folders(
    names: Sequence[str], children: Children, there: Sequence[str], folder: Path
) -> tuple[list[str], list[Problem]]:
    """The folders that are `there` for some names, sorted, and a problem for each name without any."""
    found: set[str] = set()
    problems = []
    for name in names:
        below = descendants(name, children)
        if below.isdisjoint(there):
            hint = _hint(name, len(below) - 1, there, [*there, *children])
            problems.append(Problem(f"{folder}: no folder of {name!r}", hint=hint))
        found |= below
    return [each for each in there if each in found], problems


def _hint(name: str, below: int, there: Sequence[str], known: Sequence[str]) -> str:
    words = [each for each in known if not re.fullmatch(r"n\d{8}", each)]  # near numbers mean nothing
    if close := get_close_matches(name, words, n=1, cutoff=0.8):
        return f"did you mean {close[0]!r}?"
    if below:
        return f"none of the {below} classes below it is there; there are {some(there)}"
    return f"there are {some(there)}; a name above them needs the file `hierarchy`, which has it as parent"
