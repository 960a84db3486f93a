"""One stage of a spec, part by part: whatever of it can be understood, so that all mistakes are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from mmspec.errors import Location
from mmspec.plugins.api import Role
from mmspec.plugins.parts import Part, Workshop
from mmspec.plugins.plan import PluginOrigin
from mmspec.spec.expand import StageTree
from mmspec.spec.findings import Context, Findings
from mmspec.spec.model import (
    INPUT,
    AnalysisStage,
    Evaluate,
    Extract,
    ExtractStage,
    InitFrom,
    Modality,
    Read,
    Select,
    Split,
    Stage,
    Train,
)
from mmspec.spec.scan import Path
from mmspec.spec.source import Place, Source
from mmspec.spec.structure import fields
from mmspec.spec.tree import Node, expanded, shorthand
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
    kind: type
    root: Node
    context: Context
    dataset: Part | None = None
    modalities: Mapping[str, Node] = attrs.field(factory=dict)
    backbones: Mapping[str, Part | None] = attrs.field(factory=dict)
    fusion: Part | None = None
    balancing: Part | None = None
    objective: Part | None = None
    optimizer: Part | None = None
    schedule: Part | None = None
    sampler: Part | None = None
    metrics: tuple[Part | None, ...] = ()
    split: Split | None = None
    train: Train | None = None
    select: Select | None = None
    evaluated: Mapping[str, Any] = attrs.field(factory=dict)
    init_from: InitFrom | None = None
    assemble: tuple[InitFrom, ...] = ()
    freeze: tuple[str, ...] = ()
    freeze_statistics: bool = True
    extract: Extract | None = None
    analysis: Part | None = None
    reads: Mapping[str, Read] = attrs.field(factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All plugins of the stage that could be made."""
        every = (
            self.dataset, *self.backbones.values(), self.fusion, self.balancing, self.objective,
            self.optimizer, self.schedule, self.sampler, *self.metrics, self.analysis,
        )  # fmt: skip
        return tuple(part for part in every if part is not None)

    @property
    def origins(self) -> tuple[PluginOrigin, ...]:
        """Where its plugins come from, each once, in the order of their use."""
        return tuple(dict.fromkeys(part.record.origin for part in self.parts))

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
        table = tree.root.table
        if "analysis" in table:
            if "extract" in table:
                where, hint = table["extract"].where(), "make a stage of each"
                what = f"extract: stage {tree.name} has an analysis as well"
                self.workshop.findings.add(what, where, hint, tree.context)
            return StageParts(tree.name, AnalysisStage, tree.root, tree.context, **self._analysis(tree))
        if "extract" in table:
            return StageParts(tree.name, ExtractStage, tree.root, tree.context, **self._extract(tree))
        return StageParts(tree.name, Stage, tree.root, tree.context, **self._training(tree))

    def _analysis(self, tree: StageTree) -> dict[str, Any]:
        """Of `reads`, what the stage's own table says, and of what it inherits that which is of use."""
        part, reads = self._plugin(tree, "analysis"), self._reads(tree)
        if part is not None and tree.own is not None and "reads" in tree.root.table:
            own = tree.own.table["reads"].table if "reads" in tree.own.table else {}
            kept = {*part.cls.tables, *part.cls.outputs, *own}
            reads = {name: read for name, read in reads.items() if name in kept}
        return {"analysis": part, "reads": reads}

    def _extract(self, tree: StageTree) -> dict[str, Any]:
        """Of `train` it takes what decides how a network is computed."""
        extract = self._table(tree, "extract", Extract)
        train = self._computed_by(tree)
        of_samples = extract is not None and extract.layer == INPUT
        network = {} if of_samples else self._network(tree)
        return {
            "dataset": self._plugin(tree, "dataset"),
            "split": self._table(tree, "split", Split),
            **network,
            "extract": extract,
            "train": None if train is None else _computing(train),
        }

    def _computed_by(self, tree: StageTree) -> Train | None:
        """What of `train` an extracting stage needs; epochs may be absent."""
        node = tree.root.table.get("train")
        if node is None:
            return Train(epochs=0)
        if isinstance(node.value, dict) and "epochs" not in node.value:
            node = Node({**node.value, "epochs": Node(0, node.place)}, node.place, node.key)
        whole: Train | None = self._value(node, Train, ("train",), tree.context)
        return whole

    def _network(self, tree: StageTree) -> dict[str, Any]:
        """Branches, fusion, and where the weights come from."""
        root, context = tree.root, tree.context
        modalities = self._modalities(root, context)
        return {
            "modalities": modalities,
            "backbones": {name: self._backbone(name, node, context) for name, node in modalities.items()},
            "fusion": self._plugin(tree, "fusion") if "fusion" in root.table else None,
            "init_from": self._table(tree, "init_from", InitFrom),
            "assemble": self._table(tree, "assemble", tuple[InitFrom, ...]) or (),
        }

    def _training(self, tree: StageTree) -> dict[str, Any]:
        root, context = tree.root, tree.context
        singles = ("dataset", "balancing", "objective", "optimizer", "schedule", "sampler")
        plugins = {key: self._plugin(tree, key) for key in singles}
        network = self._network(tree)
        metrics, evaluated = self._evaluate(root, context)
        if "train" not in root.table:
            self._missing("train", "add [train] with epochs = …", context)
        return {
            **plugins,
            **network,
            "metrics": metrics,
            "evaluated": evaluated,
            "split": self._table(tree, "split", Split),
            "train": self._table(tree, "train", Train),
            "select": self._table(tree, "select", Select),
            "freeze": self._table(tree, "freeze", tuple[str, ...]) or (),
            "freeze_statistics": self._table(tree, "freeze_statistics", bool) is not False,
            "reads": self._reads(tree),
        }

    def _plugin(self, tree: StageTree, key: str) -> Part | None:
        node = tree.root.table.get(key) or self._default(key, tree.context)
        return None if node is None else self.workshop.part(key, node, (key,), tree.context)

    def _table(self, tree: StageTree, key: str, kind: Any) -> Any:
        node = tree.root.table.get(key)
        return None if node is None else self._value(node, kind, (key,), tree.context)

    def _reads(self, tree: StageTree) -> Mapping[str, Read]:
        """What it reads, as far as it could be understood."""
        node = tree.root.table.get("reads")
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            what, hint = (
                f"reads: expected a table, not {describe(node.plain())}",
                'write reads.NAME = "STAGE"',
            )
            self.workshop.findings.add(what, node.where(), hint, tree.context)
        paths = {name: ("reads", name) for name in node.table}
        found = {
            name: self._value(node.table[name], Read, path, tree.context) for name, path in paths.items()
        }
        return {name: read for name, read in found.items() if read is not None}

    def _missing(self, key: str, hint: str, context: Context) -> None:
        self.workshop.findings.add(f"{key} is missing", self.home, hint, context)

    def _value(self, node: Node, kind: Any, path: Path, context: Context) -> Any:
        known = (id(node), dotted(path))
        if known not in self._typed:
            findings = Findings()
            self._typed[known] = (node, _typed(node, kind, path, findings), findings)
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

    def _evaluate(self, root: Node, context: Context) -> tuple[tuple[Part | None, ...], dict[str, Any]]:
        """The metrics of `[evaluate]`, and what else it says by key."""
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
        evaluated: dict[str, Any] = {}
        for key, field in fields(Evaluate).items():
            if key != "metrics":
                evaluated[key] = field.default
                if key in inside:
                    evaluated[key] = typed(inside[key], field.type, ("evaluate", key), findings, context)
        return self._metrics(inside.get("metrics"), context), evaluated

    def _metrics(self, node: Node | None, context: Context) -> tuple[Part | None, ...]:
        if node is None:
            if "metrics" not in self._defaults:
                uses: Any = attrs.fields_dict(Evaluate)["metrics"].default
                items = tuple(Node(use.use, self._place, self._place) for use in uses)
                self._defaults["metrics"] = Node(items, self._place, self._place)
            node = self._defaults["metrics"]
        return plugin_list(self.workshop, "metric", node, ("evaluate", "metrics"), context)


def _typed(node: Node, kind: Any, path: Path, findings: Findings) -> Any:
    """The value of a node, which may be a string where that is short for a table."""
    short = shorthand(path)
    if short is not None and not isinstance(node.value, str | dict):
        what = f"{dotted(path)}: expected a table, or a string for its {short}, not {describe(node.plain())}"
        findings.add(what, node.where())
        return None
    return typed(expanded(node, path), kind, path, findings)


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


def _computing(train: Train) -> Train:
    """What of `train` decides how a network is computed, and how quickly; nothing is trained."""
    return Train(
        epochs=0,
        batch_size=train.eval_batch_size or train.batch_size,
        precision=train.precision,
        device=train.device,
        channels_last=train.channels_last,
        threads=train.threads,
        workers=train.workers,
        packed=train.packed,
    )
