"""Batches of one split on the device: read, moved, augmented, normalised.

The order of samples is a pure function of (seed, epoch), augmentation of (seed, epoch, sample); so neither
the number of reading processes nor a resumed epoch changes a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mmspec.plugins.api import ModalityInfo, Source
from mmspec.plugins.working import Augmentation, Batch


def epoch_order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The order in which an epoch visits `samples` samples. (samples,) int64."""
    return np.random.default_rng([seed, epoch]).permutation(samples)


@attrs.frozen(eq=False)
class Placement:
    """Where tensors live: `device`, floating `dtype`, and whether images are laid out channels last."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


class Normalize:
    """Raw values x of one modality → (x * scale - mean) / std per channel, in the placement's dtype."""

    def __init__(self, info: ModalityInfo, place: Placement) -> None:
        shape = (1, -1, *[1] * (len(info.shape) - 1))
        std = torch.tensor(info.std, dtype=torch.float64)
        mean = torch.tensor(info.mean, dtype=torch.float64)
        self._factor = (info.scale / std).view(shape).to(place.device, place.dtype)
        self._offset = (-mean / std).view(shape).to(place.device, place.dtype)
        self._place = place

    def __call__(self, raw: Tensor) -> Tensor:
        """(N, C, *space) on the device, normalised."""
        layout = torch.channels_last if self._place.channels_last and raw.ndim == 4 else torch.preserve_format
        return raw.to(dtype=self._place.dtype, memory_format=layout).mul_(self._factor).add_(self._offset)


@attrs.define(eq=False)
class _Reader:
    """What a reading process holds: positions in, raw arrays out."""

    source: Source
    modalities: tuple[str, ...]

    def __getitem__(self, indices: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return indices, {m: self.source.read(m, indices) for m in self.modalities}

    def __len__(self) -> int:
        return len(self.source)


class Loader:
    """All batches of one split, epoch by epoch.

    `augmentations` {modality: transforms} are those of the split's role; batches in order draw as in epoch 0.
    """

    def __init__(
        self,
        source: Source,
        modalities: Mapping[str, ModalityInfo],
        place: Placement,
        *,
        batch_size: int,
        seed: int = 0,
        augmentations: Mapping[str, Sequence[Augmentation]] | None = None,
        workers: int = 0,
    ) -> None:
        self.source = source
        self.batch_size = batch_size
        self._seed = seed
        self._place = place
        self._normalize = {m: Normalize(info, place) for m, info in modalities.items()}
        self._augment = dict(augmentations or {})
        self._targets = torch.from_numpy(np.asarray(source.targets, dtype=np.int64))
        self._reader = _Reader(source, tuple(modalities))
        self._chunks: list[np.ndarray] = []
        self._workers = self._start_workers(workers) if workers else None

    def __len__(self) -> int:
        """Batches in an epoch; the last may be short."""
        return math.ceil(len(self.source) / self.batch_size)

    def ordered(self) -> Iterator[Batch]:
        """The whole split in its own order."""
        for indices, raw in self._read(np.arange(len(self.source)), 0):
            yield self._batch(indices, raw, epoch=0)

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch`, from batch `start` on, shuffled and augmented."""
        for indices, raw in self._read(epoch_order(self._seed, epoch, len(self.source)), start):
            yield self._batch(indices, raw, epoch)

    def _read(self, order: np.ndarray, start: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        size = self.batch_size
        self._chunks[:] = [order[i : i + size] for i in range(start * size, len(order), size)]
        yield from self._workers if self._workers else map(self._reader.__getitem__, self._chunks)

    def _start_workers(self, workers: int) -> DataLoader[tuple[np.ndarray, dict[str, np.ndarray]]]:
        return DataLoader(
            self._reader,  # type: ignore[arg-type]
            batch_size=None,
            sampler=self._chunks,
            collate_fn=_as_read,  # type: ignore[arg-type]  # called on samples where there is no batch
            num_workers=workers,
            persistent_workers=True,
            generator=torch.Generator(),  # its own, so that iterating draws nothing from the run's
        )

    def _batch(self, indices: np.ndarray, raw: Mapping[str, np.ndarray], epoch: int) -> Batch:
        inputs = {}
        for m, array in raw.items():
            x = self._move(torch.from_numpy(array))
            for augment in self._augment.get(m, ()):
                x = augment(x, self._seed, epoch, indices)
            inputs[m] = self._normalize[m](x)
        positions = torch.from_numpy(indices)
        return Batch(inputs, self._move(self._targets[positions]), self._move(positions))

    def _move(self, x: Tensor) -> Tensor:
        if self._place.device.type == "cuda":
            return x.pin_memory().to(self._place.device, non_blocking=True)
        return x


def _as_read(sample: tuple[np.ndarray, dict[str, np.ndarray]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return sample
