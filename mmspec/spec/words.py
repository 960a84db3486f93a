"""Words of error messages: values as TOML shows them, paths, lists of names, the nearest name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 60
_MANY = 8


def show(value: Any) -> str:
    """A value as one would write it in TOML, cut where it is long."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = json.dumps(value[: _LONGEST + 1], ensure_ascii=not value[: _LONGEST + 1].isprintable())
    elif isinstance(value, int | float):
        text = str(value)
    elif isinstance(value, list | tuple | dict):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def describe(value: Any) -> str:
    """What a value is, with the value: `the string "0.3"`, `a table`."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return show(value)
    names = {int: "integer", float: "number", str: "string"}
    return f"the {names.get(type(value), 'date or time')} {show(value)}"


def dotted(path: Iterable[str | int]) -> str:
    """A path as a spec would write it: `fusion.at[1]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _BARE.fullmatch(step) else show(step)
            text += f".{name}" if text else name
    return text


def listed(names: Iterable[str], *, most: int = 30) -> str:
    """Names in one line; of very many, the first."""
    every = list(names)
    more = f", … ({len(every)} in all)" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` most likely was meant to be."""
    every = list(names)
    lower = {n.lower(): n for n in reversed(every)}
    if name.lower() in lower:
        return lower[name.lower()]
    found = get_close_matches(name[:100].lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def suggestion(name: str, names: Sequence[str] | Iterable[str], *, of: str) -> str:
    """A hint for an unknown name: the nearest one and, unless they are many, all (`of` says of what)."""
    every = list(names)
    if not every:
        return f"{of}: none"
    close = nearest(name, every)
    if close and len(every) > _MANY:
        return f"did you mean {show(close)}?"
    return (f"did you mean {show(close)}? " if close else "") + f"{of}: {listed(every)}"
