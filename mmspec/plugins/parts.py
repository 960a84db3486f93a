"""From a table that says `use` to the plugin it names, with its options typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from mmspec.errors import DataError, PluginError
from mmspec.plugins import api
from mmspec.plugins.registry import CORE_KEYS, PluginRecord, Registry, in_words
from mmspec.spec import model
from mmspec.spec.findings import Context, Findings
from mmspec.spec.scan import Path
from mmspec.spec.structure import Misfit, MisfitError, plain, structure_fields
from mmspec.spec.tree import Node
from mmspec.spec.typed import note
from mmspec.spec.words import describe, dotted, listed, suggestion

_CORE: Mapping[str, type[model.Use]] = {"fusion": model.Fusion, "optimizer": model.Optimizer}


@attrs.frozen(eq=False)
class Part:
    """A plugin in place: what the spec says of it, the plugin, and where that stands.

    Where the spec's own keys are mistaken, `use` is None; where an option is, `plugin` is. Much can be
    checked all the same. `answer` is what the plugin says of itself: a dataset's `describe()`, a backbone's
    `stage_names()`.
    """

    use: Any
    plugin: Any
    cls: Any
    record: PluginRecord
    node: Node
    path: Path
    answer: Any = None

    @property
    def resolved(self) -> dict[str, Any]:
        """The table with every default filled in, as plain JSON."""
        core = {name: plain(getattr(self.use, name)) for name in _core_fields(self.record.kind)}
        return {"use": self.use.use, **core, **self.use.options}


class Workshop:
    """Makes parts out of tables; a table that several runs share is looked at once."""

    def __init__(self, registry: Registry, findings: Findings) -> None:
        self.registry = registry
        self.findings = findings
        self._made: dict[tuple[int, str], tuple[Node, Part | None, Findings]] = {}

    def part(self, kind: str, node: Node, path: Path, context: Context | None) -> Part | None:
        """The plugin that `node`, a name or a table, asks for; None, with findings, if that is a mistake."""
        key = (id(node), dotted(path))
        if key not in self._made:
            findings = Findings()
            self._made[key] = (node, self._make(kind, node, path, findings), findings)
        _, part, findings = self._made[key]
        self.findings.extend(findings.problems(), context)
        return part

    def _make(self, kind: str, node: Node, path: Path, findings: Findings) -> Part | None:
        if isinstance(node.value, str):
            node = Node({"use": Node(node.value, node.place, node.key)}, node.place, node.key)
        use = self._name(kind, node, path, findings)
        if use is None:
            return None
        try:
            record = self.registry.find(kind, use)
            cls = record.load()
        except PluginError as error:
            for problem in error.problems:
                where = node.table["use"].where()
                findings.add(f"{dotted((*path, 'use'))}: {problem.what}", where, problem.hint)
            return None
        core, plugin = self._structured(record, cls, node, path, findings)
        part = Part(core, plugin, cls, record, node, path)
        return attrs.evolve(part, answer=_answer(part, findings))

    def _name(self, kind: str, node: Node, path: Path, findings: Findings) -> str | None:
        words = in_words(kind)
        a_kind = f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
        names = f"installed: {listed(self.registry.names(kind)) or 'none'}"
        if not isinstance(node.value, dict):
            wrong = describe(node.plain())
            findings.add(
                f"{dotted(path)}: expected the name of {a_kind} or a table, not {wrong}", node.where(), names
            )
        elif "use" not in node.table:
            findings.add(f"{dotted(path)}: use is missing", node.where(), f'add use = "…"; {names}')
        elif not isinstance(use := node.table["use"].value, str):
            wrong = describe(node.table["use"].plain())
            findings.add(
                f"{dotted((*path, 'use'))}: expected the name of {a_kind}, not {wrong}",
                node.table["use"].where(),
                names,
            )
        else:
            return use
        return None

    def _structured(
        self, record: PluginRecord, cls: type[api.Plugin], node: Node, path: Path, findings: Findings
    ) -> tuple[model.Use | None, api.Plugin | None]:
        """The spec's own keys and the plugin itself; None, with findings, for what does not fit."""
        core = _core_fields(record.kind)
        values = node.plain()
        misfits: list[Misfit] = []

        def unknown(name: str, known: list[str]) -> Misfit:
            names = [*core, *known]
            hint = suggestion(name, names, of=f"options of {record.name}")
            return Misfit(f"{record.name} has no such option", hint=hint if names else "it has none at all")

        made: list[Any] = []
        own = {k: v for k, v in values.items() if k in core}
        rest = {k: v for k, v in values.items() if k not in core and k != "use"}
        makers: tuple[Callable[[], Any], ...] = (
            lambda: structure_fields(_CORE.get(record.kind, model.Use), {"use": values["use"], **own}),
            lambda: structure_fields(cls, rest, unknown=unknown),
        )
        for make in makers:
            try:
                made.append(make())
            except MisfitError as error:
                misfits += error.misfits
                made.append(None)
            except Exception as error:  # noqa: BLE001 - a plugin's own code runs here
                misfits.append(Misfit(f"{record.title} failed: {type(error).__name__}: {error}"))
                made.append(None)
        if not misfits:
            try:
                options = plain(made[1])
                json.dumps(options)
            except (TypeError, ValueError) as error:
                misfits.append(Misfit(f"{record.title} has an option that JSON cannot hold: {error}"))
            else:
                return attrs.evolve(made[0], options=options), made[1]
        note(MisfitError(misfits), node, path, findings)
        return made[0], made[1]


def _core_fields(kind: str) -> list[str]:
    return sorted(CORE_KEYS.get(kind, frozenset({"use"})) - {"use"})


def _answer(part: Part, findings: Findings) -> Any:
    """What a dataset or backbone says of itself; None, with a finding, if its code fails."""
    plugin, where = part.plugin, part.node.find(("use",)).where()
    try:
        if isinstance(plugin, api.Dataset):
            return plugin.describe()
        if isinstance(plugin, api.Backbone):
            return tuple(plugin.stage_names())
    except DataError as error:
        for problem in error.problems:
            findings.add(f"{dotted(part.path)}: {problem.what}", problem.where or where, problem.hint)
    except Exception as error:  # noqa: BLE001 - a plugin's own code runs here
        findings.add(
            f"{dotted(part.path)}: {part.record.title} failed to describe itself: "
            f"{type(error).__name__}: {error}",
            where,
            "this is a mistake of the plugin, not of the spec",
        )
    return None
