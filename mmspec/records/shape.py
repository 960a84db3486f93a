"""What must be in a recorded file for us to read it: who damages one hears of it once, here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmspec.errors import Location, Problem, RecordError

#: A type; a table of names (`name?` may be absent or null); `{str: shape}` for any name; `[shape]` for a list
#: of at least one.
Shape = Any

NUMBER = (int, float)
STAGE: Shape = {"name": str, "select?": {"metric": str}}
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
    for place in _misfits(value, shape, ""):
        raise RecordError(Problem(f"is damaged: {place or 'it'} is missing or wrong", Location(str(path))))


def _misfits(value: Any, shape: Shape, place: str) -> Iterator[str]:
    """The dotted names of what does not fit."""
    if isinstance(shape, list):
        yield from _list(value, shape[0], place)
    elif isinstance(shape, dict):
        yield from _table(value, shape, place) if isinstance(value, Mapping) else iter((place,))
    elif not isinstance(value, shape):
        yield place


def _list(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield place
        return
    for number, item in enumerate(value):
        yield from _misfits(item, shape, f"{place}[{number}]")


def _table(value: Mapping[str, Any], shape: Mapping[Any, Shape], place: str) -> Iterator[str]:
    if str in shape:
        for name, item in value.items():
            yield from _misfits(item, shape[str], f"{place}.{name}".lstrip("."))
        return
    for name, inner in shape.items():
        key = name.removesuffix("?")
        if key == name or value.get(key) is not None:
            yield from _misfits(value.get(key), inner, f"{place}.{key}".lstrip("."))
