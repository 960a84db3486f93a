"""A stand-in for the data of Cadieu et al. 2014: handwritten digits, and made-up responses to them.

A category is a digit, and an object one handwriting of it, moved about before clutter. Sites respond to
category and object, each image with its own scatter: so the dissimilarities between objects are known.
"""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from mmspec_neural.cadieu_files import CATEGORIES, SPLITS

#: Objects of each category, images of each object, and those for training in each published split. A fifth of
#: the images leaves three of each object: one to test, one to choose on, one to learn from.
OBJECTS, IMAGES, TRAIN = 7, 15, 12

#: Standard deviations of the responses: between categories, between objects of one, between images of one.
_BETWEEN_CATEGORIES, _BETWEEN_OBJECTS, _BETWEEN_IMAGES = 1.0, 0.7, 0.8
_SIZE, _ENLARGED = 64, 40
_HEADER = 116  # bytes of text, in which scipy writes the date


def planted_means(sites: int) -> np.ndarray:
    """What each object evokes without scatter, objects by category. (49, sites)"""
    random = np.random.default_rng([2014, sites])
    categories = _BETWEEN_CATEGORIES * random.standard_normal((len(CATEGORIES), 1, sites))
    objects = _BETWEEN_OBJECTS * random.standard_normal((len(CATEGORIES), OBJECTS, sites))
    means: np.ndarray = (categories + objects).reshape(-1, sites)
    return means


def write_data(root: Path, name: str, sites: int) -> None:
    """Write the .mat file of this name and its images: 735 of 49 objects, in rows that mix categories."""
    from scipy.io import savemat

    # Objects in turn over categories, all images of one together, as rows of (category, object, image).
    rows = np.stack(np.meshgrid(range(OBJECTS), range(len(CATEGORIES)), range(IMAGES), indexing="ij"), -1)
    rows = rows.reshape(-1, 3)[:, [1, 0, 2]]
    means = planted_means(sites)[rows[:, 0] * OBJECTS + rows[:, 1]]
    scatter = np.random.default_rng(sites).standard_normal(means.shape)
    marks = _training_marks(len(rows) // IMAGES)
    meta = [
        f"{image_name(*row)} {CATEGORIES[row[0]]} {' '.join(map(str, of_row))}"
        for row, of_row in zip(rows.tolist(), marks.tolist(), strict=True)
    ]
    root.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    savemat(file, {"features": means + _BETWEEN_IMAGES * scatter, "meta": np.array(meta)})
    text = b"MATLAB 5.0 MAT-file, a stand-in by mmspec".ljust(_HEADER)
    (root / name).write_bytes(text + file.getvalue()[_HEADER:])
    _write_images(root, rows)


def write_map(path: Path) -> None:
    """Write the map from images to objects that `write_data` has by order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "object"])
        for category in range(len(CATEGORIES)):
            for each in range(OBJECTS):
                writer.writerows([image_name(category, each, i), f"{each:02}"] for i in range(IMAGES))


def image_name(category: int, each: int, number: int) -> str:
    """The path of an image below the root: 40 hexadecimal digits that tell nothing, as the official ones."""
    digest = hashlib.sha256(f"{category}/{each}/{number}".encode()).hexdigest()
    return f"images/{digest[:40]}.png"


def _training_marks(objects: int) -> np.ndarray:
    """1 for training: `TRAIN` of the images of each object in each split. (objects * IMAGES, SPLITS)"""
    base = np.broadcast_to(np.arange(IMAGES)[:, None] < TRAIN, (objects, IMAGES, SPLITS))
    return np.random.default_rng(80).permuted(base, axis=1).reshape(-1, SPLITS).astype(int)


def _write_images(root: Path, rows: np.ndarray) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    (root / "images").mkdir(exist_ok=True)
    for category, each, number in rows.tolist():
        glyph = digits.images[np.flatnonzero(digits.target == category)[each]]
        random = np.random.default_rng([category, each, number])
        image = Image.fromarray(_draw(glyph, random))
        image.save(root / image_name(category, each, number), compress_level=1)


def _draw(glyph: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A digit (8, 8) of 0 … 16 somewhere before coarse grey clutter. (64, 64) uint8"""
    scene = random.uniform(0, 90, (8, 8)).repeat(_SIZE // 8, axis=0).repeat(_SIZE // 8, axis=1)
    ink = Image.fromarray((glyph * (255 / 16)).astype(np.uint8)).resize(
        (_ENLARGED, _ENLARGED), Image.Resampling.BILINEAR
    )
    top, left = random.integers(0, _SIZE - _ENLARGED + 1, 2)
    window = scene[top : top + _ENLARGED, left : left + _ENLARGED]
    np.maximum(window, np.asarray(ink), out=window)
    return scene.astype(np.uint8)
