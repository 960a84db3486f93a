"""A run directory belongs to one process at a time.

The file `lock` names its owner: pid, host and the time the process started (a pid alone is used again).
Reading it and taking it over happen under `flock`, so that two processes never both find it stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import Location, Problem, RecordError


@attrs.frozen
class Owner:
    """A process: `started` is its start as the system tells it, in whatever unit."""

    pid: int
    host: str
    started: str

    @classmethod
    def this_process(cls) -> Owner:
        """The process that asks."""
        return cls(os.getpid(), socket.gethostname(), process_start(os.getpid()) or "")

    def is_alive(self) -> bool:
        """Whether it still runs. A process on another host counts as alive: nobody here can tell."""
        return self.host != socket.gethostname() or process_start(self.pid) == self.started


def process_start(pid: int) -> str | None:
    """When the process started; None if there is no such process, or only its exit status is left."""
    if not Path("/proc/self/stat").exists():
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return None
    state, *rest = fields.split()
    return None if state in "ZX" else rest[18]


def owner_of(path: Path) -> Owner | None:
    """The live process that holds the lock file `path`, if any."""
    try:
        owner = _parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if owner and owner.is_alive() else None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; a lock whose owner is dead is taken over.

    Raises:
        RecordError: another live process holds it.
    """
    with _exclusive(path) as file:
        owner = _parse(file.read())
        if owner and owner.is_alive():
            raise _in_use(path, owner)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(attrs.asdict(Owner.this_process())))
        file.flush()
    try:
        yield
    finally:
        with _exclusive(path):
            path.unlink(missing_ok=True)


@contextmanager
def _exclusive(path: Path) -> Iterator[Any]:
    """The lock file, open and flocked; made if absent."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file.fileno()):
                yield file
                return


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether `path` is the opened file, and not a new one after its owner removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _parse(text: str) -> Owner | None:
    """The owner a lock file names; None if its writer was killed before it had written it."""
    try:
        said = json.loads(text)
        return Owner(int(said["pid"]), str(said["host"]), str(said["started"]))
    except (ValueError, KeyError, TypeError):
        return None


def _in_use(path: Path, owner: Owner) -> RecordError:
    elsewhere = owner.host != socket.gethostname()
    return RecordError(
        Problem(
            f"process {owner.pid} on {owner.host} is working on this run",
            Location(str(path.parent)),
            f"if that machine has gone down, remove {path}" if elsewhere else "wait for it, or stop it first",
        )
    )
