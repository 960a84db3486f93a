"""Reading event files as TensorBoard does: checksums, several files, and what a resumed run takes back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c


def read_events(folder: Path) -> list[Any]:
    """The events of a run, of all its files in order; one that starts at a step drops what was beyond."""
    events: list[Any] = []
    for file in sorted(folder.glob("*tfevents*")):
        for event in _events(file):
            if event.HasField("session_log") and event.session_log.status == SessionLog.START:
                events = [each for each in events if each.step < event.step]
            events.append(event)
    return events


def scalars(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """The rows that were logged: (step, values by tag)."""
    rows = [(event.step, _numbers(event.summary)) for event in read_events(folder)]
    return [(step, values) for step, values in rows if values]


def texts(folder: Path) -> dict[str, str]:
    """The texts by tag."""
    found = [value for event in read_events(folder) for value in event.summary.value]
    return {v.tag: v.tensor.string_val[0].decode() for v in found if v.HasField("tensor")}


def _numbers(summary: Any) -> dict[str, float]:
    return {v.tag: v.simple_value for v in summary.value if v.WhichOneof("value") == "simple_value"}


def _events(file: Path) -> Iterator[Any]:
    data, at = file.read_bytes(), 0
    while at < len(data):
        head, check = data[at : at + 8], data[at + 8 : at + 12]
        assert check == struct.pack("<I", masked_crc32c(head)), "the length of an event is damaged"
        (size,) = struct.unpack("<Q", head)
        body = data[at + 12 : at + 12 + size]
        at += 16 + size
        if len(data) < at:
            return  # torn, being written
        assert data[at - 4 : at] == struct.pack("<I", masked_crc32c(body)), "an event is damaged"
        yield Event.FromString(body)
