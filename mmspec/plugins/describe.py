"""What there is to know about one plugin: for `mmspec plugins show` and the reference."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import attrs

from mmspec.plugins.api import Analysis, Plugin
from mmspec.plugins.discovery import editable_root
from mmspec.plugins.plan import PluginOrigin
from mmspec.plugins.registry import Registry
from mmspec.spec import model
from mmspec.spec.structure import expectation, fields, plain

#: The header under which a plugin of a kind stands in a spec.
_HEADERS = {
    "dataset": "[dataset]",
    "backbone": "[modalities.NAME.backbone]",
    "fusion": "[fusion]",
    "balancing": "[balancing]",
    "objective": "[objective]",
    "optimizer": "[optimizer]",
    "schedule": "[schedule]",
    "sampler": "[sampler]",
    "analysis": "[stages.analysis]",
    "metric": "[[evaluate.metrics]]",
    "tracker": "[track]",
    "launcher": "[launch]",
    "figure": "[[figures]]",
}


@attrs.frozen
class OptionDescription:
    """One option: its `type` in words, its `default` as plain JSON (absent where `required`), its meaning."""

    name: str
    type: str
    required: bool
    default: Any
    help: str


@attrs.frozen
class PluginDescription:
    """One plugin. `summary` is the first line of `doc`; `snippet` is TOML to paste into a spec.

    `installed_from` is the source folder of an editable distribution, else None.
    """

    kind: str
    name: str
    summary: str
    doc: str
    options: tuple[OptionDescription, ...]
    origin: PluginOrigin
    installed_from: Path | None
    snippet: str


def describe_plugin(registry: Registry, kind: str, name: str) -> PluginDescription:
    """What `name` of this kind is.

    Raises:
        PluginError: there is none, there are several, or it cannot be loaded.
    """
    record = registry.find(kind, name)
    cls = record.load()
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    options = tuple(_option(field) for field in fields(cls).values())
    return PluginDescription(
        kind=kind,
        name=name,
        summary=doc.partition("\n")[0],
        doc=doc,
        options=options,
        origin=record.origin,
        installed_from=editable_root(record.distribution) if record.distribution else None,
        snippet=_snippet(cls, name, options),
    )


def _option(field: attrs.Attribute[Any]) -> OptionDescription:
    default: Any = field.default
    required = default is attrs.NOTHING
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = None if default.takes_self else default.factory()
    return OptionDescription(
        name=field.name,
        type=expectation(field.type),
        required=required,
        default=None if required else plain(default),
        help=field.metadata.get("help", ""),
    )


def _snippet(cls: type[Plugin], name: str, options: tuple[OptionDescription, ...]) -> str:
    """A table that uses the plugin, with every option at its default; of a source, how reports name it."""
    kind = cls.kind
    if kind == "source":
        return f'runs = ["{name}://…"]\n'
    lines = [_HEADERS[kind], f"use = {json.dumps(name)}"]
    if issubclass(cls, Analysis):
        reads = ", ".join(f'{read} = "STAGE"' for read in (*cls.tables, *cls.outputs))
        lines = ["[[stages]]", f"name = {json.dumps(name)}", f"reads = {{ {reads} }}", *lines]
    if kind == "fusion":
        at = fields(model.Fusion)["at"].metadata["help"]
        lines.append(f'at = ["STAGE"]  # {at}')
    for option in options:
        meaning = f"  # {option.help}" if option.help else ""
        if option.required:
            lines.append(f"{option.name} = {_example(option.type)}{meaning} (required)")
        elif option.default is None:
            lines.append(f"# {option.name} = …{meaning}")
        else:
            lines.append(f"{option.name} = {toml_value(option.default)}{meaning}")
    return "\n".join(lines) + "\n"


def _example(words: str) -> str:
    """A value of a type that has no default, to be replaced."""
    examples = {"an integer": "1", "a number": "1.0", "true or false": "true"}
    if words.startswith("one of "):
        return words.removeprefix("one of ").partition(",")[0]
    if words.startswith("a list"):
        return "[]"
    return examples.get(words, "{}" if words == "a table" else '"…"')


def toml_value(value: Any) -> str:
    """Plain JSON as TOML on one line; keys with null are left out."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items() if v is not None]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(toml_value(v) for v in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
