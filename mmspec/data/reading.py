"""Raw batches of a source, read by this process or by others, in the order asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mmspec.errors import MmspecError, Problem, RunError
from mmspec.plugins.api import Source

#: Positions (N,) and {modality: (N, *raw)}.
RawBatch = tuple[np.ndarray, Mapping[str, Tensor]]


@attrs.define(eq=False)
class _Reader:
    """What a reading process holds: positions in, a raw batch or the error out.

    Tensors go to the process that trains through shared memory, arrays would be pickled.
    """

    source: Source
    modalities: tuple[str, ...]

    def __getitem__(self, indices: np.ndarray) -> RawBatch | MmspecError:
        try:
            return self.read(indices)
        except MmspecError as error:
            return error

    def __len__(self) -> int:
        return len(self.source)

    def read(self, indices: np.ndarray) -> RawBatch:
        return indices, {m: torch.from_numpy(self.source.read(m, indices)) for m in self.modalities}


class Reading:
    """Reads batches of `source`, by `workers` processes if there are any; `pin`: into page-locked memory."""

    def __init__(self, source: Source, modalities: Sequence[str], *, workers: int, pin: bool) -> None:
        self._reader = _Reader(source, tuple(modalities))
        self._pin = pin
        self._order: list[np.ndarray] = []  # what the processes are to read next
        self._processes = self._start(workers) if workers else None

    def batches(self, order: Sequence[np.ndarray]) -> Iterator[RawBatch]:
        """A batch for each array of positions, in this order.

        Raises:
            DataError: a sample cannot be read.
            RunError: a reading process died.
        """
        if self._processes is None:
            for indices in order:
                _, raw = self._reader.read(indices)
                yield indices, {m: x.pin_memory() if self._pin else x for m, x in raw.items()}
            return
        self._order[:] = order
        for batch in _said_if_dead(iter(self._processes)):
            if isinstance(batch, MmspecError):
                raise batch
            yield batch

    def _start(self, workers: int) -> DataLoader[RawBatch | MmspecError]:
        return DataLoader(
            self._reader,  # type: ignore[arg-type]
            batch_size=None,
            sampler=self._order,
            collate_fn=_as_read,  # type: ignore[arg-type]  # called on samples where there is no batch
            num_workers=workers,
            persistent_workers=True,
            pin_memory=self._pin,
            generator=torch.Generator(),  # its own, so that iterating draws nothing from the run's
        )


def _as_read(batch: RawBatch | MmspecError) -> RawBatch | MmspecError:
    return batch


def _said_if_dead(batches: Iterator[RawBatch | MmspecError]) -> Iterator[RawBatch | MmspecError]:
    try:
        yield from batches
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        hint = (
            "was there too little memory, or too little in /dev/shm? "
            "Try fewer train.workers; 0 reads in the run's own process"
        )
        raise RunError(Problem(f"a process that reads samples died: {error}", hint=hint)) from error
