"""From files to one tree: reading, `extends`, `--set`, environment variables."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import tomli

from mmspec.errors import Location, SpecError
from mmspec.spec.environment import fill_in
from mmspec.spec.findings import Findings
from mmspec.spec.overrides import read_overrides
from mmspec.spec.scan import DEEPEST, TooDeepError, scan
from mmspec.spec.source import Source
from mmspec.spec.syntax import syntax_problem
from mmspec.spec.tree import Node, build, merge
from mmspec.spec.words import describe, dotted, nearest, show

#: Larger files are refused: no spec is, and a data file given by mistake should not be parsed.
LARGEST = 1_000_000


@attrs.frozen(eq=False)
class Document:
    """A spec as read: the merged tree, with the place of every key and value, and the texts it came from.

    `overrides` are in `root` already; they stand apart as well because they win over variants, sweep and
    stages too.
    """

    path: Path
    root: Node
    sources: tuple[Source, ...]
    overrides: Node | None = None

    @property
    def tree(self) -> dict[str, Any]:
        """The merged tree as plain values."""
        tree: dict[str, Any] = self.root.plain()
        return tree

    def where(self, *path: str | int, key: bool = False) -> Location:
        """The place of the value at `path`, or of its key; of what is missing, the table it would be in."""
        node = self.root.find(path)
        return node.key.location() if key and node.key else node.where()


def read_document(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read a spec with what it extends, lay `overrides` (`key=value`) on it, and fill in the environment.

    Raises:
        SpecError: all that is wrong with files, TOML syntax, `extends`, overrides and variables.
    """
    findings = Findings()
    reader = _Reader(findings)
    root = reader.read(Path(path), None, ())
    over = read_overrides(overrides, findings)
    if root is None:
        findings.raise_any()
        raise SpecError(f"{path} could not be read")
    if over is not None:
        if "extends" in over.table:
            findings.add("extends cannot be set from the command line", over.table["extends"].where())
        over = fill_in(over, os.environ, findings)
        root = merge(root, over, keep=True)
    root = fill_in(root, os.environ, findings)
    findings.raise_any()
    return Document(Path(path), root, tuple(reader.sources.values()), over)


class _Reader:
    """Reads files, each once, and merges what they extend."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.sources: dict[Path, Source] = {}
        self._merged: dict[Path, Node | None] = {}

    def read(self, path: Path, named: Location | None, chain: tuple[Path, ...]) -> Node | None:
        """The merged tree of a file; `named` is where another one names it, `chain` who did."""
        if not str(path).isprintable():
            where = named or Location(show(str(path)))
            self.findings.add(f"{show(str(path))} is no name of a file", where)
            return None
        identity = Path(os.path.realpath(path))
        if identity in chain:
            names = " extends ".join(p.name for p in (*chain[chain.index(identity) :], identity))
            self.findings.add("extends goes in a circle", named, names)
            return None
        if identity not in self._merged:
            self._merged[identity] = self._read(path, identity, named, chain)
        return self._merged[identity]

    def _read(
        self, path: Path, identity: Path, named: Location | None, chain: tuple[Path, ...]
    ) -> Node | None:
        source = read_source(path, named, self.findings)
        if source is None:
            return None
        self.sources[identity] = source
        node = parse(source, self.findings)
        if node is None or "extends" not in node.table:
            return node
        own = Node({k: v for k, v in node.table.items() if k != "extends"}, node.place)
        base: Node | None = None
        for name in self._extended(node.table["extends"]):
            target = Path(os.path.normpath(path.parent / str(name.value)))
            part = self.read(target, name.where(), (*chain, identity))
            if part is not None:
                base = part if base is None else merge(base, part)
        return own if base is None else merge(base, own)

    def _extended(self, node: Node) -> tuple[Node, ...]:
        filled = fill_in(node, os.environ, self.findings, ("extends",))
        names = filled.items if isinstance(filled.value, tuple) else (filled,)
        for name in names:
            if not isinstance(name.value, str):
                self.findings.add(
                    f"extends: expected the name of a spec file, not {describe(name.value)}",
                    name.where(),
                    'write extends = "_base.toml", or a list of names',
                )
        return tuple(name for name in names if isinstance(name.value, str) and name.value)


def read_source(path: Path, named: Location | None, findings: Findings) -> Source | None:
    """The text of a TOML file; None, and a finding where it is `named`, if it cannot be had."""
    where = named or Location(str(path))
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            findings.add(f"{path} is no file", where, "give a TOML file")
            return None
        if kind.st_size > LARGEST:
            findings.add(f"{path} has {kind.st_size:,} bytes: no spec is that long", where)
            return None
        return _decoded(path, path.read_bytes(), findings)
    except FileNotFoundError:
        findings.add(f"there is no file {path}", where, _near_files(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        findings.add(f"{show(str(path))} cannot be read: {reason}", where)
    return None


def _decoded(path: Path, data: bytes, findings: Findings) -> Source | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace").replace("\r\n", "\n")
        where = Source(str(path), before + "\N{REPLACEMENT CHARACTER}").locate(len(before))
        findings.add(f"byte 0x{data[error.start]:02x} is not UTF-8", where, "save the file as UTF-8")
        return None
    return Source(str(path), text.replace("\r\n", "\n"))


def _near_files(path: Path) -> str | None:
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix == ".toml"]
    except OSError:
        return f"there is no folder {path.parent}"
    close = nearest(path.name, names)
    return f"did you mean {path.parent / close}?" if close else None


def parse(source: Source, findings: Findings) -> Node | None:
    """The tree of one text; None, and a finding, if it is no TOML."""
    try:
        parsed = tomli.loads(source.text)
        tree = build(parsed, scan(source.text), source)
    except tomli.TOMLDecodeError as error:
        findings.extend([syntax_problem(error, source)])
    except TooDeepError as error:
        findings.add(f"nested more than {DEEPEST} levels deep", source.locate(error.start))
    except RecursionError:
        findings.add(f"nested more than {DEEPEST} levels deep", Location(source.file))
    except ValueError as error:  # an integer of thousands of digits
        findings.add(f"not valid TOML: {error}", Location(source.file))
    else:
        return _checked(tree, findings)
    return None


def _checked(tree: Node, findings: Findings) -> Node:
    """The tree itself; integers that TOML does not promise to hold are noted."""
    pending: list[tuple[tuple[str | int, ...], Node]] = [((), tree)]
    while pending:
        path, node = pending.pop()
        if isinstance(node.value, int) and not -(2**63) <= node.value < 2**63:
            findings.add(f"{dotted(path)}: an integer of more than 64 bits", node.where())
        pending += [((*path, name), child) for name, child in node.table.items()]
        pending += [((*path, i), child) for i, child in enumerate(node.items)]
    return tree
