"""Tones of four pitches, heard by a near and by a far microphone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs
import numpy as np

from mmspec.plugins.api import ArraySource, DataInfo, Dataset, ModalityInfo, Role, at_least, option

SIZE = 16
#: Waves in a picture, for each class.
PITCHES = {"low": 1, "middle": 2, "high": 4, "shrill": 7}


@attrs.frozen(kw_only=True)
class TwoTones(Dataset):
    """Stripes whose spacing is the pitch of a tone: clear in modality near, buried in noise in far."""

    splits: ClassVar[Mapping[str, Role]] = {"train": "train", "val": "validation", "test": "test"}

    samples: int = option("samples in each split", default=256, validator=at_least(4))
    noise: float = option("standard deviation of the noise in far; in near it is 10", default=80.0,
                          validator=at_least(0))  # fmt: skip
    seed: int = option("which tones", default=0, validator=at_least(0))

    def describe(self) -> DataInfo:
        """Two pictures (1, 16, 16) of four classes."""
        heard = ModalityInfo((1, SIZE, SIZE), mean=(0.5,), std=(0.25,))
        return DataInfo({"near": heard, "far": heard}, tuple(PITCHES), self.splits)

    def open(self, modalities: Sequence[str]) -> Mapping[str, ArraySource]:
        """The splits, drawn anew; all are as large as train."""
        return {split: self._draw(number, modalities) for number, split in enumerate(self.splits)}

    def fingerprint(self) -> str:
        """A hash over all pictures and their classes."""
        digest = hashlib.sha256()
        for split, source in self.open(("near", "far")).items():
            for part in (source.arrays["near"], source.arrays["far"], source.targets):
                digest.update(split.encode() + part.tobytes())
        return digest.hexdigest()

    def _draw(self, number: int, modalities: Sequence[str]) -> ArraySource:
        random = np.random.default_rng([self.seed, number])
        targets = random.integers(0, len(PITCHES), self.samples)
        waves = np.array(list(PITCHES.values()))[targets, None]
        phase = random.uniform(0, 1, (self.samples, 1))
        tone = np.sin(2 * np.pi * (waves * np.arange(SIZE) / SIZE + phase))  # (N, SIZE)
        pictures = np.broadcast_to(128 + 60 * tone[:, None, :, None], (self.samples, 1, SIZE, SIZE))
        heard = {}
        for modality, noise in (("near", 10.0), ("far", self.noise)):
            noisy = pictures + random.normal(0, noise, pictures.shape)
            heard[modality] = noisy.clip(0, 255).astype(np.uint8)
        ids = number * self.samples + np.arange(self.samples)
        return ArraySource({m: heard[m] for m in modalities}, targets, ids)
