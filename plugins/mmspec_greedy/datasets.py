"""The coloured-and-grey digits of Wu et al. 2022: scikit-learn's digits, and MNIST.

Two modalities: the grey digit, and the same digit in a colour that gives its class away in training and is
random in validation and test. A model that leans on colour is greedy, and the shifted test split shows it.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from mmspec.plugins.api import (
    DataError,
    DataInfo,
    Dataset,
    ModalityInfo,
    Problem,
    Role,
    Source,
    at_least,
    below,
    between,
    option,
)
from mmspec_greedy import idx
from mmspec_greedy.colors import SIZE, enlarge, split_colors, tint

if TYPE_CHECKING:
    from mmspec.plugins.api import Augmentation

_CLASSES = tuple(map(str, range(10)))


@attrs.frozen
class Digits:
    """Grey digits of one split: `images` (N, 28, 28) uint8, `targets` (N,) and `ids` (N,)."""

    images: np.ndarray
    targets: np.ndarray
    ids: np.ndarray


@attrs.define(eq=False)
class TintedSource(Source):
    """Digits that are tinted when they are read: three channels of every digit would fill the memory.

    `images` (N, 28, 28) uint8, `colors` (N, 3) in [0, 1], `targets` (N,) and `ids` (N,).
    """

    images: np.ndarray
    colors: np.ndarray
    targets: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray] = attrs.field(factory=dict)

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """Grey digits (n, 1, 28, 28), or digits in their colours (n, 3, 28, 28), uint8."""
        images: np.ndarray = self.images[indices]
        return images[:, None] if modality == "grey" else tint(images, self.colors[indices])


@attrs.frozen(kw_only=True)
class ColoredDataset(Dataset):
    """What coloured digits share: modalities `grey` and `color`, and how a sample gets its colour."""

    modalities: ClassVar[Mapping[str, ModalityInfo]] = {
        "grey": ModalityInfo((1, SIZE, SIZE), mean=(0.5,), std=(0.5,)),
        "color": ModalityInfo((3, SIZE, SIZE), mean=(0.5,) * 3, std=(0.5,) * 3),
    }

    seed: int = option("which colours, and where the data set has none of its own, which splits", default=0,
                       validator=at_least(0))  # fmt: skip
    color_variance: float = option(
        "variance of a sample's colour around the mean colour", default=0.02, validator=at_least(0)
    )
    shift: int = option(
        "training images are moved by up to this many pixels, both modalities alike",
        default=0,
        validator=between(0, SIZE - 1),
    )

    @abstractmethod
    def digits(self) -> Mapping[str, Digits]:
        """The grey digits by split, without `test_iid`."""

    @abstractmethod
    def content(self) -> str:
        """A hash over the grey digits, their targets, and the splits they are in."""

    def describe(self) -> DataInfo:
        """Modalities grey and color, ten classes; test has shifted colours, test_iid those of training."""
        roles: dict[str, Role] = {
            "train": "train", "val": "validation", "test": "test", "test_iid": "test",
        }  # fmt: skip
        return DataInfo(self.modalities, _CLASSES, roles)

    def open(self, modalities: Sequence[str]) -> Mapping[str, TintedSource]:
        """All splits; `test` and `test_iid` hold the same digits under the same ids, in other colours."""
        del modalities  # both are made of the same images
        digits = dict(self.digits())
        digits["test_iid"] = digits["test"]
        return {
            split: TintedSource(part.images, self._colors(part.targets, split), part.targets, part.ids)
            for split, part in digits.items()
        }

    def fingerprint(self) -> str:
        """A hash over the grey digits and the colours that a thousand of them would get in each split."""
        digest = hashlib.sha256(self.content().encode())
        targets = np.arange(1000) % len(_CLASSES)
        ramp = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(1, SIZE, SIZE)
        for split in self.describe().splits:
            colors = self._colors(targets, split)
            digest.update(split.encode() + colors.tobytes() + tint(ramp, colors[:1]).tobytes())
        return digest.hexdigest()

    def augmentations(self, modality: str, role: Role) -> Sequence[Augmentation]:
        """In training a random shift, the same for both modalities; black comes in at the edge."""
        del modality
        if not self.shift or role != "train":
            return ()
        from mmspec.plugins.api import RandomShift

        return (RandomShift(stream="shift", pixels=self.shift, fill=0),)

    def _colors(self, targets: np.ndarray, split: str) -> np.ndarray:
        return split_colors(
            targets, split, classes=len(_CLASSES), seed=self.seed, variance=self.color_variance
        )


@attrs.frozen(kw_only=True)
class ColoredDigits(ColoredDataset):
    """Grey and coloured digits out of scikit-learn's 1797 handwritten ones (8x8, enlarged); needs no files.

    One split of 1097 train, 200 val and 500 test samples, fixed by `seed`. Training colours follow the
    class, those of val and test are random; test_iid is test in the colours of its classes.
    """

    def digits(self) -> Mapping[str, Digits]:
        """scikit-learn's digits, shuffled by `seed` and cut in three."""
        images, targets = load_digits()
        order = np.random.default_rng(self.seed).permutation(len(targets))
        parts = zip(("train", "val", "test"), np.split(order, [1097, 1297]), strict=True)
        return {split: Digits(images[rows], targets[rows], rows) for split, rows in parts}

    def content(self) -> str:
        """A hash over the arrays of all splits."""
        digest = hashlib.sha256()
        for split, part in self.digits().items():
            digest.update(split.encode())
            for array in (part.images, part.targets, part.ids):
                digest.update(f"{array.dtype}/{array.shape}\n".encode() + array.tobytes())
        return digest.hexdigest()


@attrs.frozen(kw_only=True)
class ColoredMnist(ColoredDataset):
    """Grey and coloured digits out of the official MNIST files, in the places torchvision gives them.

    Official training and test sets. The last sixth of the training samples becomes val, in random
    colours; with `validation = 0` there is no val but what `[split]` takes out of train, in training colours.
    """

    root: Path = option("the folder that holds MNIST/raw with the four unpacked IDX files")
    validation: float = option(
        "share of the training samples, the last ones, that become val (10000 of 60000); 0: none",
        default=1 / 6,
        validator=below(0, 1),
    )

    def describe(self) -> DataInfo:
        """As for all coloured digits; without `val` where `validation` is 0."""
        info = super().describe()
        if self.validation:
            return info
        return attrs.evolve(info, splits={s: r for s, r in info.splits.items() if r != "validation"})

    def check(self) -> Sequence[Problem]:
        """Whether the four files are there and whole, from their headers and sizes."""
        return idx.check(self.root)

    def digits(self) -> Mapping[str, Digits]:
        """The IDX files, their images memory-mapped.

        Raises:
            DataError: a file is missing or damaged.
        """
        self._require()
        images, targets = idx.read_pair(self.root, "train")
        cut = self._cut()
        ids = np.arange(len(targets))
        splits = {"train": Digits(images[:cut], targets[:cut], ids[:cut])}
        if self.validation:
            splits["val"] = Digits(images[cut:], targets[cut:], ids[cut:])
        test_images, test_targets = idx.read_pair(self.root, "t10k")
        splits["test"] = Digits(test_images, test_targets, len(ids) + np.arange(len(test_targets)))
        return splits

    def content(self) -> str:
        """A hash over the four files, and where val begins.

        Raises:
            DataError: a file is missing or damaged.
        """
        self._require()
        return f"{idx.fingerprint(self.root)}, val from {self._cut()}"

    def _require(self) -> None:
        if problems := self.check():
            raise DataError(problems)

    def _cut(self) -> int:
        """The first of the training samples that is in val."""
        count = idx.samples(self.root, "train")
        return count - round(self.validation * count)

    def write_sample(self, root: Path) -> ColoredMnist:
        """720 training and 240 test digits of scikit-learn, enlarged, as IDX files under `root`."""
        images, targets = load_digits()
        idx.write_pair(root, "train", images[:720], targets[:720])
        idx.write_pair(root, "t10k", images[720:960], targets[720:960])
        return attrs.evolve(self, root=root)


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits, enlarged: images (1797, 28, 28) uint8, targets (1797,)."""
    from sklearn.datasets import load_digits as read

    bunch = read()
    return np.rint(enlarge(bunch.images) * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64)
