"""What mmspec asks of the machine under it: cores, and files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content` in one step; who reads it sees the old content or the new one.

    `durable` also waits until it is on the disk, so that it survives the machine's going down.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
