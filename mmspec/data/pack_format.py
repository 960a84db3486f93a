"""What a pack is on disk, how it is read, and how it is checked.

The pack of a modality is a folder: for each split `<split>.samples.npy`, its targets, ids and groups, and
`pack.json`, which lists the files piece by piece with SHA-256 sums. Reading a sample from it is a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from mmspec.data.pack_layout import as_read
from mmspec.errors import DataError, Problem
from mmspec.plugins.api import Source

MANIFEST = "pack.json"
#: Counts up when a pack of an earlier version could be misread.
VERSION = 3
_PIECE = 16 * 2**20


@attrs.frozen
class Progress:
    """How far a long work on packs is: `what` is done, and `done` of `total` bytes."""

    what: str
    done: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return self.what
        return f"{self.what}: {self.done / self.total:.0%} of {size_text(self.total)}"


Follow = Callable[[Progress], None]


def size_text(size: int) -> str:
    """Bytes for a reader."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def unfollowed(progress: Progress) -> None:
    """Tell nobody."""
    del progress


@attrs.frozen
class Piece:
    """The SHA-256 sum of bytes `start` to `stop` of a file."""

    start: int
    stop: int
    sha256: str


@attrs.frozen
class PackedSplit:
    """One split of a pack: the names of its groupings, and its files in pieces."""

    groups: tuple[str, ...]
    files: Mapping[str, tuple[Piece, ...]]


@attrs.frozen
class Manifest:
    """What `pack.json` says."""

    modality: str
    splits: Mapping[str, PackedSplit]

    @property
    def files(self) -> dict[str, tuple[Piece, ...]]:
        """The files of all splits."""
        return {name: pieces for split in self.splits.values() for name, pieces in split.files.items()}

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(pieces[-1].stop for pieces in self.files.values())

    def to_text(self) -> str:
        """As JSON."""
        splits = {
            name: {
                "groups": split.groups,
                "files": {
                    file: [attrs.astuple(piece) for piece in parts] for file, parts in split.files.items()
                },
            }
            for name, split in self.splits.items()
        }
        return json.dumps({"modality": self.modality, "splits": splits})


def read_manifest(folder: Path) -> Manifest:
    """What lies in a finished pack.

    Raises:
        DataError: it is none, or its list is damaged.
    """
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        splits = {
            name: PackedSplit(
                tuple(split["groups"]),
                {file: _pieces(said) for file, said in split["files"].items()},
            )
            for name, split in said["splits"].items()
        }
        return Manifest(said["modality"], splits)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{folder} is no pack: {error}", hint=f"delete {folder}; it is packed again"
        ) from None


def _pieces(said: Sequence[tuple[int, int, str]]) -> tuple[Piece, ...]:
    if not said:
        raise ValueError("a file without checksums")
    return tuple(Piece(int(start), int(stop), str(digest)) for start, stop, digest in said)


def verify(folder: Path, follow: Follow = unfollowed) -> list[Problem]:
    """Every file of a pack against its checksums; empty when all is well.

    Raises:
        DataError: it is no pack, or its list is damaged.
    """
    manifest = read_manifest(folder)
    wrong: dict[str, str] = {}
    pieces: list[tuple[str, Piece]] = []
    for name, parts in manifest.files.items():
        path = folder / name
        if not path.exists():
            wrong[name] = f"{path} is missing"
        elif path.stat().st_size != parts[-1].stop:
            wrong[name] = f"{path} is damaged: {path.stat().st_size} bytes, not {parts[-1].stop}"
        else:
            pieces += [(name, piece) for piece in parts]
    done, what = 0, f"checking {manifest.modality}"
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        sums = {pool.submit(_sum_of, folder / name, piece): (name, piece) for name, piece in pieces}
        for each in as_completed(sums):
            name, piece = sums[each]
            if each.result() != piece.sha256:
                wrong[name] = f"{folder / name} is damaged"
            done += piece.stop - piece.start
            follow(Progress(what, done, manifest.size))
    return [Problem(wrong[name], hint=f"delete {folder}; it is packed again") for name in sorted(wrong)]


def _sum_of(path: Path, piece: Piece) -> str:
    return checksum(path, piece.start, piece.stop)


def checksum(path: Path, start: int, stop: int) -> str:
    """The SHA-256 sum of bytes `start` to `stop` of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        for at in range(start, stop, _PIECE):
            digest.update(file.read(min(_PIECE, stop - at)))
    return digest.hexdigest()


def pieces_of(path: Path) -> tuple[Piece, ...]:
    """A whole file as one piece."""
    size = path.stat().st_size
    return (Piece(0, size, checksum(path, 0, size)),)


# ---------------------------------------------------------------- reading


@attrs.define(eq=False)
class PackedSource(Source):
    """A split read from packs, `paths` {modality: file}, mapped on first use and by each process anew."""

    paths: Mapping[str, Path]
    targets: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray]
    _maps: dict[str, np.ndarray] = attrs.field(factory=dict, init=False)

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The rows at these positions, copied."""
        if modality not in self._maps:
            self._maps[modality] = _load(self.paths[modality], mapped=True)
        return as_read(np.take(self._maps[modality], indices, axis=0))

    def __getstate__(self) -> dict[str, Any]:
        return {**attrs.asdict(self, recurse=False), "_maps": {}}  # a pickled map would be all the data

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def open_packs(folders: Mapping[str, Path]) -> dict[str, Source]:
    """The splits of finished packs {modality: folder} of one dataset.

    Raises:
        DataError: one of them is damaged, as far as is seen without reading it whole.
    """
    first = next(iter(folders.values()))
    splits = read_manifest(first).splits
    return {name: _open_split(folders, first, name, split.groups) for name, split in splits.items()}


def _open_split(folders: Mapping[str, Path], first: Path, split: str, groups: Sequence[str]) -> Source:
    source = PackedSource(
        paths={m: folder / f"{split}.samples.npy" for m, folder in folders.items()},
        targets=_load(first / f"{split}.targets.npy"),
        ids=_load(first / f"{split}.ids.npy"),
        groups={name: _load(first / f"{split}.group.{name}.npy") for name in groups},
    )
    for path in source.paths.values():
        rows = len(_load(path, mapped=True))
        if rows != len(source):
            raise _unreadable(path, f"{rows} samples, not {len(source)}")
    return source


def _load(path: Path, *, mapped: bool = False) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, str(error)) from None
    return array.view(np.ndarray)  # numpy's own class for maps is slower to read from


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(f"{path} cannot be read: {why}", hint=f"delete {path.parent}; it is packed again")
