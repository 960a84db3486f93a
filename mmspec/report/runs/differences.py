"""Keys in which two resolved specs differ, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmspec.spec.words import show

_MISSING = object()


def differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """The keys that differ, each with both values: `train.epochs 12 → 20`.

    Of several tables with names, stages as a rule, those of one name are compared: `learn.train.epochs …`.
    """
    if (named := (_by_name(then), _by_name(now))) != (None, None) and None not in named:
        then, now = named
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*then, *now)):
            inner = f"{place}.{name}" if place else str(name)
            yield from differences(then.get(name, _MISSING), now.get(name, _MISSING), inner)
    elif isinstance(then, list | tuple) and isinstance(now, list | tuple) and len(then) == len(now):
        for number, (old, new) in enumerate(zip(then, now, strict=True)):
            alone = not place and len(then) == 1
            yield from differences(old, new, "" if alone else f"{place}[{number}]")
    elif isinstance(then, list | tuple) and isinstance(now, list | tuple):
        yield from _entries(then, now, place)
    elif then is _MISSING or now is _MISSING or then != now:
        yield f"{place} {_said(then)} → {_said(now)}"


def _by_name(value: Any) -> dict[str, Any] | None:
    """Several tables with a `name` each as a table by those; None if it is something else."""
    if not isinstance(value, list | tuple) or len(value) < 2:
        return None
    if not all(isinstance(entry, Mapping) and "name" in entry for entry in value):
        return None
    return {entry["name"]: entry for entry in value}


def _entries(then: Sequence[Any], now: Sequence[Any], place: str) -> Iterator[str]:
    """What has gone from a list, and what is new in it; where that is nothing, the lists themselves."""
    gone = [f"{place} without {show(entry)}" for entry in then if entry not in now]
    new = [f"{place} with {show(entry)}" for entry in now if entry not in then]
    yield from gone + new or [f"{place} {show(then)} → {show(now)}"]


def _said(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    return "none" if value is None else show(value)
