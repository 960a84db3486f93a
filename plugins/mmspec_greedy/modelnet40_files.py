"""The shaded views of ModelNet40 on disk: what there is, and what is wrong with it.

`<root>/<class>/<train|test>/<object>.obj.<view>.png`, 12 views of each object, in the order of their names.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from mmspec.plugins.api import Problem
from mmspec_greedy.naming import some

VIEWS = 12
PARTS = ("train", "test")
CLASSES = (
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone", "cup",
    "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard", "lamp", "laptop",
    "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio", "range_hood", "sink", "sofa",
    "stairs", "stool", "table", "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox",
)  # fmt: skip

_SOURCE = (
    "the 12 shaded views of each object (1.6 GB) are had from the MVCNN project (Su et al. 2015): "
    "http://supermoe.cs.umass.edu/shape_recog/shaded_images.tar.gz"
)
#: What to do about damage.
UNPACK_AGAIN = f"unpack the archive again; {_SOURCE}"
_LAYOUT = "<class>/<train|test>/<object>.obj.<view>.png"

#: A PNG file begins with its signature and the IHDR chunk, and ends with an empty IEND chunk.
_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_TAIL = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_SIZES = slice(len(_HEAD), len(_HEAD) + 8)  # width and height, four bytes each
_KIND = slice(_SIZES.stop, _SIZES.stop + 2)  # bits a channel, and which channels
_DEEP_GREY = b"\x10\x00"


@attrs.frozen
class ShadedObject:
    """One object: its class as a position in `CLASSES`, its id, and its views, by name, below the root."""

    label: int
    name: str
    views: tuple[str, ...]

    @property
    def id(self) -> str:
        """The object's id with its class."""
        return f"{CLASSES[self.label]}/{self.name}"


def list_objects(root: Path) -> tuple[dict[str, list[ShadedObject]], list[Problem]]:
    """The objects of each part, sorted by class and id, and what is wrong with them; from names alone."""
    problems = _layout_problems(root)
    if problems:
        return {part: [] for part in PARTS}, problems
    objects = {part: list(_objects(root, part)) for part in PARTS}
    everything = [(part, each) for part in PARTS for each in objects[part]]
    odd = [f"{CLASSES[o.label]}/{part}/{o.name} ({len(o.views)})" for part, o in everything if _is_odd(o)]
    if odd:
        what = f"{root}: {_count(odd, 'object')} without exactly {VIEWS} views: {some(odd)}"
        problems.append(Problem(what, hint=UNPACK_AGAIN))
    return objects, problems


def check(root: Path, views: Collection[int]) -> list[Problem]:
    """What is missing or damaged; of the images at positions `views` heads and tails are read."""
    objects, problems = list_objects(root)
    files = [o.views[v] for part in PARTS for o in objects[part] for v in views if v < len(o.views)]
    with ThreadPoolExecutor(max_workers=min(32, 4 * (os.cpu_count() or 1))) as pool:
        damages = pool.map(lambda file: _damage(root / file), files, chunksize=64)
        kinds: dict[str, list[str]] = defaultdict(list)
        for file, damage in zip(files, damages, strict=True):
            if damage:
                kinds[damage].append(file)
    for damage, named in sorted(kinds.items()):
        what = f"{root}: {_count(named, 'image')} {damage}: {some(named)}"
        problems.append(Problem(what, hint=UNPACK_AGAIN))
    return problems


def _objects(root: Path, part: str) -> Iterator[ShadedObject]:
    for label, name in enumerate(CLASSES):
        views = defaultdict(list)
        for file in _names(root / name / part):
            owner, separator, view = file.partition(".obj.")
            if separator and view.endswith(".png"):
                views[owner].append(f"{name}/{part}/{file}")
        for owner in sorted(views):
            yield ShadedObject(label, owner, tuple(sorted(views[owner])))


def _names(folder: Path) -> list[str]:
    """What lies in a folder, hidden files left out; nothing if it is no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def _is_odd(each: ShadedObject) -> bool:
    return len(each.views) != VIEWS


# ---------------------------------------------------------------- the folders


def _layout_problems(root: Path) -> list[Problem]:
    """What is wrong with the folders: no root, other classes, parts without objects."""
    found = _classes_in(root)
    missing = [name for name in CLASSES if name not in found]
    if len(missing) == len(CLASSES):
        return [_nothing_there(root)]
    problems = []
    if missing:
        what = f"{root}: {len(missing)} of the {len(CLASSES)} classes are missing: {', '.join(missing)}"
        problems.append(Problem(what, hint=UNPACK_AGAIN))
    if others := sorted(found - set(CLASSES)):
        what = f"{root}: {_count(others, 'folder')} of no class of ModelNet40: {some(others)}"
        problems.append(
            Problem(what, hint="move it elsewhere" if len(others) == 1 else "move them elsewhere")
        )
    parts = [f"{name}/{part}" for name in CLASSES if name in found for part in PARTS]
    if empty := [part for part in parts if not any(map(_is_view, _names(root / part)))]:
        what = f"{root}: {_count(empty, 'folder')} without any <object>.obj.<view>.png: {some(empty)}"
        problems.append(Problem(what, hint=UNPACK_AGAIN))
    return problems


def _classes_in(root: Path) -> set[str]:
    return {name for name in _names(root) if (root / name).is_dir()}


def _is_view(file: str) -> bool:
    return ".obj." in file and file.endswith(".png")


def _nothing_there(root: Path) -> Problem:
    what = f"the shaded views of ModelNet40 are missing: no folder of a class in {root}"
    if not root.is_dir():
        what = f"the shaded views of ModelNet40 are missing: there is no folder {root}"
    for name in sorted(_classes_in(root)):
        if _classes_in(root / name) >= set(CLASSES):
            return Problem(what, hint=f"they lie one folder deeper: root = {str(root / name)!r}")
    return Problem(what, hint=f"{_SOURCE}; unpacked, they must lie as {root / _LAYOUT}")


# ---------------------------------------------------------------- the images


def _damage(path: Path) -> str | None:
    """What is wrong with a PNG file, from its head and its tail; None if nothing is."""
    try:
        with path.open("rb") as file:
            head = file.read(_KIND.stop)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_TAIL)))
            tail = file.read()
    except OSError as error:
        return f"not readable ({error.strerror})"
    if not size:
        return "without any content"
    if not head.startswith(_HEAD) or bytes(4) in (head[_SIZES][:4], head[_SIZES][4:]):
        return "not in PNG format"
    if tail != _TAIL:
        return "cut off before the end"
    return "in grey of 16 bits" if head[_KIND] == _DEEP_GREY else None


# ---------------------------------------------------------------- words


def _count(things: Sequence[str], word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"
