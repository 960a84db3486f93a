"""Files on this machine: where mmspec keeps what it can make again, and hashes of what it reads.

Reading gigabytes to know whether a byte has changed costs minutes, so the hash of each file is kept beside
its size and times; a file whose size and times are as they were is not read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from mmspec.system import cores, write_whole

#: A file changed this shortly before it was read may change again within the same tick of its clock.
_SETTLED_NS = 2_000_000_000


def cache_folder(name: str) -> Path:
    """A folder for what can be made again: below `$MMSPEC_CACHE`, else the user's cache folder."""
    base = os.environ.get("MMSPEC_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "mmspec")
    return Path(base).expanduser() / name


def hash_files(root: Path, files: Iterable[str]) -> str:
    """A hash over names (relative to `root`) and contents of `files`, whatever their order.

    Raises:
        OSError: a file cannot be read.
    """
    names = sorted(set(files))
    memory = cache_folder("hashes") / f"{hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:32]}.json"
    known = _remembered(memory)
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        entries = dict(
            zip(names, pool.map(lambda name: _entry(root / name, known.get(name)), names), strict=True)
        )
    settled = {name: entry for name, entry in entries.items() if time.time_ns() - int(entry[1]) > _SETTLED_NS}
    if any(known.get(name) != entry for name, entry in settled.items()):
        _remember(memory, known | settled)
    digest = hashlib.sha256()
    for name, entry in entries.items():
        digest.update(f"{name}\0{entry[-1]}\n".encode())
    return digest.hexdigest()


def _entry(path: Path, known: list[int | str] | None) -> list[int | str]:
    """Size, times and hash of one file; the hash as it was if the rest is."""
    stat = path.stat()
    marks: list[int | str] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    if known is not None and known[:-1] == marks:
        return known
    with path.open("rb") as file:
        return [*marks, hashlib.file_digest(file, "sha256").hexdigest()]


def _remembered(memory: Path) -> dict[str, list[int | str]]:
    try:
        known: dict[str, list[int | str]] = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known


def _remember(memory: Path, entries: dict[str, list[int | str]]) -> None:
    """Write the memory whole; a cache that cannot be written costs time alone."""
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(memory, json.dumps(entries).encode(), durable=False)
