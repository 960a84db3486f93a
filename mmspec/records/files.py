"""Whole files, written at once or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmspec.errors import Location, Problem, RecordError
from mmspec.system import write_whole


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace `path` by `text` in one step, as `write_whole` does."""
    write_whole(path, text.encode(), durable=durable)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace `path` by `value` as JSON. Not-a-number and infinities are written as Python reads them."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n", durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`.

    Raises:
        RecordError: it is not there, cannot be read, or is not a JSON object.
    """
    value = read_json_if_there(path)
    if value is None:
        raise _unreadable(path, "is missing")
    return value


def read_json_if_there(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if there is no such file.

    Raises:
        RecordError: it cannot be read, or is not a JSON object.
    """
    try:
        with path.open("rb", buffering=0) as file:
            value = json.loads(file.read().decode())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"is damaged: {error}") from None
    if not isinstance(value, dict):
        raise _unreadable(path, "is damaged: not a JSON object")
    return value


def _unreadable(path: Path, what: str) -> RecordError:
    return RecordError(Problem(what, Location(str(path))))
