"""Packing: each modality of a dataset decoded once into memory-mapped arrays, checksummed.

The pack of a modality is a folder named after the dataset's fingerprint and the modality. It is made by
several processes under a temporary name and renamed when it is whole, so half a pack is never used; an
interrupted packing goes on where it was. Of two processes that pack the same, one waits.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from mmspec.data.pack_format import (
    MANIFEST,
    VERSION,
    Follow,
    Progress,
    open_packs,
    read_manifest,
    size_text,
    unfollowed,
    verify,
)
from mmspec.data.pack_layout import Layout, layouts_of
from mmspec.data.pack_lock import alone_in
from mmspec.data.pack_writer import Writer, make, there_already, tidy
from mmspec.errors import DataError
from mmspec.plugins.api import Dataset, Source, cache_folder

__all__ = ["find_packs", "open_packed", "pack", "read_manifest", "size_text", "unfinished", "verify"]


def open_packed(
    dataset: Dataset, modalities: Sequence[str], cache: Path | None = None, *, follow: Follow = unfollowed
) -> dict[str, Source]:
    """The splits of a dataset from its packs, which are made first where they are absent.

    Of the dataset itself nothing is asked but its fingerprint, unless something has to be packed.

    Raises:
        DataError: the data cannot be read, the disk is too small, or a pack is damaged.
    """
    return open_packs(pack(dataset, modalities, cache, follow=follow))


def pack(
    dataset: Dataset,
    modalities: Sequence[str],
    cache: Path | None = None,
    *,
    jobs: int | None = None,
    follow: Follow = unfollowed,
) -> dict[str, Path]:
    """Make the packs of these modalities where they are absent; {modality: folder}.

    Args:
        dataset: what is read.
        modalities: what is read of it.
        cache: where packs lie; by default below the cache folder.
        jobs: processes; by default as many as there are cores, and none for small data.
        follow: told now and then how far it is; what it raises ends the packing, which can go on later.

    Raises:
        DataError: samples cannot be read (what could is kept), or the disk is too small.
    """
    folders = find_packs(dataset, modalities, cache)
    if missing := _missing(folders):
        with ExitStack() as locks:
            for modality in sorted(missing, key=lambda m: folders[m]):  # in one order, so that nobody blocks
                waiting = Progress(f"waiting for another process to pack {modality}", 0, 0)
                locks.enter_context(alone_in(unfinished(folders[modality]), partial(follow, waiting)))
            if left := _missing(folders):  # what nobody has packed while we waited
                _make_all(dataset, {m: folders[m] for m in left}, jobs, follow)
            for modality in set(missing) - set(left):
                shutil.rmtree(unfinished(folders[modality]), ignore_errors=True)
    for folder in folders.values():
        tidy(folder)
    return folders


def find_packs(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Where the packs of these modalities lie, or would; {modality: folder}."""
    base, mark = cache or cache_folder("packed"), f"{VERSION}/{dataset.fingerprint()}"
    return {m: base / hashlib.sha256(f"{mark}/{m}".encode()).hexdigest()[:32] for m in modalities}


def unfinished(folder: Path) -> Path:
    """Where this pack is made."""
    return folder.with_name(f"{folder.name}.making")


def _missing(folders: Mapping[str, Path]) -> list[str]:
    return [m for m, folder in folders.items() if not (folder / MANIFEST).exists()]


def _make_all(dataset: Dataset, folders: Mapping[str, Path], jobs: int | None, follow: Follow) -> None:
    sources = dataset.open(tuple(folders))
    layouts = {m: layouts_of(sources, m) for m in folders}
    _check_room(layouts, folders)
    for modality, folder in folders.items():
        make(folder, Writer(unfinished(folder), modality, sources, layouts[modality]), jobs, follow)


def _check_room(layouts: Mapping[str, Mapping[str, Layout]], folders: Mapping[str, Path]) -> None:
    needed = sum(layout.size for splits in layouts.values() for layout in splits.values())
    there = sum(there_already(unfinished(folder)) for folder in folders.values())
    where = next(iter(folders.values())).parent
    free = shutil.disk_usage(where).free
    if needed - there > free:
        begun = f" beside the {size_text(there)} it has" if there >= 2**20 else ""
        raise DataError(
            f"packing needs {size_text(needed - there)}{begun}, but {where} has {size_text(free)} free",
            hint="set MMSPEC_CACHE to a folder on a larger disk, or train.packed = false",
        )
