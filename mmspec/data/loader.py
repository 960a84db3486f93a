"""Batches of one split on the device: read, moved, augmented, normalised.

What a sampler chooses is a pure function of (seed, epoch), augmentation of (seed, epoch, sample); so neither
the number of reading processes nor a resumed epoch changes a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np
import torch
from torch import Tensor

from mmspec.data.joined import JoinedTable
from mmspec.data.reading import Reading
from mmspec.data.samplers import Shuffle
from mmspec.data.transforms import Transforms
from mmspec.plugins.api import ModalityInfo, Sampler, Source
from mmspec.plugins.working import Augmentation, Batch


@attrs.frozen(eq=False)
class Placement:
    """Where tensors live: `device`, floating `dtype`, and whether images are laid out channels last."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


class Normalize:
    """Raw values x of one modality → (x * scale - mean) / std per channel, in the placement's dtype."""

    def __init__(self, info: ModalityInfo, place: Placement) -> None:
        channels, *space = info.shape
        self._place = place
        self._layout = torch.contiguous_format
        shape: tuple[int, ...] = (channels, *[1] * len(space))
        if place.channels_last and len(space) == 2:
            self._layout = torch.channels_last
            shape = (
                1,
                space[-1] * channels,
            )  # a row of pixels: broadcasting over it is far quicker than over three
        std = torch.tensor(info.std, dtype=torch.float64).expand(channels)
        mean = torch.tensor(info.mean, dtype=torch.float64).expand(channels)
        factor, offset = info.scale / std, -mean / std
        if self._layout == torch.channels_last:
            factor, offset = factor.repeat(space[-1]), offset.repeat(space[-1])
        self._factor = factor.view(shape).to(place.device, place.dtype)
        self._offset = offset.view(shape).to(place.device, place.dtype) if any(info.mean) else None

    def __call__(self, raw: Tensor) -> Tensor:
        """(N, C, *space) on the device, normalised."""
        x = raw.to(self._place.dtype, memory_format=self._layout)
        if x is raw:  # which may be what the source keeps
            x = x.clone()
        values = x
        if self._layout == torch.channels_last:
            n, channels, height, width = x.shape
            values = x.permute(0, 2, 3, 1).view(n, height, width * channels)
        values.mul_(self._factor)
        if self._offset is not None:
            values.add_(self._offset)
        return x


class Loader:
    """All batches of one split, epoch by epoch.

    `augmentations` {modality: transforms} are those of `shuffled` batches, `in_order` those of batches in
    order, which draw as in epoch 0. `sampler` chooses what `shuffled` gives; by default everything in a new
    order each epoch. `groups`, `group_names` and `tables` are what batches hold beside their samples.
    """

    def __init__(
        self,
        source: Source,
        modalities: Mapping[str, ModalityInfo],
        place: Placement,
        *,
        batch_size: int,
        seed: int = 0,
        augmentations: Transforms | None = None,
        in_order: Transforms | None = None,
        sampler: Sampler | None = None,
        workers: int = 0,
        groups: Mapping[str, Tensor] | None = None,
        group_names: Mapping[str, tuple[str, ...]] | None = None,
        tables: Mapping[str, JoinedTable] | None = None,
    ) -> None:
        self.source = source
        self._sampler = sampler or Shuffle()
        self.batch_size = batch_size
        self._seed = seed
        self._place = place
        self._normalize = {m: Normalize(info, place) for m, info in modalities.items()}
        self._augment = dict(augmentations or {})
        self._in_order = dict(in_order or {})
        self._groups, self._group_names = dict(groups or {}), dict(group_names or {})
        self._tables = dict(tables or {})
        self._targets = torch.from_numpy(np.asarray(source.targets, dtype=np.int64))
        self._reading = Reading(source, tuple(modalities), workers=workers, pin=place.device.type == "cuda")

    def __len__(self) -> int:
        """Batches in an epoch of training."""
        return self._length

    def ordered(self) -> Iterator[Batch]:
        """The whole split in its own order."""
        size = self.batch_size
        order = np.arange(len(self.source))
        for indices, raw in self._reading.batches([order[i : i + size] for i in range(0, len(order), size)]):
            yield self._batch(indices, raw, self._in_order, epoch=0)

    def shuffled(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The sampler's batches of `epoch`, from batch `start` on, augmented."""
        for indices, raw in self._reading.batches(self._sampled(epoch)[start:]):
            yield self._batch(indices, raw, self._augment, epoch)

    @cached_property
    def _length(self) -> int:
        return len(self._sampled(1))

    def _sampled(self, epoch: int) -> Sequence[np.ndarray]:
        return self._sampler.batches(self.source, batch_size=self.batch_size, seed=self._seed, epoch=epoch)

    def _batch(
        self, indices: np.ndarray, raw: Mapping[str, Tensor], transforms: Transforms, epoch: int
    ) -> Batch:
        inputs = {m: self._ready(m, x, transforms.get(m, ()), indices, epoch) for m, x in raw.items()}
        positions = torch.from_numpy(indices)
        return Batch(
            inputs,
            self._move(self._targets[positions]),
            self._move(positions),
            {name: self._move(codes[positions]) for name, codes in self._groups.items()},
            self._group_names,
            {n: self._move(table.rows(indices).to(self._place.dtype)) for n, table in self._tables.items()},
        )

    def _ready(
        self, modality: str, raw: Tensor, steps: Sequence[Augmentation], indices: np.ndarray, epoch: int
    ) -> Tensor:
        x = raw.to(self._place.device, non_blocking=True)
        for augment in steps:
            x = augment(x, self._seed, epoch, indices)
        return self._normalize[modality](x)

    def _move(self, x: Tensor) -> Tensor:
        if self._place.device.type == "cuda":
            return x.pin_memory().to(self._place.device, non_blocking=True)
        return x
