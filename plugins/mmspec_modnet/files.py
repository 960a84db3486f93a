"""Folders of images on disk: what there is, and what is wrong with it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmspec.plugins.api import DataError, Problem

_ENDINGS = (".jpeg", ".jpg", ".png")
#: How files of the formats begin, and end if nothing is missing; ImageNet has PNG files called .JPEG.
_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_TAILS = (b"\xff\xd9", b"IEND\xaeB`\x82")
DAMAGE_HINT = "copy these files again from where they came, or move them elsewhere"


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, hidden ones left out; none if it is no folder."""
    return sorted(entry.name for entry in _entries(folder) if entry.is_dir())


def images_in(folder: Path) -> list[str]:
    """The names of the images in a folder, sorted, hidden ones left out; none if it is no folder."""
    return sorted(entry.name for entry in _entries(folder) if entry.name.lower().endswith(_ENDINGS))


def some(names: Sequence[str], shown: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f", and {more} more" if more > 0 else "")


def damages(root: Path, files: Sequence[str]) -> list[Problem]:
    """What is wrong with images, names below `root`: heads and tails are read; what ends oddly is decoded."""
    kinds: dict[str, list[str]] = defaultdict(list)
    with ThreadPoolExecutor(max_workers=min(32, 4 * (os.cpu_count() or 1))) as pool:
        found = pool.map(lambda file: _damage(root / file), files, chunksize=64)
        for file, damage in zip(files, found, strict=True):
            if damage:
                kinds[damage].append(file)
    return [
        Problem(f"{root}: {len(named)} {_images(named)} {damage}: {some(named)}", hint=DAMAGE_HINT)
        for damage, named in sorted(kinds.items())
    ]


def _images(named: Sequence[str]) -> str:
    return "image" if len(named) == 1 else "images"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def _damage(path: Path) -> str | None:
    """What is wrong with an image; None if nothing is."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16))
            tail = file.read()
    except OSError as error:
        return f"not readable ({error.strerror})"
    if not head:
        return "without any content"
    if not head.startswith(_HEADS):
        return "neither JPEG nor PNG"
    if not tail.endswith(_TAILS):  # some whole files have more bytes behind their end
        from mmspec_modnet.images import decode

        try:
            decode(path)
        except DataError:
            return "cut off or damaged"
    return None
