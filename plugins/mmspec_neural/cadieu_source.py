"""Images and the responses to them: a split of the data of Cadieu et al. 2014, opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from PIL import Image

from mmspec.plugins.api import DataError, Source
from mmspec_neural.cadieu_files import UNPACK_AGAIN


@attrs.define(eq=False)
class ImagesAndResponses(Source):
    """Images by their names below `root`, decoded as they are asked for, and responses (N, sites)."""

    root: Path
    files: Sequence[str]
    size: int
    responses: np.ndarray
    targets: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray]

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """Images (n, 3, size, size) uint8, or the responses to them (n, sites) float64.

        Raises:
            DataError: a file cannot be decoded.
        """
        if modality == "neural":
            rows: np.ndarray = self.responses[indices]
            return rows
        out = np.empty((len(indices), 3, self.size, self.size), dtype=np.uint8)
        for row, index in zip(out, indices, strict=True):
            row[:] = read_image(self.root / self.files[index], self.size).transpose(2, 0, 1)
        return out


def read_image(path: Path, size: int) -> np.ndarray:
    """An image as RGB of `size` in both directions, whatever its aspect was. (size, size, 3) uint8

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with Image.open(path, formats=("PNG",)) as file:
            image = _rgb(file)
    except Exception as error:  # noqa: BLE001 - Pillow raises many kinds for damaged files
        raise DataError(f"{path} cannot be decoded: {error}", hint=UNPACK_AGAIN) from None
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def _rgb(image: Image.Image) -> Image.Image:
    """All kinds as RGB; transparency is dropped."""
    if image.mode in {"P", "PA"}:  # by way of RGBA, since palettes may hold transparent colours
        image = image.convert("RGBA")
    if image.mode.startswith(("I", "F")):  # deeper grey would be clipped
        raise ValueError(f"its pixels are {image.mode}, of more than 8 bits")
    return image.convert("RGB")
