"""Hierarchies of classes: a file of pairs, parent first, as in ImageNet's `wordnet.is_a.txt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmspec.plugins.api import DataError

Children = Mapping[str, Sequence[str]]


def read_hierarchy(path: Path) -> Children:
    """The children of each parent. Empty lines are passed over.

    Raises:
        DataError: the file cannot be read, or a line is not a pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        hint = "each line of it names a parent and a child, as in wordnet.is_a.txt of ImageNet"
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file") from None
    children: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        names = line.split()
        if not names:
            continue
        if len(names) != 2:
            raise DataError(f"{path}, line {number}: not a parent and a child: {line[:60]!r}")
        children.setdefault(names[0], []).append(names[1])
    return children


def descendants(name: str, children: Children) -> set[str]:
    """`name` and all below it, by whichever of several ways; circles do no harm."""
    found, open_ends = {name}, [name]
    while open_ends:
        fresh = set(children.get(open_ends.pop(), ())) - found
        found |= fresh
        open_ends += fresh
    return found
