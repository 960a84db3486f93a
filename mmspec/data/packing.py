"""Packing: each modality of a dataset decoded once into memory-mapped arrays, checksummed.

The pack of a modality is a folder named after the dataset's fingerprint and the modality: one `.npy` for
each split, its targets, ids and groups, and `pack.json` with SHA-256 sums, written last. It is made under a
temporary name and renamed, so half a pack is never used. Reading a sample from it is a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmspec.errors import DataError, Problem
from mmspec.plugins.api import ArraySource, Dataset, Source, cache_folder

_CHUNK = 256


def open_packed(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> dict[str, Source]:
    """The splits of a dataset from its packs, which are made first where they are absent.

    Raises:
        DataError: the data cannot be read, the disk is too small, or a pack is damaged.
    """
    folders = pack(dataset, modalities, cache)
    splits = _read_manifest(next(iter(folders.values())))["splits"]
    return {split: _open_split(folders, split, splits[split]["groups"]) for split in splits}


def pack(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Make the packs of these modalities where they are absent; {modality: folder}."""
    folders = find_packs(dataset, modalities, cache)
    missing = [m for m, folder in folders.items() if not (folder / "pack.json").exists()]
    if missing:
        sources = dataset.open(missing)
        where = folders[missing[0]].parent
        where.mkdir(parents=True, exist_ok=True)
        _check_room(dataset, sources, missing, where)
        for modality in missing:
            _make(folders[modality], sources, modality)
    return folders


def find_packs(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> dict[str, Path]:
    """Where the packs of these modalities lie, or would; {modality: folder}."""
    base, fingerprint = cache or cache_folder("packed"), dataset.fingerprint()
    return {m: base / hashlib.sha256(f"{fingerprint}/{m}".encode()).hexdigest()[:32] for m in modalities}


def verify(folder: Path) -> list[Problem]:
    """Every file of a pack against its checksum; empty when all is well."""
    problems = []
    for split in _read_manifest(folder)["splits"].values():
        for name, entry in split["files"].items():
            path = folder / name
            if not path.exists():
                problems.append(Problem(f"{path} is missing", hint="delete the folder; it is packed again"))
            elif _checksum(path) != entry:
                problems.append(Problem(f"{path} is damaged", hint="delete the folder; it is packed again"))
    return problems


def _make(folder: Path, sources: Mapping[str, Source], modality: str) -> None:
    making = folder.with_name(f"{folder.name}.making-{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        splits = {name: _write_split(making, name, source, modality) for name, source in sources.items()}
        (making / "pack.json").write_text(json.dumps({"modality": modality, "splits": splits}, indent=1))
        _publish(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _publish(making: Path, folder: Path) -> None:
    try:
        making.rename(folder)
    except OSError:
        if not (folder / "pack.json").exists():  # else: another process was first, with the same content
            raise


def _check_room(
    dataset: Dataset, sources: Mapping[str, Source], modalities: Sequence[str], where: Path
) -> None:
    info = dataset.describe().modalities
    sample = sum(int(np.prod(info[m].shape)) * np.dtype(info[m].dtype).itemsize for m in modalities)
    needed, free = sample * sum(map(len, sources.values())), shutil.disk_usage(where).free
    if needed > free:
        raise DataError(
            f"packing needs {needed / 2**20:,.0f} MiB, but {where} has {free / 2**20:,.0f} MiB free",
            hint="set MMSPEC_CACHE to a folder on a larger disk, or train.packed = false",
        )


def _write_split(folder: Path, split: str, source: Source, modality: str) -> dict[str, Any]:
    _write_modality(folder / f"{split}.samples.npy", source, modality)
    columns = {"ids": source.ids, "targets": source.targets}
    columns |= {f"group.{name}": values for name, values in source.groups.items()}
    for column, values in columns.items():
        np.save(folder / f"{split}.{column}.npy", values, allow_pickle=False)
    files = [f"{split}.{column}.npy" for column in ("samples", *columns)]
    sums = {name: _checksum(folder / name) for name in files}
    return {"samples": len(source), "groups": list(source.groups), "files": sums}


def _write_modality(path: Path, source: Source, modality: str) -> None:
    first = source.read(modality, np.arange(min(1, len(source))))
    shape = (len(source), *first.shape[1:])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=first.dtype, shape=shape)
    for start in range(0, len(source), _CHUNK):
        indices = np.arange(start, min(start + _CHUNK, len(source)))
        out[indices] = source.read(modality, indices)
    out.flush()


def _open_split(folders: Mapping[str, Path], split: str, groups: Sequence[str]) -> Source:
    first = next(iter(folders.values()))
    return ArraySource(
        arrays={m: _load(folder / f"{split}.samples.npy", mmap=True) for m, folder in folders.items()},
        targets=_load(first / f"{split}.targets.npy"),
        ids=_load(first / f"{split}.ids.npy"),
        groups={name: _load(first / f"{split}.group.{name}.npy") for name in groups},
    )


def _load(path: Path, *, mmap: bool = False) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (OSError, ValueError) as error:
        hint = f"delete {path.parent}; it is packed again"
        raise DataError(f"{path} cannot be read: {error}", hint=hint) from None
    return array


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "pack.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} is no pack: {error}", hint="delete the folder; it is packed again"
        ) from None
    return manifest


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
