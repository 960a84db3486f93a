"""From one document to the runs it asks for: variants × sweep × seeds, each with its stages, untyped yet."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import attrs
import tomli

from mmspec.errors import Location
from mmspec.spec.findings import Context, Findings
from mmspec.spec.load import Document
from mmspec.spec.model import LANGUAGE, Header, Stage
from mmspec.spec.overrides import paths
from mmspec.spec.scan import Path
from mmspec.spec.structure import MisfitError, structure
from mmspec.spec.tree import Node, merge, without
from mmspec.spec.words import describe, dotted, show, suggestion

#: More runs than this in one spec are taken for a mistake.
MOST_RUNS = 10_000

STAGE_KEYS = tuple(attrs.fields_dict(Stage))
HEADER_KEYS = tuple(attrs.fields_dict(Header))
ROOT_KEYS = (*HEADER_KEYS, *STAGE_KEYS, "extends", "variants", "sweep", "stages")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@attrs.frozen
class StageTree:
    """One stage of a run as a tree of its keys; `context` says which of all the stages it is."""

    name: str
    root: Node
    context: Context


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


@attrs.frozen
class _Layer:
    """One choice of variant, sweep or stage: a label, what is dropped, and the tree that is laid over."""

    labels: Mapping[str, Any]
    over: Node | None = None
    drop: tuple[tuple[Path, Node], ...] = ()


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
                suggestion(name, ROOT_KEYS, of="keys here"),
            )
    name = _name(document, findings)
    seeds = _seeds(root, findings)
    base = _stage_part(root)
    variants = _variants(root, base, findings)
    sweep = _sweep(root, document.overrides, findings)
    stages = _stages(root, findings)
    runs = len(variants) * math.prod(len(axis) for axis in sweep) * max(1, len(seeds))
    if runs > MOST_RUNS:
        at = root.table.get("sweep") or root.table.get("seeds") or root
        findings.add(f"{runs:,} runs are more than the {MOST_RUNS:,} that one spec may ask for", at.where())
        variants, sweep = [], []
    over = None if document.overrides is None else _stage_part(document.overrides)
    points = [
        point for variant in variants for point in _points(_laid(base, variant), variant, sweep, stages, over)
    ]
    table = root.table
    return Expansion(name, seeds, tuple(points), table.get("track"), table.get("launch"), home)


def _points(
    base: Node, variant: _Layer, sweep: list[list[_Layer]], stages: list[_Layer], over: Node | None
) -> list[Point]:
    points = []
    for choice in product(*sweep):
        labels = dict(variant.labels)
        swept: Node | None = None
        for layer in choice:
            labels |= layer.labels
            swept = layer.over if swept is None else merge(swept, layer.over or swept)
        root = base if swept is None else merge(base, swept, keep=True)
        trees = []
        for stage in stages:
            tree = _laid(root, stage)
            tree = tree if over is None else merge(tree, over, keep=True)
            trees.append(StageTree(stage.labels["stage"], tree, {**labels, "stage": stage.labels["stage"]}))
        points.append(Point(labels, tuple(trees)))
    return points


def _laid(base: Node, layer: _Layer) -> Node:
    for path, _ in layer.drop:
        base = without(base, path) or base
    return base if layer.over is None else merge(base, layer.over)


def _stage_part(root: Node) -> Node:
    """The keys of a tree that belong to its stages."""
    return Node({k: v for k, v in root.table.items() if k in STAGE_KEYS}, root.place, root.key)


# ---------------------------------------------------------------- the header


def typed(
    node: Node | None, kind: Any, path: Path, findings: Findings, context: Context | None = None
) -> Any:
    """The value of a node as a `kind`; None, with findings, if it does not fit or is not there."""
    if node is None:
        return None
    try:
        return structure(node.plain(), kind)
    except MisfitError as error:
        note(error, node, path, findings, context)
        return None


def note(
    error: MisfitError, node: Node, path: Path, findings: Findings, context: Context | None = None
) -> None:
    """Tell the findings what does not fit in the value of `node`, which stands at `path`."""
    for misfit in error.misfits:
        at = node.find(misfit.path)
        place = at.key if misfit.on_key and at.key else at.mark
        findings.add(
            f"{dotted((*path, *misfit.path))}: {misfit.what}", place.location(), misfit.hint, context
        )


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
    if name is not None and not _PLAIN_NAME.fullmatch(name):
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
    for index, seed in enumerate(seeds):
        if seed < 0:
            findings.add(f"seeds[{index}]: must be 0 or above, not {seed}", node.items[index].where())
        if seed in seeds[:index]:
            findings.add(f"seeds[{index}]: the seed {seed} stands here twice", node.items[index].where())
    return seeds


# ---------------------------------------------------------------- variants


def _tables(root: Node, key: str, findings: Findings) -> list[tuple[int, Node, str]]:
    """The named tables of `[[key]]`: position, node, name; those without a proper name are left out."""
    node = root.table.get(key)
    if node is None:
        return []
    if not isinstance(node.value, tuple):
        findings.add(f"{key}: expected [[{key}]] tables, not {describe(node.plain())}", node.where())
        return []
    named, seen = [], set()
    for index, item in enumerate(node.items):
        path = f"{key}[{index}]"
        if not isinstance(item.value, dict):
            findings.add(f"{path}: expected a table, not {describe(item.plain())}", item.where())
        elif "name" not in item.table:
            findings.add(f"{path}: name is missing", item.where(), 'add name = "…" under it')
        elif name := typed(item.table["name"], str, (key, index, "name"), findings):
            if name in seen:
                findings.add(f"{path}.name: {show(name)} stands here twice", item.table["name"].where())
            elif not name.isprintable() or len(name) > 100:
                findings.add(f"{path}.name: {show(name)} is no name to print", item.table["name"].where())
            else:
                named.append((index, item, name))
            seen.add(name)
        elif item.table["name"].value == "":
            findings.add(f"{path}.name: a name cannot be empty", item.table["name"].where())
    return named


def _overlay(item: Node, own: tuple[str, ...], path: Path, findings: Findings) -> Node:
    """The stage keys of a variant or stage table; keys that are neither these nor its `own` are noted."""
    for name, node in item.table.items():
        if name not in STAGE_KEYS and name not in own:
            why = "belongs to the top of the spec" if name in ROOT_KEYS else "no such key"
            hint = None if name in ROOT_KEYS else suggestion(name, (*own, *STAGE_KEYS), of="keys here")
            findings.add(f"{dotted((*path, name))}: {why}", (node.key or node.place).location(), hint)
    return _stage_part(item)


def _variants(root: Node, base: Node, findings: Findings) -> list[_Layer]:
    layers = []
    for index, item, name in _tables(root, "variants", findings):
        path: Path = ("variants", index)
        over = _overlay(item, ("name", "drop"), path, findings)
        drop = []
        node = item.table.get("drop")
        for i, text in enumerate(typed(node, tuple[str, ...], (*path, "drop"), findings) or ()):
            at = node.items[i] if node else item
            parts = key_path(text)
            if parts is None or not _exists(base, parts):
                findings.add(
                    f"variants[{index}].drop[{i}]: the spec has nothing at {show(text)} to drop",
                    at.where(),
                    suggestion(text, droppable(base), of="it has"),
                )
            else:
                drop.append((parts, at))
        layers.append(_Layer({"variant": name}, over, tuple(drop)))
    return layers or [_Layer({})]


def droppable(base: Node) -> list[str]:
    """The dotted keys of tables that a variant may drop, two levels deep."""
    names = list(base.table)
    names += [f"{name}.{inner}" for name, node in base.table.items() for inner in node.table]
    return names


def _exists(node: Node, path: Path) -> bool:
    for step in path:
        if step not in node.table:
            return False
        node = node.table[str(step)]
    return True


def key_path(text: str) -> tuple[str, ...] | None:
    """The parts of a dotted key, quoted ones too; None for what is no key."""
    if "\n" in text or "=" in text or len(text) > 1000:
        return None
    try:
        node = tomli.loads(f"{text}=0")
    except (ValueError, RecursionError):
        return None
    parts = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        parts.append(name)
    return tuple(parts)


# ---------------------------------------------------------------- sweep


def _sweep(root: Node, overrides: Node | None, findings: Findings) -> list[list[_Layer]]:
    node = root.table.get("sweep")
    if node is None:
        return []
    if not isinstance(node.value, dict):
        findings.add(f"sweep: expected a table, not {describe(node.plain())}", node.where())
        return []
    axes: dict[tuple[str, ...], list[_Layer]] = {}
    for path, values in _swept(node, (), findings):
        mark = (values.key or values.place).location()
        clash = next((other for other in axes if _overlap(other, path)), None)
        if clash is not None:
            findings.add(f"sweep: {dotted(path)} and {dotted(clash)} set the same key", mark)
        elif path[0] not in STAGE_KEYS:
            findings.add(
                f"sweep: {dotted(path)} cannot be swept",
                mark,
                "seeds has a list of its own: seeds = [0, 1, 2]"
                if path[0] == "seeds"
                else suggestion(path[0], STAGE_KEYS, of="what can be swept is in"),
            )
        elif layers := _axis(path, values, findings):
            axes[path] = layers
    for given in paths(overrides):
        for swept in axes:
            if _overlap(given, swept) and overrides is not None:
                findings.add(
                    f"{dotted(given)} is swept, so one value for it says nothing",
                    overrides.find(given).where(),
                    f"set the list instead: --set 'sweep.\"{dotted(swept)}\"=[…]'",
                )
    return list(axes.values())


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _swept(node: Node, path: tuple[str, ...], findings: Findings) -> list[tuple[tuple[str, ...], Node]]:
    """The swept keys with their lists; keys may be quoted ("a.b") or dotted."""
    found = []
    for name, child in node.table.items():
        parts = key_path(name)
        if parts is None:
            findings.add(f"sweep: {show(name)} is no key", (child.key or child.place).location())
        elif isinstance(child.value, dict):
            found += _swept(child, (*path, *parts), findings)
        elif not isinstance(child.value, tuple) or not child.value:
            findings.add(
                f"sweep: {dotted((*path, *parts))}: expected a list of values, not "
                + ("an empty one" if child.value == () else describe(child.plain())),
                child.where(),
            )
        else:
            found.append(((*path, *parts), child))
    return found


def _axis(path: tuple[str, ...], values: Node, findings: Findings) -> list[_Layer]:
    layers, seen = [], set()
    for item in values.items:
        label = item.plain()
        text = json.dumps(label, sort_keys=True, default=str)
        if text in seen:
            findings.add(f"sweep: {dotted(path)}: {show(label)} stands here twice", item.where())
            continue
        seen.add(text)
        over = Node(item.value, item.place, values.key)
        for name in reversed(path):
            over = Node({name: over}, values.key or values.place, values.key)
        layers.append(_Layer({dotted(path): json.loads(text)}, over))
    return layers


# ---------------------------------------------------------------- stages


def _stages(root: Node, findings: Findings) -> list[_Layer]:
    layers: list[_Layer] = []
    for index, item, name in _tables(root, "stages", findings):
        if not _PLAIN_NAME.fullmatch(name):
            findings.add(
                f"stages[{index}].name: {show(name)} cannot be the name of a folder",
                item.table["name"].where(),
                "use letters, digits, - _ and .",
            )
        layers.append(_Layer({"stage": name}, _overlay(item, ("name",), ("stages", index), findings)))
    return layers or [_Layer({"stage": "train"})]
