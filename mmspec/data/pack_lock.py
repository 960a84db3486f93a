"""One process at a time packs into a folder; the system lets go of the lock when its owner dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmspec.errors import DataError

LOCK = "lock"
#: Seconds between two tries.
_RETRY = 0.1


@contextmanager
def alone_in(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold `folder`, which is made if absent; `waiting` is called while another process holds it.

    The holder may rename or remove the folder. Where nothing was put into it, it is removed at the end.

    Raises:
        DataError: the file system has no locks.
    """
    while True:
        descriptor = _opened(folder)
        try:
            while not _taken(descriptor, folder):
                waiting()
                time.sleep(_RETRY)
            if _is_still(folder / LOCK, descriptor):
                try:
                    yield
                finally:
                    _tidy(folder, descriptor)
                return
        finally:
            os.close(descriptor)


def _opened(folder: Path) -> int:
    """The lock file of the folder; both are made if absent, and again if another process removed them."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)


def _taken(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        hint = "set MMSPEC_CACHE to a folder on a disk of this machine"
        raise DataError(f"{folder} cannot be locked: {error.strerror}", hint=hint) from None
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether `path` is the opened file, and not gone or a new one since its holder renamed the folder."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _tidy(folder: Path, descriptor: int) -> None:
    if _is_still(folder / LOCK, descriptor) and [path.name for path in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        with suppress(OSError):  # another process has just made it its own
            folder.rmdir()
