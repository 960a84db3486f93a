"""Stand-ins for data: what a dataset writes in its official format, small, kept in the cache.

    <cache>/smoke/<name>-<key>/
        data/           what `write_sample` wrote
        plugin.json     the options of the plugin that reads it

The key covers the plugin's class, its code and its options. A stand-in is made under a temporary name and
renamed, so half of one is never used, and processes that make the same one at once do not meet.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from mmspec.errors import DataError, MmspecError, PluginError, Problem
from mmspec.plugins.api import Dataset, cache_folder
from mmspec.spec.structure import plain, structure_fields

_CACHE_HINT = "set MMSPEC_CACHE to a folder that can be written"


def stand_in(name: str, dataset: Dataset, code: object) -> Dataset:
    """The plugin that reads a stand-in of `dataset` at the size of a smoke run, which is written if absent.

    `name` is the plugin's, `code` tells versions of its code apart.

    Raises:
        DataError: it cannot be written, or the dataset writes none.
        PluginError: the plugin's code fails.
    """
    small = dataset.smoke()
    cls = type(small)
    whole = json.dumps([cls.__module__, cls.__qualname__, code, plain(small)], sort_keys=True)
    key = hashlib.sha256(whole.encode()).hexdigest()[:16]
    folder = cache_folder("smoke").absolute() / f"{name}-{key}"
    found = _read(folder, cls)
    if found is None or found.check():  # absent, or damaged since
        _discard(folder)
        _write(folder, small, name)
        found = _read(folder, cls)
    if found is None:
        raise DataError(f"the stand-in of {name} in {folder} cannot be read", hint="delete the folder")
    if problems := found.check():
        raise DataError([_refused(name, problem) for problem in problems])
    return found


def _read(folder: Path, cls: type[Dataset]) -> Dataset | None:
    """The plugin that reads what lies in `folder`; None if nothing of use does."""
    try:
        record = json.loads((folder / "plugin.json").read_text(encoding="utf-8"))
        options = _moved(record["options"], record["root"], str(folder / "data"))
    except (OSError, ValueError, KeyError):
        return None
    read: Dataset = structure_fields(cls, options)
    return read


def _write(folder: Path, small: Dataset, name: str) -> None:
    making = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(making, ignore_errors=True)
        (making / "data").mkdir(parents=True)
        made = _sample(small, making / "data", name)
        record = {"root": str(making / "data"), "options": plain(made)}
        (making / "plugin.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        _publish(making, folder)
    except OSError as error:
        where = error.filename or folder
        what = f"the stand-in of {name} cannot be written: {where}: {error.strerror}"
        raise DataError(what, hint=_CACHE_HINT) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _sample(small: Dataset, root: Path, name: str) -> Dataset:
    try:
        made = small.write_sample(root)
    except (OSError, MmspecError):
        raise
    except Exception as error:
        what = f"dataset {name} failed to write its stand-in: {type(error).__name__}: {error}"
        raise PluginError(what, hint="this is a mistake of the plugin") from error
    if type(made) is not type(small):
        raise PluginError(f"dataset {name} wrote a stand-in that {type(made).__name__} reads, not itself")
    return made


def _publish(making: Path, folder: Path) -> None:
    try:
        making.rename(folder)
    except OSError:
        if not (folder / "plugin.json").exists():  # else another process was first, with the same content
            raise


def _discard(folder: Path) -> None:
    """Remove what is damaged: out of sight at once, then file by file."""
    away = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(away)
        shutil.rmtree(away)


def _moved(value: Any, old: str, new: str) -> Any:
    """Plain values with the folder `old` replaced by `new` wherever a string begins with it."""
    if isinstance(value, dict):
        return {key: _moved(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    if isinstance(value, str) and (value == old or value.startswith(old + os.sep)):
        return new + value[len(old) :]
    return value


def _refused(name: str, problem: Problem) -> Problem:
    return Problem(f"a smoke run of {name} needs what is not here: {problem.what}", hint=problem.hint)
