"""Where each key of a resolved spec was written, found by reading the recorded source files again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from mmspec.errors import MmspecError
from mmspec.spec.expand import Expansion, expand
from mmspec.spec.findings import Findings
from mmspec.spec.load import Document, parse
from mmspec.spec.overrides import read_overrides
from mmspec.spec.source import Source
from mmspec.spec.tree import Node, expanded, merge

#: The file beside the sources that holds what `--set` said.
OVERRIDES = "overrides.txt"

Sources = tuple[tuple[str, str], ...]
KeyPath = tuple[str | int, ...]


@attrs.frozen
class Origin:
    """A place in a source file, or in the lines of `--set`: the name of the file, and the line."""

    file: str
    line: int


@attrs.frozen
class Origins:
    """The trees of a run's stages, and of what stands around them, as they were written."""

    stages: Mapping[str, Node]
    around: Mapping[str, Node]

    def of(self, stage: str, path: KeyPath) -> Origin | None:
        """Where the value at `path` of a stage was written; None for a default."""
        root = self.stages.get(stage)
        return _find(root, path) if root else None

    def beside(self, path: KeyPath) -> Origin | None:
        """The same for `track` and `launch`."""
        root = self.around.get(str(path[0]))
        if root is None:
            return None
        rest = path[1:]
        if rest and isinstance(rest[0], int) and not root.items:  # one table is short for a list of one
            rest = rest[1:]
        return _find(root, rest, (str(path[0]),))


def find_origins(sources: Sources, labels: Mapping[str, Any]) -> Origins | None:
    """The origins of the run with these labels; None if the sources cannot be read or have no such run."""
    expansion = _expansion(sources)
    if expansion is None:
        return None
    wanted = dict(labels)
    for point in expansion.points:
        if dict(point.labels) == wanted:
            around = {"track": expansion.track, "launch": expansion.launch}
            kept = {name: node for name, node in around.items() if node is not None}
            return Origins({stage.name: stage.root for stage in point.stages}, kept)
    return None


def _find(node: Node, path: Sequence[str | int], above: Sequence[str | int] = ()) -> Origin | None:
    """The place of what is at `path`, or of the value that stands for the whole table around it."""
    for depth, step in enumerate(path):
        node = expanded(node, (*above, *path[:depth]))
        if isinstance(step, int):
            if step >= len(node.items):
                return None
            node = node.items[step]
        elif isinstance(node.value, str) and step == "use":  # a metric's name is short for its table
            break
        elif step not in node.table:
            return None
        else:
            node = node.table[step]
    place = node.mark.location()
    return Origin(place.file, place.line)


@lru_cache(maxsize=8)
def _expansion(sources: Sources) -> Expansion | None:
    """All runs that the sources ask for. Variables of the environment are left as they are written."""
    texts = dict(sources)
    said = texts.pop(OVERRIDES, "")
    findings = Findings()
    try:
        main = _main(texts)
        root = _merged(main, texts, findings, ()) if main else None
        over = read_overrides(said.splitlines(), findings) if said else None
        if main is None or root is None:
            return None
        if over is not None:
            root = merge(root, over, keep=True)
        return expand(Document(Path(main), root, (), over), findings)
    except (MmspecError, KeyError, ValueError, TypeError, RecursionError):
        return None  # written in another version of the language, or damaged


def _extended(node: Node) -> list[str]:
    """The names of the files that a file extends, without their folders, as they are recorded."""
    base = node.table.get("extends")
    named = () if base is None else base.items or (base,)
    return [PurePosixPath(str(item.value)).name for item in named]


def _main(texts: Mapping[str, str]) -> str | None:
    """The file that no other extends; None if there is not one such."""
    parsed = {name: parse(Source(name, text), Findings()) for name, text in texts.items()}
    below = {name for node in parsed.values() if node for name in _extended(node)}
    tops = [name for name in parsed if name not in below]
    return tops[0] if len(tops) == 1 else None


def _merged(name: str, texts: Mapping[str, str], findings: Findings, chain: tuple[str, ...]) -> Node | None:
    node = parse(Source(name, texts[name]), findings)
    if node is None or name in chain:
        return None
    own = Node({key: value for key, value in node.table.items() if key != "extends"}, node.place)
    base: Node | None = None
    for other in _extended(node):
        part = _merged(other, texts, findings, (*chain, name))
        if part is None:
            return None
        base = part if base is None else merge(base, part)
    return own if base is None else merge(base, own)
