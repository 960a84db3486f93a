"""Which of the 49 objects each image of Cadieu et al. 2014 shows; their files do not say it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mmspec.plugins.api import DataError
from mmspec_neural.cadieu_files import CATEGORIES, UNPACK_AGAIN, some

_MAP_HINT = "it needs a row for each image; without the option objects, images are taken by their order"


def objects_by_order(categories: np.ndarray, per_object: int) -> np.ndarray:
    """Objects as blocks of `per_object` consecutive rows of one category: "Cars/02". (N,)

    This is what published code assumes (1jsingh/neural-finetuning, with 40): rows are brought together by
    category, in their order, and cut into blocks.

    Raises:
        DataError: the rows of a category do not make whole blocks.
    """
    counts = {name: int((categories == name).sum()) for name in CATEGORIES}
    if odd := [f"{name} ({count})" for name, count in counts.items() if count % per_object]:
        raise DataError(
            f"objects by order: blocks of {per_object} images do not add up to those of {', '.join(odd)}",
            hint=f"give images_per_object, or objects as a file that maps images to objects; {UNPACK_AGAIN}",
        )
    objects = np.empty(len(categories), dtype="U32")
    for name, count in counts.items():
        labels = [f"{name}/{row // per_object:02}" for row in range(count)]
        objects[categories == name] = labels
    return objects


def objects_by_map(path: Path, images: Sequence[str], categories: np.ndarray) -> np.ndarray:
    """Objects out of a CSV file with the header `image,object`: "Cars/beetle" for object beetle. (N,)

    Images are named by their path in the .mat file, by file name, or by that without its ending.

    Raises:
        DataError: the file cannot be read, or does not name each image once.
    """
    named = _read_map(path)
    keys = [_key(image) for image in images]
    if missing := [image for image, key in zip(images, keys, strict=True) if key not in named]:
        what = f"{path} has no object for {len(missing)} of {len(images)} images: {some(missing)}"
        raise DataError(what, hint=_MAP_HINT)
    if unknown := sorted(named.keys() - set(keys)):
        what = f"{path} names {len(unknown)} images that are not of these data: {some(unknown)}"
        raise DataError(what, hint=_MAP_HINT)
    labels = [f"{category}/{named[key]}" for category, key in zip(categories, keys, strict=True)]
    return np.array(labels, dtype=np.str_)


def _read_map(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {why}", hint=_MAP_HINT) from None
    if header != ["image", "object"] or any(len(row) != 2 or not all(row) for row in rows):
        what = f"{path} must have the columns image,object, and both filled in each row"
        raise DataError(what, hint=_MAP_HINT)
    named = [_key(row[0]) for row in rows]
    if twice := [key for key, count in Counter(named).items() if count > 1]:
        raise DataError(f"{path} names {len(twice)} images more than once: {some(twice)}", hint=_MAP_HINT)
    return dict(zip(named, (row[1] for row in rows), strict=True))


def _key(image: str) -> str:
    return PurePosixPath(image).stem
