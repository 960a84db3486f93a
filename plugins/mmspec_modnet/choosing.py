"""Which images a task takes of its folders, and which of them are held out.

Whether an image is held out depends on its folder, the share and the seed, not on the task. So tasks that
share folders agree on it: what one of them is tested on, no other one has trained on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import attrs

Folders = Mapping[str, Sequence[str]]


@attrs.frozen
class Choice:
    """The images of each class in one split."""

    negative: Sequence[str]
    positive: Sequence[str]


def choose(
    negative: Folders, positive: Folders, *, held_out: float, per_class: int | None, seed: int
) -> dict[str, Choice]:
    """Equally many images of both classes, as train and test; of the larger class some are left over.

    `per_class` counts both splits; where a class has too few, there are as many as it has.
    """
    sides = [_sides(folders, held_out, seed) for folders in (negative, positive)]
    wanted = counts(per_class, held_out)
    chosen = {}
    for split in ("train", "test"):
        available = [side[split] for side in sides]
        count = int(min(wanted[split], *(len(files) for files in available)))
        chosen[split] = Choice(*(sorted(_drawn(files, seed, "task")[:count]) for files in available))
    return chosen


def counts(per_class: int | None, held_out: float) -> dict[str, float]:
    """How many images of a class each split is to have at most."""
    if per_class is None:
        return {"train": math.inf, "test": math.inf}
    test = _rounded(held_out * per_class)
    return {"train": per_class - test, "test": test}


def _sides(folders: Folders, held_out: float, seed: int) -> dict[str, list[str]]:
    """The images of some folders, of each the same share in test."""
    sides: dict[str, list[str]] = {"train": [], "test": []}
    for name, files in folders.items():
        drawn = _drawn([f"{name}/{file}" for file in files], seed, "held out")
        count = _rounded(held_out * len(drawn))
        sides["test"] += drawn[:count]
        sides["train"] += drawn[count:]
    return sides


def _drawn(files: Sequence[str], seed: int, what: str) -> list[str]:
    """The files in a random order, in which the place of one among others does not depend on those."""

    def key(file: str) -> bytes:
        return hashlib.blake2b(f"{seed}\0{what}\0{file}".encode(), digest_size=16).digest()

    return sorted(files, key=key)


def _rounded(x: float) -> int:
    """The nearest whole number, halves upwards."""
    return math.floor(x + 0.5)
