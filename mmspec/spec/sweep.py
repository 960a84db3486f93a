"""`[sweep]`: a grid of values for keys of the spec."""

from __future__ import annotations

import json

from mmspec.spec.findings import Findings
from mmspec.spec.layers import Layer, key_path
from mmspec.spec.model import STAGE_KEYS
from mmspec.spec.overrides import paths
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node
from mmspec.spec.words import describe, dotted, show, suggestion


def sweep(root: Node, overrides: Node | None, findings: Findings) -> list[list[Layer]]:
    """The axes of the grid, each a list of layers with one swept key set."""
    node = root.table.get("sweep")
    if node is None:
        return []
    if not isinstance(node.value, dict):
        findings.add(f"sweep: expected a table, not {describe(node.plain())}", node.where())
        return []
    axes: dict[tuple[str, ...], list[Layer]] = {}
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


def _axis(path: tuple[str, ...], values: Node, findings: Findings) -> list[Layer]:
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
        layers.append(Layer({dotted(path): json.loads(text)}, over))
    return layers
