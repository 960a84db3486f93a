"""Shaded views of objects, decoded by Pillow as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from PIL import Image

from mmspec.plugins.api import DataError, Source
from mmspec_greedy.modelnet40_files import UNPACK_AGAIN


@attrs.define(eq=False)
class ShadedViews(Source):
    """Objects of one split: for each modality the file (below `root`) of every object's view."""

    root: Path
    files: Mapping[str, Sequence[str]]
    size: int
    targets: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.groups = {"object": self.ids}

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The views of this modality. (n, 3, size, size) uint8

        Raises:
            DataError: a file cannot be decoded.
        """
        files = self.files[modality]
        out = np.empty((len(indices), 3, self.size, self.size), dtype=np.uint8)
        for row, index in zip(out, indices, strict=True):
            _read_image(self.root / files[index], row)
        return out


def _read_image(path: Path, out: np.ndarray) -> None:
    """Decode an image into `out` (3, size, size), resized if it has another size."""
    try:
        with Image.open(path, formats=("PNG",)) as file:
            image = _convert(file)
    except Exception as error:  # noqa: BLE001 - Pillow raises many kinds for damaged files
        raise DataError(f"{path} cannot be decoded: {error}", hint=UNPACK_AGAIN) from None
    if image.size != out.shape[1:]:
        image = image.resize(out.shape[1:], Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    out[:] = pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _convert(image: Image.Image) -> Image.Image:
    """Grey as L, and all else as RGB; transparency is dropped."""
    if image.mode in {"1", "L", "LA"}:
        return image.convert("L")
    if image.mode in {"P", "PA"}:  # by way of RGBA, since palettes may hold transparent colours
        image = image.convert("RGBA")
    if image.mode not in {"RGB", "RGBA"}:  # deeper grey would be clipped
        raise ValueError(f"its pixels are {image.mode}, of more than 8 bits")
    return image.convert("RGB")
