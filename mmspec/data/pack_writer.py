"""Making a pack, so that whoever is interrupted goes on where they were.

Beside the growing arrays lie `plan.json`, what is being made, and `journal`, a line for each chunk of samples
that is written, with its checksum. Who goes on makes sure of these chunks and writes the others; the content
of a chunk does not depend on who wrote it. The folder takes its name when all is there and on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import numpy as np

from mmspec.data.pack_format import (
    MANIFEST,
    VERSION,
    Follow,
    Manifest,
    PackedSplit,
    Piece,
    Progress,
    checksum,
    pieces_of,
)
from mmspec.data.pack_layout import Layout, as_stored
from mmspec.data.pack_lock import LOCK
from mmspec.data.pack_workers import spread
from mmspec.errors import DataError, Problem
from mmspec.plugins.api import Source
from mmspec.system import cores, sync, write_whole

#: Below this, starting processes takes longer than it saves.
_IN_PROCESS = 32 * 2**20
#: After so many unreadable samples the rest is not tried.
_ENOUGH = 50


class SamplesError(DataError):
    """Samples cannot be read, or do not fit together. Others may."""


@attrs.frozen
class Chunk:
    """The samples of a split from `start` on; `sha256` is their checksum if they seem to be written."""

    split: str
    start: int
    sha256: str | None


@attrs.frozen(eq=False)
class Writer:
    """What a packing process holds: reads chunks of one modality, and writes them at their places."""

    folder: Path
    modality: str
    sources: Mapping[str, Source]
    layouts: Mapping[str, Layout]

    def __call__(self, chunk: Chunk) -> str:
        """Make sure that a chunk is written; its checksum.

        Raises:
            SamplesError: samples that cannot be read, all of the chunk.
            DataError: the disk is full.
        """
        path, layout = samples_file(self.folder, chunk.split), self.layouts[chunk.split]
        start, stop = layout.piece(chunk.start)
        if chunk.sha256 is not None and checksum(path, start, stop) == chunk.sha256:
            return chunk.sha256
        rows = self._read(chunk.split, layout.chunk(chunk.start))
        content = rows.data.cast("B")
        with said_if_full(self.folder), path.open("r+b", buffering=0) as file:
            _write_at(file.fileno(), content, start)
        return hashlib.sha256(content).hexdigest()

    def _read(self, split: str, indices: np.ndarray) -> np.ndarray:
        source, layout = self.sources[split], self.layouts[split]
        try:
            rows = as_stored(source.read(self.modality, indices))
        except (DataError, OSError):
            problems = [p for i in indices for p in self._problems(split, i)]
            if problems:
                raise SamplesError(problems) from None
            raise
        if rows.shape != (len(indices), *layout.shape) or rows.dtype.str != layout.dtype:
            first, last = source.ids[indices[0]], source.ids[indices[-1]]
            raise SamplesError(
                f"split {split!r}, {self.modality}: samples {first} to {last} are {_said(rows.shape[1:])} "
                f"{rows.dtype}, the first of the split is {_said(layout.shape)} {np.dtype(layout.dtype)}",
                hint="samples that are packed together have one shape; is there an option for their size?",
            )
        return rows

    def _problems(self, split: str, index: int) -> Iterator[Problem]:
        """What is wrong with one sample."""
        try:
            self.sources[split].read(self.modality, np.array([index]))
        except DataError as error:
            yield from error.problems
        except OSError as error:
            sample = self.sources[split].ids[index]
            yield Problem(f"split {split!r}, {self.modality}: sample {sample} cannot be read: {error}")


def _said(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def make(folder: Path, writer: Writer, jobs: int | None, follow: Follow) -> None:
    """Make or finish a pack in `writer.folder`, whose lock is held, and rename it to `folder`.

    Raises:
        DataError: samples cannot be read, or the disk is full; what is done is kept.
    """
    with said_if_full(folder):
        _begin(writer)
        sums = _write_samples(writer, jobs, follow)
        splits = {split: _finish_split(writer, split, sums[split]) for split in writer.layouts}
        write_whole(writer.folder / MANIFEST, Manifest(writer.modality, splits).to_text().encode())
    _publish(writer.folder, folder)


def samples_file(folder: Path, split: str) -> Path:
    """Where the samples of a split lie."""
    return folder / f"{split}.samples.npy"


def there_already(folder: Path) -> int:
    """Bytes that an unfinished pack takes on the disk."""
    if not folder.exists():
        return 0
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


def _begin(writer: Writer) -> None:
    """Keep what lies in the folder if it is of the same pack, else begin anew; room for all is taken."""
    layouts = {split: attrs.astuple(layout) for split, layout in writer.layouts.items()}
    plan = json.dumps({"version": VERSION, "modality": writer.modality, "layouts": layouts})
    path = writer.folder / "plan.json"
    if not path.exists() or path.read_text(encoding="utf-8") != plan:
        for other in writer.folder.iterdir():
            if other.name != LOCK:
                other.unlink()
        write_whole(path, plan.encode())
    for split, layout in writer.layouts.items():
        with samples_file(writer.folder, split).open("ab") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, layout.size)
            else:
                file.truncate(layout.size)
        with samples_file(writer.folder, split).open("r+b") as file:
            file.write(layout.header)


def _write_samples(writer: Writer, jobs: int | None, follow: Follow) -> dict[str, dict[int, str]]:
    """Write every chunk that is not there; the checksums {split: {start: sum}}."""
    journal = writer.folder / "journal"
    known = _read_journal(journal)
    chunks = [
        Chunk(split, start, known.get((split, start)))
        for split, layout in writer.layouts.items()
        for start in layout.starts
    ]
    total = sum(layout.samples * layout.row for layout in writer.layouts.values())
    jobs = 1 if total < _IN_PROCESS and jobs is None else min(jobs or cores(), len(chunks))
    sums: dict[str, dict[int, str]] = {split: {} for split in writer.layouts}
    problems: list[Problem] = []
    done = 0
    with journal.open("a", encoding="utf-8") as file:
        file.write("\n")  # the last line may have been cut off
        for each in spread(writer, chunks, jobs):
            if each is not None and isinstance(each.result, SamplesError):
                problems += each.result.problems
                if len(problems) >= _ENOUGH:
                    problems.append(Problem("there may be more: packing stopped here"))
                    break
            elif each is not None:
                chunk, digest = each.task, each.get()
                sums[chunk.split][chunk.start] = digest
                file.write(f"{chunk.start} {digest} {chunk.split}\n")
                file.flush()
                start, stop = writer.layouts[chunk.split].piece(chunk.start)
                done += stop - start
            follow(Progress(f"packing {writer.modality}", done, total))
    if problems:
        raise DataError(problems)
    return sums


def _read_journal(path: Path) -> dict[tuple[str, int], str]:
    """The checksums of chunks that were written; lines that were cut off are left out."""
    known = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        start, _, rest = line.partition(" ")
        digest, _, split = rest.partition(" ")
        if start.isdecimal() and len(digest) == 64 and split:
            known[split, int(start)] = digest
    return known


def _finish_split(writer: Writer, split: str, sums: Mapping[int, str]) -> PackedSplit:
    """Write what belongs to the samples of a split, and see that all of it is on the disk."""
    source, layout, folder = writer.sources[split], writer.layouts[split], writer.folder
    columns = {"ids": source.ids, "targets": source.targets}
    columns |= {f"group.{name}": values for name, values in source.groups.items()}
    samples = samples_file(folder, split)
    header = layout.header
    pieces = [Piece(0, len(header), hashlib.sha256(header).hexdigest())]
    pieces += [Piece(*layout.piece(start), sums[start]) for start in sorted(sums)]
    files = {samples.name: tuple(pieces)}
    for column, values in columns.items():
        path = folder / f"{split}.{column}.npy"
        np.save(path, values, allow_pickle=False)
        files[path.name] = pieces_of(path)
    for name in files:
        sync(folder / name)
    return PackedSplit(tuple(source.groups), files)


def _publish(made: Path, folder: Path) -> None:
    """Give a finished pack its name."""
    if folder.exists():  # somebody has deleted its list
        shutil.rmtree(folder)
    made.rename(folder)
    with suppress(OSError):  # not every file system can, for folders
        sync(folder.parent)


def tidy(folder: Path) -> None:
    """Remove from a finished pack what only its making needed, also where that process has died since."""
    with suppress(OSError):  # a cache that may only be read
        for name in ("journal", "plan.json", LOCK):
            (folder / name).unlink(missing_ok=True)


def _write_at(descriptor: int, content: memoryview, start: int) -> None:
    """Write into a file at a place. Not by a memory map: that kills the process where the disk is full."""
    while content:
        written = os.pwrite(descriptor, content, start)
        content, start = content[written:], start + written


@contextmanager
def said_if_full(folder: Path) -> Iterator[None]:
    """A full disk is said as what it is.

    Raises:
        DataError: the disk, or the user's share of it, is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DataError(
            f"packing stopped: {error.strerror} ({folder.parent})",
            hint="free some room and do the same again: it goes on from here; "
            "or set MMSPEC_CACHE to a folder on a larger disk, or train.packed = false",
        ) from None
