"""Small folders of images for the tests of ModNet's tasks."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Parent and child; there are two ways to dog.
PAIRS = "animal canine\nanimal cat\ncanine wolf\ncanine dog\nanimal dog\ntool saw\n"


def write_images(folder, count, *, size=(9, 7), ending="JPEG", first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        pixels = np.random.default_rng([number, len(folder.name)]).integers(
            0, 256, (*size, 3), dtype=np.uint8
        )
        Image.fromarray(pixels).save(folder / f"{folder.name}_{number}.{ending}")


def write_imagenet(root, **counts):
    """`train/<folder>/<image>.JPEG` and a hierarchy."""
    for name, count in {"wolf": 10, "dog": 20, "cat": 30, "saw": 40, **counts}.items():
        write_images(root / "train" / name, count)
    (root / "is_a.txt").write_text(PAIRS)
    return root


def bytes_below(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
