"""How the samples of a split lie in a file, and in which chunks they are read and written.

Images (C, H, W) lie channels last: so they are mirrored, normalised and convolved more than twice as fast on
a CPU, and a GPU does not mind. Other samples lie as they are.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import attrs
import numpy as np

from mmspec.plugins.api import Source

#: A chunk is what a process reads and writes at a time: so many samples or bytes, whichever is less.
_CHUNK_SAMPLES, _CHUNK_BYTES = 256, 16 * 2**20


def as_stored(rows: np.ndarray) -> np.ndarray:
    """Samples (N, C, *space) as they lie in a file: contiguous."""
    return np.ascontiguousarray(rows.transpose(0, 2, 3, 1) if rows.ndim == 4 else rows)


def as_read(stored: np.ndarray) -> np.ndarray:
    """Samples (N, C, *space) as the modality has them: a view."""
    return stored.transpose(0, 3, 1, 2) if stored.ndim == 4 else stored


@attrs.frozen
class Layout:
    """The array of one split: (samples, *shape) of `dtype`, `shape` as it is stored."""

    samples: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def header(self) -> bytes:
        """What stands before the array in an `.npy` file."""
        out = io.BytesIO()
        said = {"descr": self.dtype, "fortran_order": False, "shape": (self.samples, *self.shape)}
        np.lib.format.write_array_header_1_0(out, said)
        return out.getvalue()

    @property
    def row(self) -> int:
        """Bytes of a sample."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.header) + self.samples * self.row

    @property
    def starts(self) -> range:
        """The first sample of each chunk."""
        return range(0, self.samples, max(1, min(_CHUNK_SAMPLES, _CHUNK_BYTES // max(1, self.row))))

    def chunk(self, start: int) -> np.ndarray:
        """The samples of the chunk that begins with `start`."""
        return np.arange(start, min(start + self.starts.step, self.samples))

    def piece(self, start: int) -> tuple[int, int]:
        """Where this chunk lies in the file: first byte, and the one after the last."""
        first = len(self.header) + start * self.row
        return first, first + len(self.chunk(start)) * self.row


def layouts_of(sources: Mapping[str, Source], modality: str) -> dict[str, Layout]:
    """The arrays that a modality makes, as the first sample of each split tells."""
    layouts = {}
    for split, source in sources.items():
        first = as_stored(source.read(modality, np.arange(min(1, len(source)))))
        layouts[split] = Layout(len(source), first.shape[1:], first.dtype.str)
    return layouts
