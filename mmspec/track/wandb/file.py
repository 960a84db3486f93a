"""The files that W&B writes on this machine: `run-<id>.wandb`.

Logs (see `wandb_log`) whose records are protobuf messages of the `wandb` package. A file whose end is torn,
because its process was killed or is at work, is read as far as it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import attrs

from mmspec.track.wandb.log import Log


@attrs.define(eq=False)
class Segment:
    """What one file says of a run, but for its history; `exit_code` is None if its end is not in it.

    `started` is when it was begun, in seconds since 1970; `damage` says why its rest cannot be read.
    """

    path: Path
    run_id: str = ""
    project: str = ""
    entity: str = ""
    started: float = 0.0
    config: dict[str, Any] = attrs.field(factory=dict)
    summary: dict[str, Any] = attrs.field(factory=dict)
    exit_code: int | None = None
    damage: str | None = None


def read_segment(path: Path) -> Segment:
    """Read a file, but for its history.

    Raises:
        RecordError: it cannot be read, or is no file of W&B.
    """
    segment = Segment(path)
    summary: dict[str, Any] = {}  # as text: every row brings a value of every metric
    for record in _messages(path, segment):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            _begin(segment, record.run)
        elif kind == "config":
            _change(segment.config, record.config)
        elif kind == "summary":
            _change(summary, record.summary)
        elif kind == "exit":
            segment.exit_code = record.exit.exit_code
    segment.summary = _values(summary)
    segment.config = _values(segment.config)
    return segment


def read_history(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file's history: each its step, and what was logged by name.

    Raises:
        RecordError: it cannot be read, or is no file of W&B.
    """
    for record in _messages(path, Segment(path)):
        if record.WhichOneof("record_type") == "history":
            yield _row(record.history)


# ---------------------------------------------------------------- records


def _begin(segment: Segment, run: Any) -> None:
    segment.run_id, segment.project, segment.entity = run.run_id, run.project, run.entity
    segment.started = segment.started or run.start_time.seconds + run.start_time.nanos / 1e9
    _change(segment.config, run.config)


def _change(tree: MutableMapping[str, Any], change: Any) -> None:
    """Take over the items of a change; values stay JSON texts."""
    for item in change.update:
        *above, last = _path(item)
        table = tree
        for name in above:
            below = table.get(name)
            table[name] = table = below if isinstance(below, dict) else {}
        table[last] = item.value_json
    for item in change.remove:
        *above, last = _path(item)
        table = tree
        for name in above:
            below = table.get(name)
            table = below if isinstance(below, dict) else {}
        table.pop(last, None)


def _path(item: Any) -> list[str]:
    return list(item.nested_key) or [item.key]


def _values(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A table with its JSON texts read."""
    return {name: _values(item) if isinstance(item, dict) else _value(item) for name, item in tree.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _row(history: Any) -> tuple[int, dict[str, Any]]:
    values: dict[str, Any] = {}
    for item in history.item:
        *above, last = _path(item)
        table = values
        for name in above:
            table = table.setdefault(name, {})
        table[last] = _typed(item)
    step = values.get("_step")
    return step if isinstance(step, int) else history.step.num, values


def _typed(item: Any) -> Any:
    """The value of an item: newer clients may write some without JSON."""
    if item.value_json:
        return _value(item.value_json)
    for name in ("boolean", "integer", "number", "text"):
        if name in item.DESCRIPTOR.fields_by_name and item.HasField(name):
            return getattr(item, name)
    return None


def _messages(path: Path, segment: Segment) -> Iterator[Any]:
    """The records of a file as messages; what cannot be read ends them, and is noted in the segment."""
    from wandb.proto import wandb_internal_pb2 as protocol

    log = Log(path)
    for data in log.records():
        try:
            yield protocol.Record.FromString(data)  # type: ignore[attr-defined]
        except ValueError:
            segment.damage = "a record is no message of W&B"
            return
    segment.damage = log.damage
