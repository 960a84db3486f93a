"""The data of Cadieu et al. 2014 on disk: what there is, and what is wrong with it.

`<root>/NeuralData_<IT|V4>_<multi|single>units.mat` has `features` (images × sites) and `meta`, a string for
each image: path below the root, category, and ten times 1 or 0, whether the image is for training in each
of ten published splits.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import attrs
import numpy as np

from mmspec.plugins.api import DataError, Problem
from mmspec_neural.mat import read_mat

CATEGORIES = ("Animals", "Cars", "Chairs", "Faces", "Fruits", "Planes", "Tables")
SPLITS = 10

_SOURCE = (
    "the data are published with Cadieu et al. 2014 (doi:10.1371/journal.pcbi.1003963) by the DiCarlo lab, "
    "as PLoSCB2014_data_20141216.zip"
)
#: What to do about damage.
UNPACK_AGAIN = f"unpack the archive again; {_SOURCE}"

#: A PNG file begins with its signature, and ends with an empty IEND chunk.
_HEAD, _TAIL = b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x00IEND\xaeB`\x82"


@attrs.frozen(eq=False)
class NeuralData:
    """A .mat file, in its own order: `features` (N, sites) float64, and of each image what `meta` says.

    `images` are paths below the root; `splits` (N, 10) is True where an image is for training.
    """

    features: np.ndarray
    images: tuple[str, ...]
    categories: np.ndarray
    splits: np.ndarray


def file_name(area: str, units: str) -> str:
    """The name of the file with this area's responses: IT or V4, multi- or single units."""
    return f"NeuralData_{area.upper()}_{units}units.mat"


def read_neural_data(path: Path) -> NeuralData:
    """The responses and what they are to.

    Raises:
        DataError: the file is missing, damaged or not what it should be.
    """
    arrays = read_mat(path, ("features", "meta"), hint=UNPACK_AGAIN)
    features, meta = arrays["features"], arrays["meta"]
    problems = [*_feature_problems(features), *_meta_problems(meta)]
    if not problems and len(features) != len(meta):
        problems.append(f"features of {len(features)} images, but meta of {len(meta)}")
    if problems:
        raise DataError([Problem(f"{path}: {what}", hint=UNPACK_AGAIN) for what in problems])
    rows = [str(row).split() for row in meta]
    return NeuralData(
        features=features.astype(np.float64),
        images=tuple(row[0] for row in rows),
        categories=np.array([row[1] for row in rows], dtype=np.str_),
        splits=np.array([[mark == "1" for mark in row[2:]] for row in rows]),
    )


def check(root: Path, name: str) -> list[Problem]:
    """Whether the folder and the file of this name are there; quick."""
    if (root / name).is_file():
        return []
    what = f"{root / name} is missing" if root.is_dir() else f"there is no folder {root}"
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if (folder / name).is_file():
            return [Problem(what, hint=f"it lies one folder deeper: root = {str(folder)!r}")]
    layout = f"{name} and the folder images"
    return [Problem(what, hint=f"{_SOURCE}; unpacked, {layout} must lie in {root}")]


def check_images(root: Path, images: Sequence[str]) -> list[Problem]:
    """Which images are missing or not whole, from their heads and tails."""
    kinds: dict[str, list[str]] = {}
    for image in images:
        if damage := _damage(root / image):
            kinds.setdefault(damage, []).append(image)
    return [
        Problem(f"{root}: {len(named)} of {len(images)} images {damage}: {some(named)}", hint=UNPACK_AGAIN)
        for damage, named in sorted(kinds.items())
    ]


def some(names: Sequence[object], shown: int = 3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(map(str, names[:shown])) + (f", and {more} more" if more > 0 else "")


# ---------------------------------------------------------------- what is wrong


def _feature_problems(features: np.ndarray) -> Iterable[str]:
    if features.dtype.kind not in "fiu" or features.ndim != 2:
        yield f"features must be real numbers, images × sites, not {features.dtype} {features.shape}"
    elif bad := int((~np.isfinite(features)).sum()):
        yield f"features hold {bad} entries that are not finite"


def _meta_problems(meta: np.ndarray) -> Iterable[str]:
    if meta.dtype.kind != "U" or meta.ndim != 1:
        yield f"meta must be a string for each image, not {meta.dtype} {meta.shape}"
        return
    rows = [str(row).split() for row in meta]
    if bad := _where(rows, lambda row: len(row) != 2 + SPLITS or not set(row[2:]) <= {"0", "1"}):
        yield f"meta must say path, category and {SPLITS} times 0 or 1; it does not in rows {some(bad)}"
        return
    if bad := _where(rows, lambda row: not _is_below(row[0])):
        yield f"meta has paths that lead out of the folder, in rows {some(bad)}"
    if twice := [image for image, count in Counter(row[0] for row in rows).items() if count > 1]:
        yield f"meta names {len(twice)} images more than once: {some(twice)}"
    found = {row[1] for row in rows}
    if found != set(CATEGORIES):
        held = ", ".join(sorted(found)) or "none"
        yield f"meta must be of the categories {', '.join(CATEGORIES)}; it has {held}"


def _where(rows: Sequence[Sequence[str]], holds: Callable[[Sequence[str]], bool]) -> list[int]:
    """The rows for which something holds, counted from 1 as MATLAB does."""
    return [number for number, row in enumerate(rows, start=1) if holds(row)]


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and ":" not in path


def _damage(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(_TAIL)))
            tail = file.read()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"not readable ({error.strerror})"
    if head != _HEAD:
        return "not in PNG format"
    return None if tail == _TAIL else "cut off before the end"
