"""Keys in which two resolved specs differ, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmspec.spec.words import show

_MISSING = object()


def differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """The keys that differ, each with both values: `train.epochs 12 → 20`."""
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


def _entries(then: Sequence[Any], now: Sequence[Any], place: str) -> Iterator[str]:
    """What has gone from a list, and what is new in it; where that is nothing, the lists themselves."""
    gone = [f"{place} without {show(entry)}" for entry in then if entry not in now]
    new = [f"{place} with {show(entry)}" for entry in now if entry not in then]
    yield from gone + new or [f"{place} {show(then)} → {show(now)}"]


def _said(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    return "none" if value is None else show(value)
