"""Write the reference tables of the documentation from the code: `python docs/generate.py`.

A table stands between `<!-- generated: NAME -->` and `<!-- /generated -->`. tests/test_docs.py fails when
one of them is not what this script would write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import attrs

from mmspec.cli import SECTIONS
from mmspec.plugins.api import Backbone, Balancing, Dataset, Fusion, Plugin
from mmspec.plugins.describe import PluginDescription, describe_plugin, toml_value
from mmspec.plugins.registry import KINDS, Registry, default_registry
from mmspec.plugins.schema import stage_fields
from mmspec.report import definition as report
from mmspec.spec import model
from mmspec.spec.structure import expectation, fields, plain

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: (?P<name>[^>]+) -->\n)(?P<text>.*?)(<!-- /generated -->)", re.DOTALL)

#: The tables of the spec and report languages by the name of their block.
RECORDS: dict[str, type] = {
    "header": model.Header, "modality": model.Modality, "split": model.Split,
    "fusion": model.Fusion, "optimizer": model.Optimizer, "group": model.Group, "train": model.Train,
    "stop": model.Stop, "select": model.Select, "evaluate": model.Evaluate, "init_from": model.InitFrom,
    "extract": model.Extract, "read": model.Read,
    "report": report.Definition, "rows-by": report.RowsBy, "row": report.Row, "table": report.Table,
    "column": report.Column, "beside": report.Beside, "across": report.Across, "figure": report.FigureBlock,
    "leaderboard": report.Leaderboard, "match": report.Match, "text": report.TextBlock,
}  # fmt: skip


def generated(text: str, registry: Registry) -> str:
    """A page with all its generated blocks as they should be."""
    return BLOCK.sub(lambda block: f"{block[1]}{_block(block['name'], registry)}{block[4]}", text)


def _block(name: str, registry: Registry) -> str:
    if name == "stage":
        own = fields(model.Stage)
        return _record({k: f if k in own else f.evolve(default=None) for k, f in stage_fields().items()})
    if name in RECORDS:
        return _record(fields(RECORDS[name]), uses=issubclass(RECORDS[name], model.Use))
    if name == "commands":
        return _commands()
    kind = name.removeprefix("plugins ")
    if kind not in KINDS:
        raise SystemExit(f"no generated block is called {name!r}")
    return _plugins(kind, registry)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# ---------------------------------------------------------------- the spec's own tables


def _record(known: Mapping[str, attrs.Attribute[Any]], *, uses: bool = False) -> str:
    """The keys of a table; `uses`: it names a plugin."""
    rows = []
    for name, field in known.items():
        if uses and name in ("use", "options"):
            if name == "use":
                rows.append(["`use`", "a string", "required", "the plugin; its options stand beside it"])
            continue
        rows.append([f"`{name}`", _type(field.type), _default(field), field.metadata.get("help", "")])
    return table(["key", "type", "default", "meaning"], rows)


def _type(kind: Any) -> str:
    """A type in words; a plugin may be named by a string or by a table."""
    arms = [arm for arm in (kind, *get_args(kind)) if isinstance(arm, type)]
    if any(issubclass(arm, model.Use) for arm in arms):
        return "plugins" if getattr(kind, "__origin__", None) is tuple else "a plugin"
    records = any(attrs.has(arm) for arm in arms)
    return _code(expectation(kind)) + (" of tables" if records and expectation(kind) == "a list" else "")


def _code(words: str) -> str:
    """The strings of a choice as code."""
    return re.sub(r'("[^"]*")', r"`\1`", words)


def _default(field: attrs.Attribute[Any]) -> str:
    default: Any = field.default
    if default is attrs.NOTHING:
        return "required"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    if default is None or (attrs.has(type(default)) and not isinstance(default, model.Use)):
        return "absent"
    return f"`{toml_value(_plain(default))}`"


def _plain(default: Any) -> Any:
    """A default as a spec would write it: a plugin without options by its name."""
    if isinstance(default, model.Use):
        return default.use
    if isinstance(default, tuple):
        return [_plain(item) for item in default]
    return plain(default)


# ---------------------------------------------------------------- plugins and commands


def _plugins(kind: str, registry: Registry) -> str:
    """The plugins of a kind that come with mmspec."""
    described = [describe_plugin(registry, kind, name) for name in registry.names(kind) if ":" not in name]
    own = [plugin for plugin in described if plugin.origin.distribution == "mmspec"]
    return "\n".join(_plugin(plugin, registry) for plugin in own)


def _plugin(plugin: PluginDescription, registry: Registry) -> str:
    rows = (
        [f"`{o.name}`", _code(o.type), _option_default(o.required, o.default), o.help] for o in plugin.options
    )
    parts = [f"#### {plugin.name}\n", f"{plugin.doc}\n"]
    facts = " ".join(_facts(registry.find(plugin.kind, plugin.name).load()))
    parts += [f"{facts}\n"] if facts else []
    parts.append(table(["option", "type", "default", "meaning"], rows) if plugin.options else "No options.\n")
    return "\n".join(parts)


def _option_default(required: bool, default: Any) -> str:
    if required:
        return "required"
    return "absent" if default is None else f"`{toml_value(default)}`"


def _facts(cls: type[Plugin]) -> Iterator[str]:
    """What a class says of itself beside its options."""
    complete = all(field.default is not attrs.NOTHING for field in fields(cls).values())
    if issubclass(cls, Fusion) and cls.capabilities:
        yield f"Capabilities: {', '.join(sorted(cls.capabilities))}."
    if issubclass(cls, Balancing) and cls.requires:
        yield f"Needs a fusion with {', '.join(sorted(cls.requires))}."
    if issubclass(cls, Balancing) and cls.min_modalities > 1:
        yield f"Needs {cls.min_modalities} modalities or more."
    if issubclass(cls, Backbone) and complete:
        yield f"Stages by default: {_names(cls().stage_names())}."
    if issubclass(cls, Dataset) and complete:
        info = cls().describe()
        yield f"Modalities: {_names(info.modalities)}."
        yield f"Splits: {', '.join(f'`{split}` ({role})' for split, role in info.splits.items())}."


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _commands() -> str:
    commands = (pair for section in SECTIONS.values() for pair in section.items())
    return table(["command", "what it does"], ([f"`mmspec {name}`", help_] for name, help_ in commands))


def main(write: Callable[[Path, str], object] = lambda page, text: page.write_text(text)) -> None:
    """Bring every page up to date."""
    registry = default_registry()
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (wanted := generated(text, registry)) != text:
            write(page, wanted)


if __name__ == "__main__":
    main()
