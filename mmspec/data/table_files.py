"""Feature tables as files: a folder of .npy files that are mapped into memory, and table.json.

    values.npy      (N, D), as the stage computed them
    ids.npy, targets.npy, splits.npy, group-0.npy, …      (N,)
    table.json      classes, names of the groupings, SHA-256 of each file, and how the table was made

A table is written under another name and renamed when it is whole. Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmspec.errors import DataError
from mmspec.plugins.tables import FeatureTable
from mmspec.system import sync

#: The version of the format.
FORMAT = 1
_HEAD = "table.json"


class TableWriter:
    """Writes a table to `folder` in parts of consecutive rows: `rows` in all, of `columns` values each.

    `about` says how it was made; what it holds is plain JSON.
    """

    def __init__(
        self, folder: Path, *, rows: int, columns: int, dtype: np.dtype[Any], about: Mapping[str, Any]
    ) -> None:
        self._folder, self._about = folder, about
        self._making = folder.with_name(f".{folder.name}.making")
        shutil.rmtree(self._making, ignore_errors=True)
        self._making.mkdir(parents=True)
        file = self._making / "values.npy"
        self._values = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(rows, columns))
        self._done = 0

    def append(self, part: np.ndarray) -> None:
        """The next rows (n, D)."""
        self._values[self._done : self._done + len(part)] = part
        self._done += len(part)

    def finish(
        self,
        *,
        ids: np.ndarray,
        targets: np.ndarray,
        splits: np.ndarray,
        groups: Mapping[str, np.ndarray],
        classes: Sequence[str],
    ) -> None:
        """Write what belongs to the rows, each (N,); from now on there is a table."""
        assert self._done == len(self._values), "all rows are written"
        self._values.flush()
        del self._values
        columns = {"ids": ids, "targets": targets, "splits": splits}
        columns |= {f"group-{i}": labels for i, labels in enumerate(groups.values())}
        for name, column in columns.items():
            np.save(self._making / f"{name}.npy", column, allow_pickle=False)
        sums = {path.name: _digest(path) for path in sorted(self._making.glob("*.npy"))}
        head = {
            "format": FORMAT,
            "classes": list(classes),
            "groups": list(groups),
            "sha256": sums,
            "about": dict(self._about),
        }
        (self._making / _HEAD).write_text(json.dumps(head, indent=1), encoding="utf-8")
        for path in self._making.iterdir():
            sync(path)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._making.rename(self._folder)
        sync(self._folder.parent)


def read_table(folder: Path, name: str) -> FeatureTable:
    """The table in a folder, its values mapped into memory; `name` is the stage that wrote it.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
        groupings = [str(grouping) for grouping in head["groups"]]
        sums, classes = dict(head["sha256"]), tuple(map(str, head["classes"]))
        values = np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False)
        small = ["ids", "targets", "splits", *(f"group-{i}" for i in range(len(groupings)))]
        ids, targets, splits, *groups = (_column(folder, file, sums, len(values)) for file in small)
    except FileNotFoundError as error:
        raise DataError(f"the feature table of stage {name} is not there: {error.filename}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "remove the run's directory, and run it again"
        raise DataError(f"the feature table in {folder} is damaged: {error}", hint=hint) from None
    return FeatureTable(
        values, ids, targets, splits, dict(zip(groupings, groups, strict=True)), classes, name
    )


def _column(folder: Path, name: str, sums: Mapping[str, str], rows: int) -> np.ndarray:
    """A column, its checksum verified; the values themselves would have to be read whole for that."""
    path = folder / f"{name}.npy"
    if _digest(path) != sums[path.name]:
        raise ValueError(f"{path.name} is not as it was written")
    column: np.ndarray = np.load(path, allow_pickle=False)
    if column.shape != (rows,):
        raise ValueError(f"{path.name} has not {rows} rows")
    return column


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
