"""The official MNIST files: checked by header and size, read by torchvision, written for samples.

An IDX file is a magic number (two zero bytes, 8 for uint8, the number of axes), the length of each axis as
a big-endian 32-bit integer, and the values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmspec.plugins.api import DataError, Problem

_WHERE = (
    "torchvision fetches and unpacks the four files: torchvision.datasets.MNIST(ROOT, download=True); "
    "root is the folder above MNIST/raw"
)
_AGAIN = "delete it and fetch it again with torchvision.datasets.MNIST(ROOT, download=True)"
_UINT8 = 8


def image_file(raw: Path, part: str) -> Path:
    """Where the images of "train" or "t10k" lie."""
    return raw / f"{part}-images-idx3-ubyte"


def label_file(raw: Path, part: str) -> Path:
    """Where the labels of "train" or "t10k" lie."""
    return raw / f"{part}-labels-idx1-ubyte"


def check_pair(raw: Path, part: str) -> list[Problem]:
    """What is wrong with the images and labels of one part; reads no more than the headers."""
    images, labels = image_file(raw, part), label_file(raw, part)
    problems = [*_check(images, 3), *_check(labels, 1)]
    if not problems:
        count, rows, columns = _shape(images)
        if (rows, columns) != (28, 28):
            problems.append(
                Problem(f"{images} holds images of {rows}x{columns} pixels, not 28x28", hint=_AGAIN)
            )
        if _shape(labels) != (count,):
            what = f"{labels} holds {_shape(labels)[0]} labels for {count} images in {images.name}"
            problems.append(Problem(what, hint=_AGAIN))
    return problems


def samples(raw: Path, part: str) -> int:
    """How many images a part holds, from the header."""
    return _shape(image_file(raw, part))[0]


def read_pair(raw: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) int64 of one part.

    Raises:
        DataError: a label is no digit.
    """
    from mmspec.plugins.api import load_torchvision

    mnist = load_torchvision().datasets.mnist
    images = mnist.read_image_file(str(image_file(raw, part))).numpy()
    labels = mnist.read_label_file(str(label_file(raw, part))).numpy()
    if labels.max(initial=0) > 9:
        raise DataError(f"{label_file(raw, part)} holds label {labels.max()}, beyond 9", hint=_AGAIN)
    return images, labels


def write_pair(raw: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images (N, 28, 28) and labels (N,) as the two IDX files of one part."""
    raw.mkdir(parents=True, exist_ok=True)
    for path, array in ((image_file(raw, part), images), (label_file(raw, part), labels)):
        header = struct.pack(f">HBB{array.ndim}I", 0, _UINT8, array.ndim, *array.shape)
        path.write_bytes(header + array.astype(np.uint8).tobytes())


def _check(path: Path, axes: int) -> Iterator[Problem]:
    if not path.is_file():
        packed = path.with_name(path.name + ".gz")
        if packed.is_file():
            yield Problem(
                f"{path} is missing, only {packed.name} is there", hint=f"unpack it: gunzip {packed}"
            )
        else:
            yield Problem(f"{path} is missing", hint=_WHERE)
        return
    try:
        shape = _shape(path)
    except OSError as error:
        yield Problem(f"{path} cannot be read: {error}", hint=_AGAIN)
        return
    if len(shape) != axes:
        yield Problem(f"{path} is no IDX file of bytes with {axes} axes", hint=_AGAIN)
        return
    expected = 4 + 4 * axes + int(np.prod(shape, dtype=object))
    if path.stat().st_size != expected:
        yield Problem(f"{path} has {path.stat().st_size} bytes; its header says {expected}", hint=_AGAIN)
    elif not shape[0]:
        yield Problem(f"{path} holds no samples", hint=_AGAIN)


def _shape(path: Path) -> Sequence[int]:
    """The lengths of the axes; () where the file does not begin like an IDX file of bytes."""
    with path.open("rb") as file:
        header = file.read(16)
    if len(header) < 4 or header[:3] != bytes([0, 0, _UINT8]) or len(header) < 4 + 4 * header[3]:
        return ()
    return struct.unpack_from(f">{header[3]}I", header, 4)
