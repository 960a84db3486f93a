"""The official MNIST files: checked by header and size, memory-mapped, written for samples.

An IDX file is a magic number (two zero bytes, 8 for uint8, the number of axes), the length of each axis as
a big-endian 32-bit integer, and the values.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmspec.plugins.api import DataError, Problem, hash_files

_UINT8 = 8
PARTS = ("train", "t10k")


def image_file(root: Path, part: str) -> Path:
    """Where the images of "train" or "t10k" lie, below torchvision's root."""
    return root / "MNIST" / "raw" / f"{part}-images-idx3-ubyte"


def label_file(root: Path, part: str) -> Path:
    """Where the labels of "train" or "t10k" lie, below torchvision's root."""
    return root / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte"


def check(root: Path) -> list[Problem]:
    """What is missing or damaged; reads no more than the headers."""
    files = [
        (place(root, part), axes) for part in PARTS for place, axes in ((image_file, 3), (label_file, 1))
    ]
    missing = [path for path, _ in files if not path.is_file()]
    if missing:
        return [_missing(root, missing)]
    problems = [problem for path, axes in files for problem in _damage(path, axes)]
    if not problems:
        problems = [problem for part in PARTS for problem in _disagreement(root, part)]
    again = f"delete it, and fetch it again with {_fetch(root)}"
    return [Problem(what, hint=again) for what in problems]


def samples(root: Path, part: str) -> int:
    """How many images a part holds, from the header."""
    return _shape(image_file(root, part))[0]


def read_pair(root: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8, memory-mapped, and labels (N,) int64 of one part, which `check` finds whole.

    Raises:
        DataError: a label is no digit.
    """
    shape = tuple(_shape(image_file(root, part)))
    images = np.asarray(np.memmap(image_file(root, part), np.uint8, "r", offset=_header(3), shape=shape))
    labels = np.fromfile(label_file(root, part), np.uint8, offset=_header(1)).astype(np.int64)
    if labels.max(initial=0) > 9:
        hint = f"delete it, and fetch it again with {_fetch(root)}"
        raise DataError(f"{label_file(root, part)} holds label {labels.max()}, beyond 9", hint=hint)
    return images, labels


def fingerprint(root: Path) -> str:
    """A hash over the contents of the four files."""
    files = [place(root, part) for part in PARTS for place in (image_file, label_file)]
    return hash_files(root, [path.relative_to(root).as_posix() for path in files])


def write_pair(root: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images (N, 28, 28) and labels (N,) as the two IDX files of one part."""
    image_file(root, part).parent.mkdir(parents=True, exist_ok=True)
    for path, array in ((image_file(root, part), images), (label_file(root, part), labels)):
        header = struct.pack(f">HBB{array.ndim}I", 0, _UINT8, array.ndim, *array.shape)
        path.write_bytes(header + array.astype(np.uint8).tobytes())


def _fetch(root: Path) -> str:
    return f'python -c "import torchvision; torchvision.datasets.MNIST({str(root)!r}, download=True)"'


def _missing(root: Path, files: Sequence[Path]) -> Problem:
    packed = [path.with_name(path.name + ".gz") for path in files]
    if all(path.is_file() for path in packed):
        hint = f"unpack what is there: gunzip {' '.join(map(str, packed))}"
    else:
        hint = (
            f"{_fetch(root)} fetches MNIST and lays it out like this; files from elsewhere"
            f" (train-images-idx3-ubyte.gz, …) go to {files[0].parent}, unpacked"
        )
    return Problem(f"MNIST is missing, or a part of it: {', '.join(map(str, files))}", hint=hint)


def _damage(path: Path, axes: int) -> Iterator[str]:
    """What is wrong with a file by itself."""
    try:
        shape, size = _shape(path), path.stat().st_size
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
        return
    expected = _header(axes) + math.prod(shape)
    if len(shape) != axes:
        yield f"{path} is no IDX file of bytes with {axes} {'axis' if axes == 1 else 'axes'}"
    elif size != expected:
        yield f"{path} has {size} bytes, but by its header {expected}"
    elif not shape[0]:
        yield f"{path} holds no samples"


def _disagreement(root: Path, part: str) -> Iterator[str]:
    """What is wrong with images and labels of one part together."""
    images, labels = image_file(root, part), label_file(root, part)
    count, *size = _shape(images)
    if size != [28, 28]:
        yield f"{images} holds images of {size[0]}x{size[1]} pixels, not 28x28"
    if _shape(labels) != (count,):
        yield f"{labels} holds {_shape(labels)[0]} labels for the {count} images of {images.name}"


def _header(axes: int) -> int:
    """Bytes before the values."""
    return 4 + 4 * axes


def _shape(path: Path) -> Sequence[int]:
    """The lengths of the axes; () where the file does not begin like an IDX file of bytes."""
    with path.open("rb") as file:
        header = file.read(16)
    if len(header) < 4 or header[:3] != bytes([0, 0, _UINT8]) or len(header) < _header(header[3]):
        return ()
    return struct.unpack_from(f">{header[3]}I", header, 4)
