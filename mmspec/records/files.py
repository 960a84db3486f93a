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
    where = Location(str(path))
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(Problem("is missing", where)) from None
    except OSError as error:
        raise RecordError(Problem(f"cannot be read: {error.strerror}", where)) from None
    except (ValueError, RecursionError) as error:
        raise RecordError(Problem(f"is damaged: {error}", where)) from None
    if not isinstance(value, dict):
        raise RecordError(Problem("is damaged: not a JSON object", where))
    return value
