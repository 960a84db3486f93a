"""What must be in a recorded file for us to read it: who damages one hears of it once, here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmspec.errors import Location, Problem, RecordError

#: A type; a table of names (`name?` may be absent or null); `{str: shape}` for any name; `[shape]` for a list
#: of at least one.
Shape = Any

NUMBER = (int, float)
_OF_STAGE: Shape = {"stage": str}
STAGE: Shape = {
    "name": str,
    "select?": {"metric": str},
    "analysis?": {"use": str},
    "extract?": dict,
    "init_from?": _OF_STAGE,
    "reads?": {str: _OF_STAGE},
}
SPEC: Shape = {"name": str, "seed": int, "labels": {str: object}, "stages": [STAGE]}
IDENTITY: Shape = {"id": str, "spec_hash": str, "code?": {str: dict}, "data?": {str: str}}
RESULT: Shape = {
    "values": {str: NUMBER},
    "stages": {str: {"epochs": int, "steps": int, "values": {str: NUMBER}}},
    "seconds": NUMBER,
}
PROGRESS: Shape = {
    "stage?": str,
    "epoch?": int,
    "epochs?": int,
    "step?": int,
    "steps?": int,
    "values?": {str: NUMBER},
    "seconds": NUMBER,
}
FAILURE: Shape = {"error": str, "traceback": str, "time": str}
PROVENANCE: Shape = {
    "created?": str,
    "command?": str,
    "git?": {"commit": str, "dirty": bool},
    "device?": str,
    "packages?": {str: str},
}


def require(path: Path, value: Any, shape: Shape) -> None:
    """Check that what `path` holds has this shape.

    Raises:
        RecordError: naming the first place where it has not.
    """
    place = misfit(value, shape)
    if place is not None:
        name = place.lstrip(".") or "it"
        raise RecordError(Problem(f"is damaged: {name} is missing or wrong", Location(str(path))))


def misfit(value: Any, shape: Shape) -> str | None:
    """The first place that does not fit, as `.name[0].name`; None if all fits. Every file passes here."""
    if isinstance(shape, list):
        return _in_list(value, shape[0])
    if not isinstance(shape, dict):
        return None if isinstance(value, shape) else ""
    if not isinstance(value, dict):
        return ""
    return _in_any_name(value, shape[str]) if str in shape else _in_table(value, shape)


def _in_list(value: Any, inner: Shape) -> str | None:
    if not isinstance(value, list) or not value:
        return ""
    for number, item in enumerate(value):
        if (place := misfit(item, inner)) is not None:
            return f"[{number}]{place}"
    return None


def _in_any_name(value: Mapping[str, Any], inner: Shape) -> str | None:
    if not isinstance(inner, dict | list) and all(
        issubclass(cls, inner) for cls in set(map(type, value.values()))
    ):
        return None
    for name, item in value.items():
        if (place := misfit(item, inner)) is not None:
            return f".{name}{place}"
    return None


def _in_table(value: Mapping[str, Any], shape: Mapping[str, Shape]) -> str | None:
    for name, inner in shape.items():
        key = name.removesuffix("?")
        item = value.get(key)
        if item is None and key != name:
            continue
        if (place := misfit(item, inner)) is not None:
            return f".{key}{place}"
    return None
