"""A spec as a tree that remembers where each of its parts was written, and how trees are merged.

Nodes are never changed; merging makes new ones and keeps what did not change. So two specs that share a
table share its node, and what was found out about the node holds for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import attrs

from mmspec.errors import Location
from mmspec.spec.scan import Path, Span
from mmspec.spec.source import Place, Source

Scalar = str | int | float | bool | datetime | date | time

#: Where a string is short for a table: the top-level keys, and the key of that table the string fills.
SHORTHAND = {
    "dataset": "use",
    "fusion": "use",
    "balancing": "use",
    "objective": "use",
    "optimizer": "use",
    "schedule": "use",
    "sampler": "use",
    "analysis": "use",
    "extract": "layer",
    "launch": "use",
    "track": "use",
    "init_from": "stage",
}


@attrs.frozen(eq=False)
class Node:
    """A value with its place and, where it has one, its key's."""

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    place: Place
    key: Place | None = None

    @property
    def table(self) -> dict[str, Node]:
        """The children of a table; of anything else, none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items of a list; of anything else, none."""
        return self.value if isinstance(self.value, tuple) else ()

    def plain(self) -> Any:
        """The value as tomli would give it."""
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    def find(self, path: Path) -> Node:
        """The node at `path`, or the last one on the way to it that exists."""
        node = self
        for step in path:
            if isinstance(step, str) and step in node.table:
                node = node.table[step]
            elif isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                break
        return node

    def where(self) -> Location:
        """The value's place; of a table or list, its key's."""
        return self.mark.location()

    @property
    def mark(self) -> Place:
        """What a caret should mark when this value is wrong."""
        return self.key if self.key and isinstance(self.value, dict) else self.place


def build(parsed: Any, spans: Mapping[Path, Span], source: Source) -> Node:
    """The tree of a parsed text, with the places that `scan` found."""
    return _build(parsed, (), spans, source)


def _build(parsed: Any, path: Path, spans: Mapping[Path, Span], source: Source) -> Node:
    span = spans.get(path) or Span(None, (0, 1))
    place = Place(source, *span.value)
    key = Place(source, *span.key) if span.key else None
    if isinstance(parsed, dict):
        children = {name: _build(value, (*path, name), spans, source) for name, value in parsed.items()}
        return Node(children, place, key)
    if isinstance(parsed, list):
        return Node(tuple(_build(v, (*path, i), spans, source) for i, v in enumerate(parsed)), place, key)
    return Node(parsed, place, key)


def from_plain(value: Any, source: Source) -> Node:
    """A tree out of plain JSON values, all standing in `source` as a whole; a key with null is left out."""
    place = Place(source, -1)
    if isinstance(value, Mapping):
        return Node({k: from_plain(v, source) for k, v in value.items() if v is not None}, place, place)
    if isinstance(value, list | tuple):
        return Node(tuple(from_plain(v, source) for v in value), place, place)
    return Node(value, place, place)


def shorthand(path: Path) -> str | None:
    """The key that a string at `path` of a stage stands for, where a table is expected; None elsewhere."""
    if len(path) == 1:
        return SHORTHAND.get(str(path[0]))
    if len(path) == 2 and path[0] == "reads":
        return "stage"
    return "use" if len(path) == 3 and path[0] == "modalities" and path[2] == "backbone" else None


def expanded(node: Node, path: Path) -> Node:
    """The table that a string at `path` is short for; any other node as it is."""
    key = shorthand(path)
    if key is None or not isinstance(node.value, str):
        return node
    return Node({key: Node(node.value, node.place, node.key)}, node.place, node.key)


def merge(base: Node, over: Node, path: Path = (), *, keep: bool = False) -> Node:
    """`base` with `over` laid on it: tables merge key by key, anything else is replaced.

    A table whose `use` becomes another is replaced as a whole, since its options belong to the plugin they
    were written for. A merged table stands where it was written last, or with `keep` where it was first:
    what only sets a key (`--set`, a sweep) is no place to look for the table.
    """
    wide, top = expanded(base, path), expanded(over, path)
    if not (isinstance(wide.value, dict) and isinstance(top.value, dict)):
        return over
    if "use" in wide.value and "use" in top.value and wide.table["use"].value != top.table["use"].value:
        return over
    children = dict(wide.value)
    for name, child in top.value.items():
        below = (*path, name)
        children[name] = merge(children[name], child, below, keep=keep) if name in children else child
    place = wide if keep else top
    return Node(children, place.place, place.key)


def without(node: Node, path: Path) -> Node | None:
    """`node` without what stands at `path`; None where nothing stands there."""
    name, *rest = path
    child = node.table.get(str(name))
    if child is None:
        return None
    children = dict(node.table)
    if rest:
        smaller = without(child, tuple(rest))
        if smaller is None:
            return None
        children[str(name)] = smaller
    else:
        del children[str(name)]
    return Node(children, node.place, node.key)
