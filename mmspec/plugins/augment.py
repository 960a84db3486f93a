"""Augmentation of whole batches on the device, keyed by (seed, epoch, sample).

What happens to a sample depends on these three and on the name of the stream it draws from, never on who
read it or in which batch. Modalities that name the same stream are transformed together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from zlib import crc32

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from mmspec.errors import DataError

_GOLDEN = 0x9E3779B97F4A7C15


_STEPS = [
    (np.uint64(shift), np.uint64(factor))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
]


def _mix(x: np.ndarray) -> None:
    """The finaliser of SplitMix64 (Steele et al. 2014), in place: 64 bits in, 64 well-mixed bits out."""
    for shift, factor in _STEPS:
        x ^= x >> shift
        x *= factor


def keyed_uniform(seed: int, epoch: int, samples: np.ndarray, stream: str) -> np.ndarray:
    """One number in [0, 1) for each sample: a pure function of the arguments. (N,) float64."""
    x = np.array(samples, dtype=np.uint64)
    for word in (seed, epoch, crc32(stream.encode())):
        x += np.uint64((word * _GOLDEN + _GOLDEN) % 2**64)
        _mix(x)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


@attrs.frozen(kw_only=True)
class Augmentation(ABC):
    """A transform of raw batches (N, C, *space). `stream`: same name, same draws."""

    stream: str

    @property
    def is_random(self) -> bool:
        """Whether samples are changed at random: refused in evaluation, unless a spec asks for it."""
        return True

    @abstractmethod
    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """The transformed batch, of the same dtype; `samples` (N,) are positions in the split."""


@attrs.frozen(kw_only=True)
class HorizontalFlip(Augmentation):
    """Mirror the last axis of each sample with probability `p`."""

    p: float = 0.5

    @property
    def is_random(self) -> bool:
        """Not where nothing or everything is mirrored."""
        return 0 < self.p < 1

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """Each sample as it is, or mirrored."""
        flip = keyed_uniform(seed, epoch, samples, f"{self.stream}/flip") < self.p
        if batch.device.type == "cpu":
            mirrored = batch.clone()
            for i in np.flatnonzero(flip):
                mirrored[i] = batch[i].flip(-1)
            return mirrored
        choice = torch.from_numpy(flip).to(batch.device, non_blocking=True)
        return torch.where(choice.view(-1, *[1] * (batch.ndim - 1)), batch.flip(-1), batch)


@attrs.frozen(kw_only=True)
class RandomShift(Augmentation):
    """Move each image by up to `pixels` along its last two axes; what comes in has value `fill`."""

    pixels: int
    fill: int = 0

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """Each sample, moved by its own draw."""
        n, (height, width) = self.pixels, batch.shape[-2:]
        padded = pad(batch, (n, n, n, n), value=self.fill)
        rows = self._starts("y", seed, epoch, samples, batch.device) + torch.arange(
            height, device=batch.device
        )
        columns = self._starts("x", seed, epoch, samples, batch.device) + torch.arange(
            width, device=batch.device
        )
        lead = padded.movedim(0, -3)  # (…, N, H, W): one gather for all samples
        samples_axis = torch.arange(len(batch), device=batch.device)[:, None, None]
        return lead[..., samples_axis, rows[:, :, None], columns[:, None, :]].movedim(-3, 0)

    def _starts(self, axis: str, seed: int, epoch: int, samples: np.ndarray, device: torch.device) -> Tensor:
        uniform = keyed_uniform(seed, epoch, samples, f"{self.stream}/{axis}")
        starts = torch.from_numpy((uniform * (2 * self.pixels + 1)).astype(np.int64))
        return starts.to(device, non_blocking=True)[:, None]


@attrs.frozen(kw_only=True)
class RandomCrop(Augmentation):
    """Cut a piece of size `shape`, (T, H, W) or (H, W), out of the last axes of each sample, anywhere in it.

    Along an axis that has this size already nothing is drawn.
    """

    shape: tuple[int, ...]

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """Each sample cut by its own draw: one copy of the pieces, none where there is nothing to cut."""
        room = _room(batch, self.shape)
        if not any(room):
            return batch
        starts = [self._starts(axis, n, seed, epoch, samples) for axis, n in enumerate(room, -len(room))]
        cut = batch.new_empty((*batch.shape[: -len(room)], *self.shape))
        for piece, sample, *start in zip(cut, batch, *starts, strict=True):
            piece.copy_(_cut(sample, start, self.shape))
        return cut

    def _starts(self, axis: int, room: int, seed: int, epoch: int, samples: np.ndarray) -> list[int]:
        uniform = keyed_uniform(seed, epoch, samples, f"{self.stream}/crop{axis}")
        return [int(start) for start in uniform * (room + 1)]


@attrs.frozen(kw_only=True)
class CenterCrop(Augmentation):
    """Cut a piece of size `shape`, (T, H, W) or (H, W), out of the middle of the last axes; draws nothing."""

    shape: tuple[int, ...]
    stream: str = "none"

    @property
    def is_random(self) -> bool:
        """Never."""
        return False

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """A view of the batch."""
        del seed, epoch, samples
        return _cut(batch, [n // 2 for n in _room(batch, self.shape)], self.shape)


@attrs.frozen(kw_only=True)
class RandomResizedCrop(Augmentation):
    """Cut a piece of random place, area and aspect out of each sample, and resize it to `shape`, (H, W).

    Area and aspect are drawn as torchvision does (Szegedy et al. 2015): the area, a share in `scale` of the
    sample's, uniform; the aspect, width over height in `ratio`, uniform in its logarithm; drawn anew while
    the piece does not fit, ten times at most. Then it is the largest piece in the middle of nearest aspect.
    """

    shape: tuple[int, int]
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """Each sample cut by its own draw and resized, bilinear with antialiasing. (N, C, …, *shape)"""
        out = batch.new_empty((*batch.shape[:-2], *self.shape))
        boxes = self.boxes(batch.shape[-2:], seed, epoch, samples).tolist()
        for resized, sample, (top, left, height, width) in zip(out, batch, boxes, strict=True):
            piece = _cut(sample, [top, left], (height, width))
            resized.copy_(_resized(piece, self.shape))
        return out

    def boxes(self, size: Sequence[int], seed: int, epoch: int, samples: np.ndarray) -> np.ndarray:
        """Top, left, height and width of each sample's piece of an image of `size` (H, W). (N, 4) int64"""

        def uniform(what: str) -> np.ndarray:
            return keyed_uniform(seed, epoch, samples, f"{self.stream}/{what}")

        limits = np.array(size)
        shapes = np.tile(self._largest(*size), (len(samples), 1))
        centred = np.ones(len(samples), dtype=bool)
        for attempt in range(_ATTEMPTS):
            drawn = self._shapes(size, uniform(f"area{attempt}"), uniform(f"aspect{attempt}"))
            fits = centred & ((drawn >= 1) & (drawn <= limits)).all(axis=1)
            shapes[fits], centred[fits] = drawn[fits], False
        room = limits - shapes
        draws = np.stack([uniform("top"), uniform("left")], axis=1)
        starts = np.where(centred[:, None], room // 2, (draws * (room + 1)).astype(np.int64))
        return np.concatenate([starts, shapes], axis=1)

    def _shapes(self, size: Sequence[int], area: np.ndarray, aspect: np.ndarray) -> np.ndarray:
        """Height and width of what was drawn, whether it fits or not. (N, 2)"""
        low, high = self.scale
        areas = size[0] * size[1] * (low + area * (high - low))
        low, high = np.log(self.ratio)
        aspects = np.exp(low + aspect * (high - low))
        shapes = np.stack([np.sqrt(areas / aspects), np.sqrt(areas * aspects)], axis=1)
        rounded: np.ndarray = np.rint(shapes).astype(np.int64)
        return rounded

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the largest piece whose aspect is allowed."""
        low, high = self.ratio
        if width < low * height:
            return max(1, round(width / low)), width
        return height, min(width, max(1, round(high * height)))


#: How often a piece is drawn before the middle is taken.
_ATTEMPTS = 10


def _room(batch: Tensor, shape: tuple[int, ...]) -> list[int]:
    """By how much the last axes are longer than `shape`."""
    room = [has - wanted for has, wanted in zip(batch.shape[-len(shape) :], shape, strict=True)]
    if min(room) < 0:
        raise DataError(f"samples of shape {tuple(batch.shape[1:])} are smaller than the crop, {shape}")
    return room


def _cut(x: Tensor, starts: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    for axis, (start, length) in enumerate(zip(starts, shape, strict=True), -len(shape)):
        x = x.narrow(axis, start, length)
    return x


def _resized(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An image (…, H, W) of any type of number, resized to (…, *shape)."""
    if tuple(image.shape[-2:]) == shape:
        return image
    planes = image.reshape(1, -1, *image.shape[-2:])
    values = planes if planes.is_floating_point() else planes.float()
    resized = interpolate(values, size=shape, mode="bilinear", antialias=True, align_corners=False)
    if not planes.is_floating_point():  # a weighted mean of bytes is within their range
        resized = resized.round()
    return resized.to(image.dtype).reshape(*image.shape[:-2], *shape)
