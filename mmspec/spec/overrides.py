"""`--set key=value`: what the command line lays over a spec."""

from __future__ import annotations

from collections.abc import Sequence

import tomli

from mmspec.spec.findings import Findings
from mmspec.spec.scan import DEEPEST, Path, TooDeepError, scan
from mmspec.spec.source import Place, Source
from mmspec.spec.tree import Node, build, merge
from mmspec.spec.words import show

#: What errors of overrides name as their file.
FILE = "--set"
_LONGEST = 10_000
_EXAMPLE = "write --set key=value, for example --set train.epochs=3"


def read_overrides(texts: Sequence[str], findings: Findings) -> Node | None:
    """All overrides as one tree, later ones over earlier ones; None if there are none."""
    tree: Node | None = None
    for number, text in enumerate(texts, start=1):
        node = _read(Source(FILE, text, number), findings)
        if node is not None:
            tree = node if tree is None else merge(tree, node)
    return tree


def paths(node: Node | None) -> list[Path]:
    """The dotted keys that overrides set."""
    if node is None:
        return []
    found: list[Path] = []
    for name, child in node.table.items():
        below = paths(child) if child.table and child.place.source.file == FILE else []
        found += [(name, *path) for path in below] or [(name,)]
    return found


def _read(source: Source, findings: Findings) -> Node | None:
    text = source.text
    if len(text) > _LONGEST:
        findings.add(f"an override longer than {_LONGEST:,} characters", source.locate(0))
        return None
    equals = _end_of_key(text)
    if equals is None:
        findings.add(f"{show(text)} is no override", source.locate(0, len(text)), _EXAMPLE)
        return None
    if not text[equals + 1 :].strip():
        findings.add(
            "there is no value behind the equals sign",
            source.locate(equals),
            'write key=value; for an empty string, key=""',
        )
        return None
    try:
        return _as_toml(source, equals)
    except tomli.TOMLDecodeError as error:
        return _as_word(source, equals, error, findings)
    except (TooDeepError, RecursionError):
        findings.add(f"nested more than {DEEPEST} levels deep", source.locate(equals + 1))
    except ValueError as error:
        findings.add(f"no value: {error}", source.locate(equals + 1, len(text)))
    return None


def _end_of_key(text: str) -> int | None:
    """The offset of the equals sign that ends a dotted key, quoted parts and all."""
    at = text.find("=")
    for _ in range(DEEPEST):
        if at < 0 or "\n" in text[:at]:
            return None
        try:
            tomli.loads(text[:at] + "=0")
        except (ValueError, RecursionError):
            at = text.find("=", at + 1)
        else:
            return at
    return None


def _as_toml(source: Source, equals: int) -> Node:
    value = tomli.loads("v=" + source.text[equals + 1 :])
    if set(value) != {"v"}:  # a line break, and more keys behind it
        raise tomli.TOMLDecodeError("more than one value", source.text, equals + 1)
    return build(tomli.loads(source.text), scan(source.text), source)


def _as_word(source: Source, equals: int, error: tomli.TOMLDecodeError, findings: Findings) -> Node | None:
    """The rest of the text as a string, unless it began as something else."""
    raw = source.text[equals + 1 :]
    word = raw.strip()
    if word[0] in "\"'[{" or not word.isprintable():
        offset = error.pos - len("v=") if error.doc.startswith("v=") else 0
        findings.add(
            f"{show(word)} is no value: {error.msg[:1].lower()}{error.msg[1:]}",
            source.locate(min(equals + 1 + max(0, offset), len(source.text) - 1)),
        )
        return None
    head = source.text[:equals] + "="
    try:
        tree = build(tomli.loads(head + "0"), scan(head + "0"), source)
    except TooDeepError:
        findings.add(f"nested more than {DEEPEST} levels deep", source.locate(0, equals))
        return None
    place = Place(source, equals + 1 + raw.index(word), len(word))
    return _with_leaf(tree, word, place)


def _with_leaf(node: Node, word: str, place: Place) -> Node:
    if not isinstance(node.value, dict):
        return Node(word, place, node.key)
    return Node({k: _with_leaf(v, word, place) for k, v in node.value.items()}, node.place, node.key)
