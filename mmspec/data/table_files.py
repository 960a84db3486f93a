"""Feature tables as files: a folder of .npy files that are mapped into memory, and table.json.

    values.npy      (N, D), as the stage computed them
    ids.npy, targets.npy, splits.npy, group-0.npy, …      (N,)
    table.json      classes, names of the groupings, SHA-256 of each file, and how the table was made

A table is written under another name and renamed when it is whole. Who reads it verifies every file. Nothing
in it is ever executed: arrays of objects are neither written nor read.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from mmspec.errors import DataError
from mmspec.plugins.tables import FeatureTable
from mmspec.system import sync

#: The version of the format.
FORMAT = 1
_HEAD = "table.json"


class TableWriter:
    """Writes a table to `folder` in parts of consecutive rows: `rows` in all, of `columns` values each.

    `about` says how it was made; what it holds is plain JSON. To be used as a context: what is left
    unfinished is removed at its end.
    """

    def __init__(
        self, folder: Path, *, rows: int, columns: int, dtype: np.dtype[Any], about: Mapping[str, Any]
    ) -> None:
        self._folder, self._about = folder, about
        self._making = folder.with_name(f".{folder.name}.making")
        shutil.rmtree(self._making, ignore_errors=True)
        self._making.mkdir(parents=True)
        self._rows, self._done, self._sum = rows, 0, hashlib.sha256()
        self._dtype = dtype.newbyteorder("=")
        # Written, not mapped: pages of a mapped file count as this process's memory until they are on the
        # disk, and a full disk would end it without a word.
        self._values = (self._making / "values.npy").open("wb")
        self._put(_header(self._dtype, (rows, columns)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._values.close()
        shutil.rmtree(self._making, ignore_errors=True)

    def append(self, part: np.ndarray) -> None:
        """The next rows (n, D)."""
        self._put(np.ascontiguousarray(part, dtype=self._dtype).data)
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
        """Write what belongs to the rows, each (N,); from now on there is a table.

        Raises:
            DataError: something of it is neither numbers nor text.
        """
        assert self._done == self._rows, "all rows are written"
        self._values.close()
        columns = {"ids": ids, "targets": targets, "splits": splits}
        columns |= {f"group-{i}": labels for i, labels in enumerate(groups.values())}
        for name, column in columns.items():
            np.save(self._making / f"{name}.npy", _plain(name, column), allow_pickle=False)
        head = {
            "format": FORMAT,
            "classes": list(classes),
            "groups": list(groups),
            "sha256": {
                "values.npy": self._sum.hexdigest(),
                **{f"{name}.npy": _digest(self._making / f"{name}.npy") for name in columns},
            },
            "about": dict(self._about),
        }
        (self._making / _HEAD).write_text(json.dumps(head, indent=1), encoding="utf-8")
        for path in self._making.iterdir():
            sync(path)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._making.rename(self._folder)
        sync(self._folder.parent)

    def _put(self, content: bytes | memoryview) -> None:
        self._values.write(content)
        self._sum.update(content)


def read_table(folder: Path, name: str) -> FeatureTable:
    """The table in a folder, its values mapped into memory; `name` is the stage that wrote it.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        table = _read(folder, name)
    except FileNotFoundError as error:
        raise DataError(f"the feature table of stage {name} is not there: {error.filename}") from None
    except Exception as error:  # whatever json and numpy say of bytes that are not as they were written
        hint = "remove the run's directory, and run it again"
        raise DataError(f"the feature table in {folder} is damaged: {error}", hint=hint) from error
    return table


def _read(folder: Path, name: str) -> FeatureTable:
    head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
    if head["format"] != FORMAT:
        raise ValueError(f"it is of format {head['format']}, and this mmspec reads {FORMAT}")
    groupings, classes = [str(grouping) for grouping in head["groups"]], tuple(map(str, head["classes"]))
    labels = ["ids", "targets", "splits", *(f"group-{i}" for i in range(len(groupings)))]
    for file in ["values", *labels]:
        if _digest(folder / f"{file}.npy") != head["sha256"][f"{file}.npy"]:
            raise ValueError(f"{file}.npy is not as it was written")
    values: np.ndarray = np.lib.format.open_memmap(folder / "values.npy", mode="r")
    ids, targets, splits, *groups = (_column(folder / f"{file}.npy", len(values)) for file in labels)
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise ValueError(f"values.npy is an array {values.shape} of {values.dtype}")
    if targets.dtype.kind not in "iu" or not ((targets >= 0) & (targets < len(classes))).all():
        raise ValueError("targets.npy does not number the classes")
    return FeatureTable(
        values, ids, targets, splits, dict(zip(groupings, groups, strict=True)), classes, name
    )


def _column(path: Path, rows: int) -> np.ndarray:
    with path.open("rb") as file:
        column: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    if column.shape != (rows,) or column.dtype.kind not in _KINDS:
        raise ValueError(f"{path.name} is an array {column.shape} of {column.dtype}")
    return column


#: What labels may be: numbers, dates, text.
_KINDS = "biufMmUS"


def _plain(name: str, column: np.ndarray) -> np.ndarray:
    """Labels as an array of one type of number or text, also those that are kept as Python objects."""
    if column.dtype.kind in _KINDS:
        return column
    labels = column.tolist()
    plain = np.array(labels)
    types = sorted({type(label).__name__ for label in labels})
    if len(types) != 1 or plain.shape != column.shape or plain.dtype.kind not in _KINDS:
        given = ", ".join(types)
        raise DataError(f"{name} of samples must be numbers or text, all alike; the dataset gives {given}")
    return plain


def _header(dtype: np.dtype[Any], shape: tuple[int, int]) -> bytes:
    """How an .npy file of such an array begins."""
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
