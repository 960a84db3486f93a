"""From one document to the runs it asks for: variants × sweep × seeds, each with its stages, untyped yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

import attrs

from mmspec.errors import Location
from mmspec.spec.findings import Context, Findings
from mmspec.spec.layers import (
    PLAIN_NAME,
    Layer,
    inherited,
    laid,
    note_overruled,
    note_unclaimed,
    overriding,
    stage_part,
    stages,
    variants,
)
from mmspec.spec.load import Document
from mmspec.spec.model import LANGUAGE, OWN_TABLES, ROOT_KEYS
from mmspec.spec.sweep import sweep
from mmspec.spec.tree import Node, merge
from mmspec.spec.typed import typed
from mmspec.spec.words import dotted, show, suggestion

#: More runs than this in one spec are taken for a mistake.
MOST_RUNS = 10_000


@attrs.frozen
class StageTree:
    """One stage of a run as a tree of its keys; `context` says which of all the stages it is.

    `own` are the keys of the stage's own table, where they are known apart from those it inherits.
    """

    name: str
    root: Node
    context: Context
    own: Node | None = None


@attrs.frozen
class Point:
    """What the runs of one variant and one point of the sweep have in common: all but the seed."""

    labels: Mapping[str, Any]
    stages: tuple[StageTree, ...]


@attrs.frozen
class Expansion:
    """A document taken apart."""

    name: str
    seeds: tuple[int, ...]
    points: tuple[Point, ...]
    track: Node | None
    launch: Node | None
    home: Location


def expand(document: Document, findings: Findings) -> Expansion:
    """All that the document asks for; mistakes go to `findings`.

    Raises:
        SpecError: the document is of another version of the language, so that nothing else can be said.
    """
    root, home = document.root, Location(str(document.path))
    _check_version(document)
    for name, node in root.table.items():
        if name not in ROOT_KEYS:
            findings.add(
                f"{dotted([name])}: no such key",
                (node.key or node.place).location(),
                _belongs(name) or suggestion(name, ROOT_KEYS, of="keys here"),
            )
    name = _name(document, findings)
    seeds = _seeds(root, findings)
    base = stage_part(root)
    choices = variants(root, base, findings)
    axes = sweep(root, document.overrides, findings)
    chain = stages(root, findings)
    runs = len(choices) * math.prod(len(axis) for axis in axes) * max(1, len(seeds))
    if runs > MOST_RUNS:
        at = root.table.get("sweep") or root.table.get("seeds") or root
        findings.add(f"{runs:,} runs are more than the {MOST_RUNS:,} that one spec may ask for", at.where())
        choices, axes = [], []
    over = None if document.overrides is None else stage_part(document.overrides)
    asked = [variant.over for variant in choices] + [layer.over for axis in axes for layer in axis[:1]]
    note_unclaimed([node for node in (base, over, *asked) if node is not None], chain, findings)
    note_overruled(axes, chain, findings)
    points = [
        point for variant in choices for point in _points(laid(base, variant), variant, axes, chain, over)
    ]
    table = root.table
    return Expansion(name, seeds, tuple(points), table.get("track"), table.get("launch"), home)


def _belongs(name: str) -> str | None:
    """Where a key belongs that stands at the top by mistake."""
    tables = [table for table, record in OWN_TABLES.items() if name in attrs.fields_dict(record)]
    return f"{name} belongs under [{tables[0]}]" if tables else None


def _points(
    base: Node, variant: Layer, axes: list[list[Layer]], chain: list[Layer], over: Node | None
) -> list[Point]:
    points = []
    for choice in product(*axes):
        labels = dict(variant.labels)
        swept: Node | None = None
        for layer in choice:
            labels |= layer.labels
            swept = layer.over if swept is None else merge(swept, layer.over or swept)
        root = base if swept is None else merge(base, swept, keep=True)
        trees = []
        for stage in chain:
            tree = laid(inherited(root, stage), stage)
            tree = tree if over is None else merge(tree, overriding(over, stage), keep=True)
            name = stage.labels["stage"]
            trees.append(StageTree(name, tree, {**labels, "stage": name}, stage.over))
        points.append(Point(labels, tuple(trees)))
    return points


# ---------------------------------------------------------------- the header


def _check_version(document: Document) -> None:
    node = document.root.table.get("mmspec")
    if node is None or isinstance(node.value, bool) or not isinstance(node.value, int):
        return
    if node.value != LANGUAGE:
        findings = Findings()
        newer = node.value > LANGUAGE
        findings.add(
            f"mmspec: this spec is written in version {node.value} of the language, "
            f"this mmspec reads version {LANGUAGE}",
            node.where(),
            "install a newer mmspec" if newer else f"bring the spec up to mmspec = {LANGUAGE}",
        )
        findings.raise_any()


def _name(document: Document, findings: Findings) -> str:
    root = document.root
    typed(root.table.get("mmspec"), int, ("mmspec",), findings)
    typed(root.table.get("description"), str, ("description",), findings)
    for key, example in (("mmspec", f"mmspec = {LANGUAGE}"), ("name", f'name = "{document.path.stem}"')):
        if key not in root.table:
            findings.add(f"{key} is missing", Location(str(document.path)), f"add {example}")
    name = typed(root.table.get("name"), str, ("name",), findings)
    if name is not None and not PLAIN_NAME.fullmatch(name):
        findings.add(
            f"name: {show(name)} cannot be the name of a folder",
            root.table["name"].where(),
            "use letters, digits, - _ and ., up to 100 of them, and no dot at the start",
        )
    return name or document.path.stem


def _seeds(root: Node, findings: Findings) -> tuple[int, ...]:
    node = root.table.get("seeds")
    if node is None:
        return (0,)
    seeds: tuple[int, ...] | None = typed(node, tuple[int, ...], ("seeds",), findings)
    if seeds is None:
        return (0,)
    if not seeds:
        findings.add("seeds: an empty list asks for no run", node.where(), "leave seeds out for seed 0")
    seen: set[int] = set()
    for index, seed in enumerate(seeds):
        if seed < 0:
            findings.add(f"seeds[{index}]: must be 0 or above, not {seed}", node.items[index].where())
        if seed in seen:
            findings.add(f"seeds[{index}]: the seed {seed} stands here twice", node.items[index].where())
        seen.add(seed)
    return seeds
