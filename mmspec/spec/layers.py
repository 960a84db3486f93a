"""What is laid over the top of a spec: `[[variants]]` and `[[stages]]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import tomli

from mmspec.spec.findings import Findings
from mmspec.spec.model import INPUT, ROOT_KEYS, STAGE_KEYS, AnalysisStage, ExtractStage, Stage, Train
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node, expanded, merge, without
from mmspec.spec.typed import typed
from mmspec.spec.words import describe, dotted, listed, show, suggestion

#: The keys that make a stage something else than one that trains.
KIND_KEYS = ("extract", "analysis")

#: What of a stage is its network, and what of `train` is training.
OF_NETWORK = ("modalities", "fusion", "init_from", "assemble")
OF_TRAINING = ("epochs", "log_every", "checkpoint_every", "stop")

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


def inherited(root: Node, stage: Layer) -> Node:
    """What of the keys above its own a stage takes over.

    What makes a stage extract or analyse is only taken over by one whose own table does so; without
    `[[stages]]` the one stage takes everything.
    """
    own = stage.over
    if own is None:
        return root
    kept = {key: node for key, node in root.table.items() if key not in KIND_KEYS or key in own.table}
    return Node(kept, root.place, root.key)


def overriding(over: Node, stage: Layer) -> Node:
    """What of `--set` holds for a stage: one whose own table trains nothing goes on training nothing."""
    over = inherited(over, stage)
    epochs = None if stage.over is None else stage.over.find(("train", "epochs"))
    if epochs is not None and epochs.value == 0:
        over = without(over, ("train", "epochs")) or over
    return over


def note_unclaimed(nodes: Iterable[Node], chain: Sequence[Layer], findings: Findings) -> None:
    """Note what would make a stage extract or analyse and is taken over by none."""
    claimed = {key for stage in chain for key in (KIND_KEYS if stage.over is None else stage.over.table)}
    for node in nodes:
        for key in KIND_KEYS:
            if key in node.table and key not in claimed:
                child = node.table[key]
                what = f"{key}: no table of [[stages]] has {key}, so this belongs to none of them"
                findings.add(
                    what, (child.key or child.place).location(), f"write {key} into the stage it is for"
                )


def note_overruled(axes: Sequence[Sequence[Layer]], chain: Sequence[Layer], findings: Findings) -> None:
    """Note what is swept and changes nothing, since every stage that it is for says it in its own table."""
    for layer in (axis[0] for axis in axes):
        (swept,) = layer.labels
        path = key_path(swept) or (swept,)
        meant = [stage for stage in chain if stage.over is not None and _takes(stage.over, path[0])]
        if layer.over is not None and meant and all(_sets(stage.over, path) for stage in meant):
            names = listed(stage.labels["stage"] for stage in meant)
            what = f"sweep: {swept} changes nothing: each stage's own table says it ({names})"
            node = layer.over.find(path)
            findings.add(what, (node.key or node.place).location(), f"leave {swept} out of these tables")


def _takes(own: Node, key: str) -> bool:
    """Whether a stage takes over this key from above."""
    kinds = {"analysis": AnalysisStage, "extract": ExtractStage}
    kind = next((kind for mark, kind in kinds.items() if mark in own.table), Stage)
    return key in attrs.fields_dict(kind) and (key not in KIND_KEYS or key in own.table)


def _sets(own: Node | None, path: Path) -> bool:
    """Whether a stage's own table says what stands at a path."""
    first = None if own is None else own.table.get(str(path[0]))
    return first is not None and _exists(expanded(first, path[:1]), path[1:])


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
    for path, node, why, known in _idle_keys(item):
        what = (
            f"{dotted(('stages', index, *path))}: stage {name} has {why}, so {dotted(path)} would do nothing"
        )
        findings.add(what, (node.key or node.place).location(), f"it can have: {listed(known)}")


def _idle_keys(item: Node) -> Iterator[tuple[Path, Node, str, Iterable[str]]]:
    """Of each such key its path and node, what makes it idle, and what else could stand there."""
    own = {key: node for key, node in item.table.items() if key in STAGE_KEYS and key not in KIND_KEYS}
    if "analysis" in item.table:
        known = list(attrs.fields_dict(AnalysisStage))
        yield from (((key,), node, "analysis", known) for key, node in own.items() if key not in known)
    elif "extract" in item.table:
        known, why = list(attrs.fields_dict(ExtractStage)), "extract"
        layer = expanded(item.table["extract"], ("extract",)).find(("layer",))
        if layer.value == INPUT:
            known, why = [key for key in known if key not in OF_NETWORK], f'extract = "{INPUT}"'
        yield from (((key,), node, why, known) for key, node in own.items() if key not in known)
        idle = {key: node for key, node in item.find(("train",)).table.items() if key in OF_TRAINING}
        rest = [key for key in attrs.fields_dict(Train) if key not in OF_TRAINING]
        if "train" in own:
            yield from (
                (("train", key), node, "extract", rest) for key, node in idle.items() if node.value != 0
            )


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
