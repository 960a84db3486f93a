"""Stand-ins: scikit-learn's digits as files of images, under the names of some synsets of ImageNet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

#: The digit's synset, from 0 on: cats, a wolf, a dog and an elephant; artifacts.
SYNSETS = (
    "n02123045", "n02129165", "n02114367", "n02088364", "n02504458",
    "n04285008", "n04398044", "n02992529", "n03445777", "n04074963",
)  # fmt: skip
#: Pairs of parent and child: animal over feline, canine and elephant; canine over wolf and dog; artifact.
PAIRS = (
    ("n00015388", "n02120997"), ("n00015388", "n02083346"), ("n00015388", SYNSETS[4]),
    ("n02120997", SYNSETS[0]), ("n02120997", SYNSETS[1]),
    ("n02083346", SYNSETS[2]), ("n02083346", "n02084071"), ("n02084071", SYNSETS[3]),
    *(("n00021939", synset) for synset in SYNSETS[5:]),
)  # fmt: skip
#: Positive and negative: animals and artifacts.
TASK: tuple[tuple[str, ...], tuple[str, ...]] = ("n00015388",), ("n00021939",)
HIERARCHY_FILE = "is_a.txt"

_EACH = 60  # images of each digit
_SIDE = 32


def known_names() -> set[str]:
    """All names of the hierarchy."""
    return {name for pair in PAIRS for name in pair}


def write_tree(root: Path) -> None:
    """Write `train/<synset>/<image>.JPEG` and the hierarchy."""
    for digit, number, image in _digits():
        folder = root / "train" / SYNSETS[digit]
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{SYNSETS[digit]}_{number}.JPEG", quality=95)
    (root / HIERARCHY_FILE).write_text("".join(f"{a} {b}\n" for a, b in PAIRS), encoding="utf-8")


def write_task(root: Path, name: str) -> Path:
    """Write `<task>/{train,val}/{0,1}/<image>.png`; the task's folder.

    Positive are the digits below 5 at depth 1, below 3 at depth 2, and 0 alone deeper. Every fifth is in val.
    """
    found = re.match(r"Task_(\d+)_.", name)
    depth = int(found[1]) if found else 1
    positive = range(max(1, 7 - 2 * max(1, depth)))
    folder = root / (name if found else "Task_1_Digits")
    for digit, number, image in _balanced(positive):
        part = folder / ("train" if number % 5 else "val") / ("1" if digit in positive else "0")
        part.mkdir(parents=True, exist_ok=True)
        image.save(part / f"{digit}_{number:04}.png")
    return folder


def _balanced(positive: Collection[int]) -> Iterator[tuple[int, int, Image.Image]]:
    """Of the other digits no more than of the positive ones."""
    others = _EACH * len(positive) // (10 - len(positive))
    for digit, number, image in _digits():
        if digit in positive or number < others:
            yield digit, number, image


def _digits() -> Iterator[tuple[int, int, Image.Image]]:
    """Some images of each digit: the digit, a number among its like, and the image, 32 x 32 in RGB."""
    from sklearn.datasets import load_digits

    data = load_digits()
    seen: Counter[int] = Counter()
    for pixels, target in zip(data.images, data.target, strict=True):
        digit = int(target)
        if seen[digit] < _EACH:
            grey = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
            yield digit, seen[digit], grey.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).convert("RGB")
            seen[digit] += 1
