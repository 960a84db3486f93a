"""A stand-in for ModelNet40: turned solids, seen by a camera that goes around them.

A class is a profile over height, a cross-section, and bands painted on the front of its solids. Boxes stand
behind each solid: they hide nothing from the front, and much from the rear. So the classes can be learned,
and from the front more easily.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import numpy as np
from PIL import Image

from mmspec_greedy.modelnet40_files import CLASSES, VIEWS

#: Objects of each class in the official parts.
OBJECTS = {"train": 4, "test": 1}

_SIZE = 224
_PIXEL = 4  # pixels of an image are drawn in squares of this side
_LEVELS = 6  # heights at which a class says its radius and paint
_STEPS = 256  # steps from the left to the right edge of a cross-section
_WHITE = 255.0

_EDGE = 1.2  # where an image ends; solids lie within -1 … 1
_X = np.linspace(-_EDGE, _EDGE, _SIZE // _PIXEL)


@attrs.frozen(eq=False)
class Box:
    """A flat upright box at `x`, `z` (z towards the front), from `top` down to the floor."""

    x: float
    z: float
    half_width: float
    top: float
    grey: float


@attrs.frozen(eq=False)
class Solid:
    """One object: `radius` and `paint` for each row of pixels, its cross-section, and the boxes behind it."""

    radius: np.ndarray
    paint: np.ndarray
    sides: int
    turn: float
    boxes: tuple[Box, ...]


def write_tree(root: Path) -> None:
    """Write some objects of every class with all their views, in the official format."""
    jobs = [(label, part, number) for label in range(len(CLASSES)) for part, number in _numbers()]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(lambda job: _write_object(root, *job), jobs))  # raises what a thread raised


def make_solid(label: int, number: int) -> Solid:
    """Object `number` of the class at `label`: the class's solid with its own size, turn and boxes."""
    random = np.random.default_rng([label, number])
    rows = np.linspace(0, _LEVELS - 1, len(_X)) + random.uniform(-0.2, 0.2)
    radius = np.interp(rows, np.arange(_LEVELS), _KINDS[label, 0]) * random.uniform(0.85, 1.0)
    radius[np.abs(_X) > random.uniform(0.9, 1.0)] = 0
    paint = np.interp(rows, np.arange(_LEVELS), _KINDS[label, 1])
    boxes = [
        Box(
            x=random.uniform(-1, 1),
            z=-1.2,
            half_width=random.uniform(0.08, 0.2),
            top=random.uniform(-0.7, 0.6),
            grey=random.uniform(120, 240),
        )
        for _ in range(4)
    ]
    return Solid(radius, paint, 3 + label % 4, random.uniform(-0.15, 0.15), tuple(boxes))


def draw(solid: Solid) -> Iterator[np.ndarray]:
    """All views of a solid, from the front and on around it: (224, 224) uint8 each."""
    across = _X / np.maximum(solid.radius, 1e-9)[:, None]  # -1 … 1 is inside the cross-section
    steps = np.clip((across + 1) * (_STEPS / 2), -1, _STEPS).astype(int)  # the last step is empty
    for angle in 2 * np.pi * np.arange(VIEWS) / VIEWS:
        image = np.full(steps.shape, _WHITE)
        _draw_boxes(image, solid, angle, in_front=False)
        shade, is_front = _cross_section(solid.sides, solid.turn, angle)
        grey = shade[steps] * np.where(is_front[steps], solid.paint[:, None], 1.0)
        np.copyto(image, grey, where=grey > 0)
        _draw_boxes(image, solid, angle, in_front=True)
        yield image.astype(np.uint8).repeat(_PIXEL, axis=0).repeat(_PIXEL, axis=1)


def _class_kinds() -> np.ndarray:
    """Radii and paints of each class at each level, far from those of others. (40, 2, levels)"""
    random = np.random.default_rng(40)
    kinds = random.uniform(0.3, 1.0, (1, 2, _LEVELS))
    while len(kinds) < len(CLASSES):
        candidates = random.uniform(0.3, 1.0, (30, 2, _LEVELS))
        distances = np.square(candidates[:, None] - kinds).sum(axis=(2, 3)).min(axis=1)
        kinds = np.concatenate([kinds, candidates[distances.argmax()][None]])
    return kinds


_KINDS = _class_kinds()


def _numbers() -> Iterator[tuple[str, int]]:
    """The parts with the numbers of their objects, which run on from training to test."""
    number = 0
    for part, count in OBJECTS.items():
        for _ in range(count):
            number += 1
            yield part, number


def _write_object(root: Path, label: int, part: str, number: int) -> None:
    name = CLASSES[label]
    folder = root / name / part
    folder.mkdir(parents=True, exist_ok=True)
    for view, image in enumerate(draw(make_solid(label, number)), start=1):
        file = folder / f"{name}_{number:04}.obj.shaded_v{view:03}.png"
        Image.fromarray(image).save(file, compress_level=1)


def _cross_section(sides: int, turn: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A regular polygon from the side: its grey, 0 outside, and whether what is seen is the painted half.

    Both (steps + 1,); each side of the polygon has one grey, by how it faces the lamp.
    """
    corners = turn + 2 * np.pi * np.arange(sides + 1) / sides
    normals = corners[:-1] + np.pi / sides
    ends = np.sort(np.sin(np.stack([corners[:-1], corners[1:]]) - angle), axis=0)
    across = np.linspace(-1, 1, _STEPS)
    grey, is_front = np.zeros(_STEPS + 1), np.zeros(_STEPS + 1, dtype=bool)
    for side in np.flatnonzero(np.cos(normals - angle) > 1e-9):
        seen = np.flatnonzero((across >= ends[0, side]) & (across <= ends[1, side]))
        grey[seen] = 130 + 100 * np.cos(normals[side] - angle + 0.5)
        is_front[seen] = np.cos(normals[side]) > 0
    return grey, is_front


def _draw_boxes(image: np.ndarray, solid: Solid, angle: float, *, in_front: bool) -> None:
    """The boxes nearer to the camera than the solid, or those behind it."""
    for box in solid.boxes:
        nearness = box.x * np.sin(angle) + box.z * np.cos(angle)
        if (nearness > 0) == in_front:
            centre = box.x * np.cos(angle) - box.z * np.sin(angle)
            left, right = np.searchsorted(_X, (centre - box.half_width, centre + box.half_width))
            image[np.searchsorted(_X, box.top) :, left:right] = box.grey
