"""Images in files, decoded by Pillow as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from PIL import Image

from mmspec.plugins.api import DataError, Source
from mmspec_modnet.files import DAMAGE_HINT


@attrs.define(eq=False)
class ImageFiles(Source):
    """Images of one split, as names below `root`; `side` is the side of the square that is read of each."""

    root: Path
    files: Sequence[str]
    side: int
    targets: np.ndarray
    groups: Mapping[str, np.ndarray]
    ids: np.ndarray = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ids = np.array(self.files, dtype=np.str_)

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The middle squares of the resized images. (n, 3, side, side) uint8

        Raises:
            DataError: a file cannot be decoded.
        """
        del modality
        out = np.empty((len(indices), 3, self.side, self.side), dtype=np.uint8)
        for row, index in zip(out, indices, strict=True):
            image = middle_square(decode(self.root / self.files[index]), self.side)
            row[:] = np.asarray(image).transpose(2, 0, 1)
        return out


def decode(path: Path) -> Image.Image:
    """An image as RGB.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as file:
            return _rgb(file)
    except Exception as error:  # noqa: BLE001 - Pillow raises many kinds for damaged files
        raise DataError(f"{path} cannot be decoded: {error}", hint=DAMAGE_HINT) from None


def middle_square(image: Image.Image, side: int) -> Image.Image:
    """The image resized so that its shorter side is `side`, and the middle of it, as torchvision has both."""
    width, height = image.size
    shorter = min(width, height)
    if shorter != side:
        width, height = int(side * width / shorter), int(side * height / shorter)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    if width == height:
        return image
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def _rgb(image: Image.Image) -> Image.Image:
    """Grey, palettes and CMYK as RGB; transparency is dropped."""
    if image.mode in {"P", "PA"}:  # by way of RGBA, since palettes may hold transparent colours
        image = image.convert("RGBA")
    if image.mode.startswith(("I", "F")):  # deeper grey would be clipped
        raise ValueError(f"its pixels are {image.mode}, of more than 8 bits")
    return image.convert("RGB")
