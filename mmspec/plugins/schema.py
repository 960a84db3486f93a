"""A JSON Schema (draft-07) of the spec language with the installed plugins, for editors.

`enum` lists the names of plugins and `if`/`then` types the options of each: editors explain both well,
while of `oneOf` they say no more than that nothing fits. Nothing is required of a table in general, since
what it extends may have it; a spec that stands alone (it has a name and extends nothing) must be complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from mmspec.errors import PluginError
from mmspec.plugins.registry import Registry
from mmspec.spec import model
from mmspec.spec.structure import fields, plain
from mmspec.spec.tree import SHORTHAND

Schema = dict[str, Any]

_SIMPLE: Mapping[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    Any: {},
}

#: Keys of a stage that name a plugin, and its kind; `at` and `groups` are the spec's own keys beside `use`.
_SLOTS = ("dataset", "fusion", "balancing", "objective", "optimizer", "schedule", "sampler", "analysis")
_CORE: Mapping[str, type] = {"fusion": model.Fusion, "optimizer": model.Optimizer}
#: Keys of a spec whose stages are not all of the kind that trains, or not whole at the top.
_ELSEWHERE = ("extends", "stages", "variants", "extract", "analysis")


def schema(registry: Registry) -> Schema:
    """The schema of specs that may use the plugins of `registry`; it loads all of them."""
    stage = _stage_properties(registry)
    header = _header_properties(registry)
    name = {"name": {"type": "string", "description": "name of this variant or stage"}}
    drop = {"drop": {"type": "array", "items": {"type": "string"}, "description": "keys to leave out"}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "an experiment of mmspec",
        "type": "object",
        "properties": {
            **header,
            **stage,
            "extends": {
                "description": "specs this one is laid on, relative to this file",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            },
            "variants": _tables("experiments that differ in some keys", {**name, **drop, **stage}),
            "stages": _tables("steps of training, one after the other", {**name, **stage}),
            "sweep": {
                "type": "object",
                "description": "a grid: lists of values for dotted keys",
                "additionalProperties": {"type": ["array", "object"], "minItems": 1},
            },
        },
        "additionalProperties": False,
        "if": {
            "required": ["name"],
            "not": {"anyOf": [{"required": [key]} for key in _ELSEWHERE]},
        },
        "then": _complete(registry),
    }


def _tables(description: str, properties: Schema) -> Schema:
    item = {"type": "object", "properties": properties, "required": ["name"], "additionalProperties": False}
    return {"type": "array", "description": description, "items": item}


# ---------------------------------------------------------------- the spec's own tables


def _header_properties(registry: Registry) -> Schema:
    known = attrs.fields_dict(model.Header)
    attrs.resolve_types(model.Header)
    properties = {
        name: _described(_of_type(attrs.fields_dict(model.Header)[name].type), known[name])
        for name in ("name", "description", "seeds")
    }
    properties["mmspec"] = _described({"const": model.LANGUAGE}, known["mmspec"])
    tracker = _plugin(registry, "tracker")
    either = {"if": {"type": "array"}, "then": {"items": tracker}, "else": tracker}
    properties["track"] = {"description": known["track"].metadata["help"], **either}
    properties["launch"] = _described(_plugin(registry, "launcher"), known["launch"])
    return properties


def stage_fields() -> dict[str, attrs.Attribute[Any]]:
    """The keys of all kinds of stages, each as the first kind that has it says it."""
    kinds = [fields(kind) for kind in model.STAGE_KINDS]
    return {name: next(known[name] for known in kinds if name in known) for name in model.STAGE_KEYS}


def _stage_properties(registry: Registry) -> Schema:
    known = stage_fields()
    special = {slot: _plugin(registry, slot) for slot in _SLOTS}
    modality = {"backbone": _plugin(registry, "backbone")}
    special["modalities"] = {"type": "object", "additionalProperties": _table(modality)}
    evaluate = fields(model.Evaluate)
    metrics = {"type": "array", "items": _plugin(registry, "metric")}
    special["evaluate"] = _table(
        {
            "metrics": _described(metrics, evaluate["metrics"]),
            **{
                key: _described(_of_type(field.type), field)
                for key, field in evaluate.items()
                if key != "metrics"
            },
        }
    )
    special["reads"] = {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "string"}, _of_type(model.Read)]},
    }
    properties = {}
    for name in model.STAGE_KEYS:
        inside = special.get(name) or _of_type(known[name].type)
        if name in SHORTHAND and name not in special:
            inside = {"anyOf": [{"type": "string"}, inside]}
        properties[name] = _described(inside, known[name])
    return properties


def _table(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _described(inside: Schema, field: attrs.Attribute[Any]) -> Schema:
    """A schema with the help and default of the field it is for."""
    found = dict(inside)
    if help_text := field.metadata.get("help"):
        found["description"] = help_text
    default = field.default
    if default is not None and default is not attrs.NOTHING and not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        found["default"] = default.use if isinstance(default, model.Use) else plain(default)
    return found


# ---------------------------------------------------------------- plugins


def _plugin(registry: Registry, kind: str) -> Schema:
    """A plugin by name, or a table whose options depend on the name."""
    names = list(registry.names(kind))
    core = {n: f for n, f in fields(_CORE.get(kind, model.Use)).items() if n not in ("use", "options")}
    own = {name: _described(_of_type(field.type), field) for name, field in core.items()}
    cases = []
    for name in names:
        options = _options(registry, kind, name)
        if options is None:
            continue
        properties = {n: _described(_of_type(f.type), f) for n, f in options.items()}
        cases.append(
            {
                "if": _is(name),
                "then": {
                    "properties": {"use": {}, **own, **properties},
                    "additionalProperties": False,
                },
            }
        )
    inside: Schema = {"properties": {"use": {"enum": names, "description": f"the {kind}"}, **own}}
    if cases:
        inside["allOf"] = cases
    return {
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": names},
        "else": inside,
    }


def _is(name: str) -> Schema:
    return {"properties": {"use": {"const": name}}, "required": ["use"]}


def _options(registry: Registry, kind: str, name: str) -> Mapping[str, attrs.Attribute[Any]] | None:
    """The options of a plugin; None where it cannot be loaded, so that an editor can still know its name."""
    try:
        return fields(registry.find(kind, name).load())
    except PluginError:
        return None


def _required(known: Mapping[str, attrs.Attribute[Any]]) -> list[str]:
    return [name for name, field in known.items() if field.default is attrs.NOTHING]


# ---------------------------------------------------------------- what a spec that stands alone must have


def _complete(registry: Registry) -> Schema:
    slots: Schema = {slot: _complete_plugin(registry, slot) for slot in _SLOTS}
    slots["modalities"] = {
        "minProperties": 1,
        "additionalProperties": {
            "required": ["backbone"],
            "properties": {"backbone": _complete_plugin(registry, "backbone")},
        },
    }
    for name, table in (("train", model.Train), ("select", model.Select), ("split", model.Split)):
        slots[name] = {"required": _required(fields(table))}
    keys = [*_required(fields(model.Header)), *_required(fields(model.Stage))]
    return {"required": keys, "properties": slots}


def _complete_plugin(registry: Registry, kind: str) -> Schema:
    """What a plugin's table needs, where it is a table."""
    core = [n for n in _required(fields(_CORE.get(kind, model.Use))) if n != "use"]
    cases = []
    for name in registry.names(kind):
        needed = _required(_options(registry, kind, name) or {})
        if needed:
            cases.append({"if": _is(name), "then": {"required": needed}})
    inside: Schema = {"required": ["use", *core]}
    if cases:
        inside["allOf"] = cases
    return {"if": {"type": "object"}, "then": inside}


# ---------------------------------------------------------------- types


def _of_type(kind: Any) -> Schema:
    """The schema of a field's type."""
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    found: Schema = {}
    if origin is Literal:
        found = {"enum": list(arguments)}
    elif origin in (Union, UnionType):
        found = _of_union([arm for arm in arguments if arm is not type(None)])
    elif origin in (tuple, list, Sequence) or kind in (tuple, list):
        found = _of_list(origin, arguments)
    elif origin in (dict, Mapping) or kind is dict:
        found = {"type": "object", "additionalProperties": _of_type(arguments[1]) if arguments else {}}
    elif attrs.has(kind):
        found = _of_record(kind)
    return found


def _of_union(arms: Sequence[Any]) -> Schema:
    return _of_type(arms[0]) if len(arms) == 1 else {"anyOf": [_of_type(arm) for arm in arms]}


def _of_list(origin: Any, arguments: Sequence[Any]) -> Schema:
    if origin is tuple and arguments and Ellipsis not in arguments:
        return {
            "type": "array",
            "items": [_of_type(argument) for argument in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    inner = arguments[0] if arguments else Any
    items = _of_type(inner)
    if attrs.has(inner):  # lists are never merged, so their tables must be complete
        items["required"] = _required(fields(inner))
    return {"type": "array", "items": items}


def _of_record(cls: type) -> Schema:
    known: Iterable[tuple[str, attrs.Attribute[Any]]] = fields(cls).items()
    return _table({name: _described(_of_type(field.type), field) for name, field in known})
