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
from torch.nn.functional import pad

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

    @abstractmethod
    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """The transformed batch, of the same dtype; `samples` (N,) are positions in the split."""


@attrs.frozen(kw_only=True)
class HorizontalFlip(Augmentation):
    """Mirror the last axis of each sample with probability `p`."""

    p: float = 0.5

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

    def __call__(self, batch: Tensor, seed: int, epoch: int, samples: np.ndarray) -> Tensor:
        """A view of the batch."""
        del seed, epoch, samples
        return _cut(batch, [n // 2 for n in _room(batch, self.shape)], self.shape)


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
