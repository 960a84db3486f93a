"""One stage of a spec, part by part: whatever of it can be understood, so that all mistakes are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from mmspec.errors import Location
from mmspec.plugins.api import Role
from mmspec.plugins.parts import Part, Workshop
from mmspec.plugins.plan import StagePlan
from mmspec.spec.expand import StageTree
from mmspec.spec.findings import Context, Findings
from mmspec.spec.model import Evaluate, InitFrom, Modality, Select, Split, Stage, Train
from mmspec.spec.source import Place, Source
from mmspec.spec.structure import plain
from mmspec.spec.tree import Node, expanded
from mmspec.spec.typed import typed
from mmspec.spec.words import describe, dotted, listed, suggestion

#: The split that `[split]` takes from the training set.
VALIDATION = "val"

#: The keys of `[evaluate]` that list splits.
SPLIT_LISTS = ("splits", "each_epoch")


@attrs.frozen(eq=False)
class StageParts:
    """What a stage says, as far as it could be understood: what is None is absent or mistaken."""

    name: str
    root: Node
    context: Context
    dataset: Part | None
    modalities: Mapping[str, Node]
    backbones: Mapping[str, Part | None]
    fusion: Part | None
    balancing: Part | None
    objective: Part | None
    optimizer: Part | None
    schedule: Part | None
    sampler: Part | None
    metrics: tuple[Part | None, ...]
    split: Split | None
    train: Train | None
    select: Select | None
    evaluated: Mapping[str, tuple[str, ...] | None]
    init_from: InitFrom | None
    assemble: tuple[InitFrom, ...]
    freeze: tuple[str, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All plugins of the stage that could be made."""
        every = (
            self.dataset, *self.backbones.values(), self.fusion, self.balancing, self.objective,
            self.optimizer, self.schedule, self.sampler, *self.metrics,
        )  # fmt: skip
        return tuple(part for part in every if part is not None)

    @property
    def splits(self) -> dict[str, Role] | None:
        """The splits there will be, with their roles; None if the dataset is not known."""
        if self.dataset is None or self.dataset.answer is None:
            return None
        roles: dict[str, Role] = dict(self.dataset.answer.splits)
        if "split" in self.root.table:
            roles[VALIDATION] = "validation"
        return roles


class StageReader:
    """Reads stages; what several of them share is read once."""

    def __init__(self, workshop: Workshop, home: Location) -> None:
        self.workshop = workshop
        self.home = home
        self._place = Place(Source(home.file, ""), -1)
        self._defaults: dict[str, Node] = {}
        self._typed: dict[tuple[int, str], tuple[Node, Any, Findings]] = {}

    def read(self, tree: StageTree) -> StageParts:
        """All parts of a stage; mistakes go to the workshop's findings."""
        root, context = tree.root, tree.context
        modalities = self._modalities(root, context)
        metrics, evaluated = self._evaluate(root, context)

        def plugin(key: str) -> Part | None:
            node = root.table.get(key) or self._default(key, context)
            return None if node is None else self.workshop.part(key, node, (key,), context)

        def table(key: str, kind: Any) -> Any:
            node = root.table.get(key)
            return None if node is None else self._value(expanded(node, (key,)), kind, key, context)

        if "train" not in root.table:
            self._missing("train", "add [train] with epochs = …", context)
        return StageParts(
            name=tree.name,
            root=root,
            context=context,
            dataset=plugin("dataset"),
            modalities=modalities,
            backbones={name: self._backbone(name, node, context) for name, node in modalities.items()},
            fusion=plugin("fusion") if "fusion" in root.table else None,
            balancing=plugin("balancing"),
            objective=plugin("objective"),
            optimizer=plugin("optimizer"),
            schedule=plugin("schedule"),
            sampler=plugin("sampler"),
            metrics=metrics,
            split=table("split", Split),
            train=table("train", Train),
            select=table("select", Select),
            evaluated=evaluated,
            init_from=table("init_from", InitFrom),
            assemble=table("assemble", tuple[InitFrom, ...]) or (),
            freeze=table("freeze", tuple[str, ...]) or (),
        )

    def _missing(self, key: str, hint: str, context: Context) -> None:
        self.workshop.findings.add(f"{key} is missing", self.home, hint, context)

    def _value(self, node: Node, kind: Any, key: str, context: Context) -> Any:
        known = (id(node), key)
        if known not in self._typed:
            findings = Findings()
            self._typed[known] = (node, typed(node, kind, (key,), findings), findings)
        _, value, findings = self._typed[known]
        self.workshop.findings.extend(findings.problems(), context)
        return value

    def _default(self, key: str, context: Context) -> Node | None:
        """The node of a plugin that the spec does not name: the default; None if there is none."""
        if key not in self._defaults:
            default: Any = attrs.fields_dict(Stage)[key].default
            if default is attrs.NOTHING:
                names = listed(self.workshop.registry.names(key)) or "none"
                self._missing(key, f'add [{key}] with use = "…"; installed: {names}', context)
                return None
            self._defaults[key] = Node(default.use, self._place, self._place)
        return self._defaults[key]

    def _modalities(self, root: Node, context: Context) -> Mapping[str, Node]:
        node = root.table.get("modalities")
        if node is None:
            self._missing("modalities", "add a table [modalities.NAME] for each branch", context)
            return {}
        findings = self.workshop.findings
        if not isinstance(node.value, dict):
            wrong = describe(node.plain())
            findings.add(
                f"modalities: expected tables [modalities.NAME], not {wrong}", node.where(), None, context
            )
        elif not node.value:
            findings.add("modalities: there is none", node.where(), "add [modalities.NAME]", context)
        return node.table

    def _backbone(self, name: str, node: Node, context: Context) -> Part | None:
        findings, path = self.workshop.findings, ("modalities", name)
        if not isinstance(node.value, dict):
            wrong = describe(node.plain())
            hint = f'write [modalities.{name}] and backbone = "…" under it'
            findings.add(f"{dotted(path)}: expected a table, not {wrong}", node.where(), hint, context)
            return None
        known = tuple(attrs.fields_dict(Modality))
        for key, child in node.table.items():
            if key not in known:
                where = (child.key or child.place).location()
                hint = suggestion(key, known, of="keys here")
                findings.add(f"{dotted((*path, key))}: no such key", where, hint, context)
        if "backbone" not in node.table:
            names = listed(self.workshop.registry.names("backbone")) or "none"
            hint = f'add backbone = "…"; installed: {names}'
            findings.add(f"{dotted(path)}: backbone is missing", node.where(), hint, context)
            return None
        return self.workshop.part("backbone", node.table["backbone"], (*path, "backbone"), context)

    def _evaluate(
        self, root: Node, context: Context
    ) -> tuple[tuple[Part | None, ...], dict[str, tuple[str, ...] | None]]:
        """The metrics of `[evaluate]`, and its lists of splits by key."""
        findings = self.workshop.findings
        table = root.table.get("evaluate")
        if table is not None and not isinstance(table.value, dict):
            wrong = describe(table.plain())
            findings.add(f"evaluate: expected a table, not {wrong}", table.where(), None, context)
        inside = table.table if table is not None else {}
        known = tuple(attrs.fields_dict(Evaluate))
        for key, child in inside.items():
            if key not in known:
                where = (child.key or child.place).location()
                hint = suggestion(key, known, of="keys here")
                findings.add(f"{dotted(('evaluate', key))}: no such key", where, hint, context)
        evaluated: dict[str, tuple[str, ...] | None] = dict.fromkeys(SPLIT_LISTS)
        for key in SPLIT_LISTS:
            if key in inside:
                evaluated[key] = typed(inside[key], tuple[str, ...], ("evaluate", key), findings, context)
        return self._metrics(inside.get("metrics"), context), evaluated

    def _metrics(self, node: Node | None, context: Context) -> tuple[Part | None, ...]:
        if node is None:
            if "metrics" not in self._defaults:
                uses: Any = attrs.fields_dict(Evaluate)["metrics"].default
                items = tuple(Node(use.use, self._place, self._place) for use in uses)
                self._defaults["metrics"] = Node(items, self._place, self._place)
            node = self._defaults["metrics"]
        return plugin_list(self.workshop, "metric", node, ("evaluate", "metrics"), context)


def plugin_list(
    workshop: Workshop, kind: str, node: Node, path: tuple[str, ...], context: Context | None
) -> tuple[Part | None, ...]:
    """The plugins of a list of names and tables, each at most once; None for each that is mistaken."""
    if not isinstance(node.value, tuple):
        wrong, where = describe(node.plain()), node.where()
        workshop.findings.add(
            f"{dotted(path)}: expected a list of {kind}s, not {wrong}",
            where,
            "write [ … ] around it",
            context,
        )
        return (None,)
    found: dict[str, int] = {}
    parts = []
    for index, item in enumerate(node.items):
        part = workshop.part(kind, item, (*path, index), context)
        if part is not None and found.setdefault(part.record.name, index) != index:
            what = f"{dotted((*path, index))}: {part.record.name} stands here twice"
            workshop.findings.add(what, item.where(), None, context)
        parts.append(part)
    return tuple(parts)


def plan_of(parts: StageParts) -> StagePlan:
    """The plan of a stage in which nothing is wrong."""
    whole: Any = parts
    backbones: dict[str, Any] = dict(parts.backbones)
    metrics: tuple[Any, ...] = parts.metrics
    stage = Stage(
        dataset=whole.dataset.use,
        split=parts.split,
        modalities={name: Modality(backbone=part.use) for name, part in backbones.items()},
        fusion=None if parts.fusion is None else whole.fusion.use,
        balancing=whole.balancing.use,
        objective=whole.objective.use,
        optimizer=whole.optimizer.use,
        schedule=whole.schedule.use,
        sampler=whole.sampler.use,
        train=whole.train,
        select=parts.select,
        evaluate=Evaluate(metrics=tuple(part.use for part in metrics), **parts.evaluated),
        init_from=parts.init_from,
        assemble=parts.assemble,
        freeze=parts.freeze,
    )
    resolved = {
        "name": parts.name,
        "dataset": whole.dataset.resolved,
        "split": plain(parts.split),
        "modalities": {name: {"backbone": part.resolved} for name, part in backbones.items()},
        "fusion": None if parts.fusion is None else parts.fusion.resolved,
        "balancing": whole.balancing.resolved,
        "objective": whole.objective.resolved,
        "optimizer": whole.optimizer.resolved,
        "schedule": whole.schedule.resolved,
        "sampler": whole.sampler.resolved,
        "train": plain(parts.train),
        "select": plain(parts.select),
        "evaluate": {
            "metrics": [part.resolved for part in metrics],
            **{key: plain(splits) for key, splits in parts.evaluated.items()},
        },
        "init_from": plain(parts.init_from),
        "assemble": plain(parts.assemble),
        "freeze": list(parts.freeze),
    }
    return StagePlan(
        name=parts.name,
        spec=stage,
        resolved=resolved,
        splits=parts.splits or {},
        dataset=whole.dataset.plugin,
        backbones={name: part.plugin for name, part in backbones.items()},
        fusion=None if parts.fusion is None else parts.fusion.plugin,
        balancing=whole.balancing.plugin,
        objective=whole.objective.plugin,
        optimizer=whole.optimizer.plugin,
        schedule=whole.schedule.plugin,
        sampler=whole.sampler.plugin,
        metrics={part.record.name: part.plugin for part in metrics},
    )
