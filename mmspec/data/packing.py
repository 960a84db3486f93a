"""Packing: each modality of each split decoded once into a memory-mapped array, checksummed.

A pack lies in `<cache>/<dataset fingerprint>/`: one raw `.npy` for each modality and split, and `pack.json`
with shapes and SHA-256 sums, written last. It is made under a temporary name and renamed, so half a pack
is never used. Reading a sample from it is a copy.
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
from mmspec.plugins.api import ArraySource, Dataset, Source

_CHUNK = 256


def default_cache() -> Path:
    """Where packs lie: `$MMSPEC_CACHE`, else the user's cache folder."""
    base = os.environ.get("MMSPEC_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "mmspec")
    return Path(base).expanduser() / "packed"


def open_packed(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> dict[str, Source]:
    """The splits of a dataset from its pack, which is made first where it is absent.

    Raises:
        DataError: the data cannot be read, the disk is too small, or the pack does not verify.
    """
    folder = pack(dataset, modalities, cache)
    manifest = _read_manifest(folder)
    return {split: _open_split(folder, split, modalities, manifest) for split in manifest["splits"]}


def pack(dataset: Dataset, modalities: Sequence[str], cache: Path | None = None) -> Path:
    """Make the pack of these modalities where it is absent; its folder."""
    fingerprint = dataset.fingerprint()
    key = hashlib.sha256(json.dumps([fingerprint, sorted(modalities)]).encode()).hexdigest()[:32]
    folder = (cache or default_cache()) / key
    if (folder / "pack.json").exists():
        return folder
    sources = dataset.open(modalities)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _check_room(dataset, sources, modalities, folder.parent)
    making = folder.with_name(f"{folder.name}.making-{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        splits = {name: _write_split(making, name, source, modalities) for name, source in sources.items()}
        manifest = {"fingerprint": fingerprint, "modalities": list(modalities), "splits": splits}
        (making / "pack.json").write_text(json.dumps(manifest, indent=1))
        _publish(making, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


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


def _write_split(folder: Path, split: str, source: Source, modalities: Sequence[str]) -> dict[str, Any]:
    names = {f"{split}.{m}.npy": m for m in modalities}
    for name, modality in names.items():
        _write_modality(folder / name, source, modality)
    columns = {"ids": source.ids, "targets": source.targets}
    columns |= {f"group.{name}": values for name, values in source.groups.items()}
    for column, values in columns.items():
        np.save(folder / f"{split}.{column}.npy", values, allow_pickle=False)
    files = [*names, *(f"{split}.{column}.npy" for column in columns)]
    return {"samples": len(source), "files": {name: _checksum(folder / name) for name in files}}


def _write_modality(path: Path, source: Source, modality: str) -> None:
    first = source.read(modality, np.arange(min(1, len(source))))
    shape = (len(source), *first.shape[1:])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=first.dtype, shape=shape)
    for start in range(0, len(source), _CHUNK):
        indices = np.arange(start, min(start + _CHUNK, len(source)))
        out[indices] = source.read(modality, indices)
    out.flush()


def _open_split(folder: Path, split: str, modalities: Sequence[str], manifest: Mapping[str, Any]) -> Source:
    def load(column: str, mmap: bool = False) -> np.ndarray:
        path = folder / f"{split}.{column}.npy"
        try:
            array: np.ndarray = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} cannot be read: {error}", hint=f"delete {folder}; it is packed again"
            ) from None
        return array

    prefix = f"{split}.group."
    files = manifest["splits"][split]["files"]
    groups = [name[len(prefix) : -len(".npy")] for name in files if name.startswith(prefix)]
    return ArraySource(
        arrays={m: load(m, mmap=True) for m in modalities},
        targets=load("targets"),
        ids=load("ids"),
        groups={name: load(f"group.{name}") for name in groups},
    )


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
