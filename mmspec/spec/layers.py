"""What is laid over the top of a spec: `[[variants]]` and `[[stages]]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
import tomli

from mmspec.spec.findings import Findings
from mmspec.spec.model import ROOT_KEYS, STAGE_KEYS, AnalysisStage, ExtractStage
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node, merge, without
from mmspec.spec.typed import typed
from mmspec.spec.words import describe, dotted, listed, show, suggestion

#: Names that become folders.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@attrs.frozen
class Layer:
    """One choice of variant, sweep or stage: a label, what is dropped, and the tree that is laid over."""

    labels: Mapping[str, Any]
    over: Node | None = None
    drop: tuple[tuple[Path, Node], ...] = ()


def laid(base: Node, layer: Layer) -> Node:
    """`base` without what the layer drops and with what it lays over."""
    for path, _ in layer.drop:
        base = without(base, path) or base
    return base if layer.over is None else merge(base, layer.over)


def stage_part(root: Node) -> Node:
    """The keys of a tree that belong to its stages."""
    return Node({k: v for k, v in root.table.items() if k in STAGE_KEYS}, root.place, root.key)


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
    return stage_part(item)


def variants(root: Node, base: Node, findings: Findings) -> list[Layer]:
    """The variants of a spec, or one without a label where there are none."""
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
        layers.append(Layer({"variant": name}, over, tuple(drop)))
    return layers or [Layer({})]


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


def stages(root: Node, findings: Findings) -> list[Layer]:
    """The stages of a spec in their order; one called `train` where it names none."""
    layers: list[Layer] = []
    for index, item, name in _tables(root, "stages", findings):
        if not PLAIN_NAME.fullmatch(name):
            findings.add(
                f"stages[{index}].name: {show(name)} cannot be the name of a folder",
                item.table["name"].where(),
                "use letters, digits, - _ and .",
            )
        layers.append(Layer({"stage": name}, _overlay(item, ("name",), ("stages", index), findings)))
        _keys_of_its_kind(item, name, index, findings)
    return layers or [Layer({"stage": "train"})]


def _keys_of_its_kind(item: Node, name: str, index: int, findings: Findings) -> None:
    """Note what stands in the table of a stage that trains nothing and would not be looked at."""
    for mark, kind in (("analysis", AnalysisStage), ("extract", ExtractStage)):
        if mark in item.table:
            known = attrs.fields_dict(kind)
            for key, node in item.table.items():
                if key in STAGE_KEYS and key not in known:
                    what = f"stages[{index}].{key}: stage {name} has {mark}, so {key} would do nothing"
                    where = (node.key or node.place).location()
                    findings.add(what, where, f"it can have: {listed(known)}")
            return


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
