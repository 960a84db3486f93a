"""What W&B recorded of one run on this machine: a segment for each process that worked on it.

A segment is a folder `offline-run-<time>-<id>` or, of what went online at once, `run-<time>-<id>`.
`uploaded.json` beside them names those that are known to be up.
"""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path
from typing import Any

import attrs

from mmspec.system import write_whole
from mmspec.track.wandb.log import Log, encode

#: Records at the end of a file among which its last row is: each row brings a few.
_TAIL = 2000
#: The size of a file whose process was killed before it wrote a record.
EMPTY = 7


@attrs.frozen
class RecordedSegment:
    """One of the folders; `file` holds its records."""

    file: Path

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.file.parent.name

    @property
    def is_offline(self) -> bool:
        """Whether nothing of it was sent at once."""
        return self.name.startswith("offline-")

    @property
    def began(self) -> str:
        """When it was begun, as it stands in its name; later ones sort behind."""
        return self.name.removeprefix("offline-").removeprefix("run-")

    def last_step(self) -> int:
        """The step of the last row that is on file; -1 if there is none."""
        tail = deque(Log(self.file).records(), _TAIL)
        return next((step for data in reversed(tail) if (step := step_of(data)) is not None), -1)


def segments(folder: Path) -> list[RecordedSegment]:
    """The segments in a tracker's folder that hold anything, in the order in which they were recorded."""
    found = [f for f in (folder / "wandb").glob("*run-*/run-*.wandb") if f.stat().st_size > EMPTY]
    chosen = [
        RecordedSegment(file) for file in found if file.parent.name.startswith(("run-", "offline-run-"))
    ]
    return sorted(chosen, key=lambda segment: segment.began)


def wait_for_a_name(folder: Path) -> None:
    """Wait until a new segment gets a name of its own: W&B names them by the second, and overwrites."""
    names = (path.name.removeprefix("offline-") for path in (folder / "wandb").glob("*run-2*"))
    if max(names, default="")[:19] >= time.strftime("run-%Y%m%d_%H%M%S"):
        time.sleep(1.0)


def last_step(folder: Path) -> int:
    """The last step of which any segment has a row; -1 if none has."""
    return max((segment.last_step() for segment in segments(folder)), default=-1)


def without_rows(source: Path, target: Path, upto: int) -> None:
    """Write a segment's file again, without the rows up to a step."""
    kept = (
        data for data in Log(source).records() if not ((step := step_of(data)) is not None and step <= upto)
    )
    write_whole(target, encode(kept), durable=False)


def step_of(data: bytes) -> int | None:
    """The step of a record that is a row of the history; None for others."""
    from wandb.proto import wandb_internal_pb2 as protocol

    record: Any = protocol.Record.FromString(data)  # type: ignore[attr-defined]
    if record.WhichOneof("record_type") != "history":
        return None
    steps = (item.value_json for item in record.history.item if item.key == "_step")
    return int(next(steps, record.history.step.num))


# ---------------------------------------------------------------- what is up


def uploaded(folder: Path) -> set[str]:
    """The names of the segments that are up."""
    try:
        known = json.loads((folder / "uploaded.json").read_text(encoding="utf-8"))
        return {str(name) for name in known["segments"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def note_uploaded(folder: Path, segment: RecordedSegment) -> None:
    """Note that a segment is up."""
    known = sorted(uploaded(folder) | {segment.name})
    write_whole(folder / "uploaded.json", json.dumps({"segments": known}, indent=1).encode())


def pending(folder: Path) -> list[RecordedSegment]:
    """The segments that are not known to be up, in order."""
    known = uploaded(folder)
    return [segment for segment in segments(folder) if segment.name not in known]
