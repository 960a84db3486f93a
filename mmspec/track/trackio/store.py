"""The folder in which trackio keeps its projects on this machine, each in a database of its own.

Only trackio's storage is used: it starts nothing, prints nothing and asks no service. trackio learns its
folder from the environment when it is imported, and knows one for the whole process; trackers and reports
may each have theirs. So it is told the folder for as long as a call lasts.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

_one_at_a_time = threading.RLock()


@contextmanager
def open_store(folder: Path | None) -> Iterator[Any]:
    """Give trackio's storage with its projects in `folder`; None is where trackio keeps them by itself."""
    with _one_at_a_time:
        sqlite_storage = _module("sqlite_storage")
        before = sqlite_storage.TRACKIO_DIR
        sqlite_storage.TRACKIO_DIR = place(folder)
        try:
            yield sqlite_storage.SQLiteStorage
        finally:
            sqlite_storage.TRACKIO_DIR = before


def place(folder: Path | None) -> Path:
    """The folder of the projects."""
    if folder is not None:
        return folder
    if os.environ.get("TRACKIO_DIR"):
        return Path(os.environ["TRACKIO_DIR"])
    return Path(_module("utils").TRACKIO_DIR)


def is_safe(folder: Path) -> bool:
    """Whether several processes may write databases there: file systems of networks lock too loosely."""
    if os.environ.get("TRACKIO_STORAGE_MODE") == "sqlite":  # the user knows better
        return True
    return not _module("utils").is_network_filesystem(folder)


def check_name(project: str) -> None:
    """Refuse the name of a project that trackio would take for something else: ValueError."""
    _module("sqlite_storage").SQLiteStorage.validate_project_name(project)


def _module(name: str) -> Any:
    """A module of trackio. Its first import draws from Python's random state, which belongs to the run."""
    if f"trackio.{name}" in sys.modules:
        return sys.modules[f"trackio.{name}"]
    drawn = random.getstate()
    try:
        return import_module(f"trackio.{name}")
    finally:
        random.setstate(drawn)
