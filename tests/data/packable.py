"""A dataset to be packed: content by rule, shapes that differ by split, samples that are slow or damaged.

As a script it packs: `python packable.py CACHE JOBS [SECONDS A SAMPLE]`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import attrs
import numpy as np

from mmspec.errors import DataError
from mmspec.plugins.api import DataInfo, Dataset, ModalityInfo, Source

SPLITS = {"train": (50, (3, 6, 8)), "val": (7, (3, 5, 5)), "test": (21, (3, 6, 8))}


class RuleSource(Source):
    """Sample i is filled by a rule, and noted in `log` when it is read."""

    def __init__(self, data, split, samples, shape, offset):
        self.data, self.split, self.shape = data, split, shape
        self.ids = np.array([f"{split}-{i}" for i in range(samples)])
        self.targets = np.arange(samples) % 3
        self.groups = {"pair": np.arange(samples) // 2}
        self.offset = offset

    def read(self, modality, indices):
        rows = np.empty((len(indices), *self.shape), np.uint8)
        for row, i in zip(rows, indices, strict=True):
            if self.ids[i] in self.data.damaged:
                raise DataError(f"{self.ids[i]} is damaged")
            if self.ids[i] in self.data.gone:
                raise FileNotFoundError(2, "No such file or directory", f"{self.ids[i]}.png")
            time.sleep(self.data.seconds)
            random = np.random.default_rng([len(modality), self.offset, int(i)])
            row[:] = random.integers(0, 256, self.shape)
        if self.data.log:
            with self.data.log.open("a") as file:
                file.writelines(f"{modality} {self.ids[i]}\n" for i in indices)
        if self.data.odd in self.ids[indices]:
            return rows[:, :, 1:]
        return rows


@attrs.frozen(kw_only=True)
class Packable(Dataset):
    """Two modalities, three splits."""

    seconds: float = 0.0
    damaged: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    odd: str = ""
    log: Path | None = None
    splits: dict = SPLITS

    def describe(self):
        infos = {m: ModalityInfo((3, 4, 4)) for m in ("a", "bb")}
        roles = {"train": "train", "val": "validation", "test": "test"}
        return DataInfo(infos, tuple("xyz"), {split: roles[split] for split in self.splits})

    def open(self, modalities):
        return {
            split: RuleSource(self, split, n, shape, number)
            for number, (split, (n, shape)) in enumerate(self.splits.items())
        }

    def fingerprint(self):
        return "packable"


def small_chunks():
    """Many chunks of few samples."""
    from mmspec.data import pack_layout

    pack_layout._CHUNK_SAMPLES = 4


if __name__ == "__main__":
    from mmspec.data.packing import pack

    small_chunks()
    pack(Packable(seconds=float(sys.argv[3])), ("a", "bb"), Path(sys.argv[1]), jobs=int(sys.argv[2]))
