"""What binary tasks over files of images share: how images are read, cropped, checked and hashed."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np

from mmspec.plugins.api import (
    DataError,
    DataInfo,
    Dataset,
    Mistake,
    ModalityInfo,
    Outline,
    Problem,
    Role,
    Source,
    at_least,
    between,
    hash_files,
    option,
)
from mmspec_modnet import files
from mmspec_modnet.choosing import Choice

if TYPE_CHECKING:
    from mmspec.plugins.api import Augmentation

CLASSES = ("negative", "positive")
#: Mean and standard deviation of ImageNet's training images, as torchvision's networks expect them.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@attrs.frozen
class Listing:
    """The images of each split, as names below `folder`, and what is wrong with them."""

    folder: Path
    splits: Mapping[str, Choice]
    problems: Sequence[Problem] = ()


def _area(_: object, __: object, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"must be above 0 and 1 at most, not {value!r}")


@attrs.frozen(kw_only=True)
class BinaryImages(Dataset):
    """Images of two classes, RGB, as the modality `image`; splits train and test.

    In training a piece of random area and aspect is resized, and mirrored or not; elsewhere it is the
    middle, and nothing is random but for `compat`.
    """

    groups: ClassVar[tuple[str, ...]] = ()

    root: Path
    resize: int = option(
        "images are resized so that their shorter side is this, and their middle square is read",
        default=256,
        validator=at_least(1),
    )
    size: int = option("width and height of what the network sees", default=224, validator=at_least(1))
    least_area: float = option(
        "the smallest share of the square that a training piece has; 1: the middle, as in evaluation",
        default=0.08,
        validator=_area,
    )
    flip: float = option(
        "probability that a training image is mirrored", default=0.5, validator=between(0, 1)
    )
    compat: Literal["modnet"] | None = option(
        "modnet: as in the published code, images that are measured are cropped and mirrored as in training, "
        "here with the draw of epoch 0, so that it is the same piece in every measurement",
        default=None,
    )

    @abstractmethod
    def listing(self) -> Listing:
        """Which images there are in each split; from names alone."""

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """A crop cannot be larger than what it is cut out of."""
        del outline
        if self.size > self.resize:
            yield Mistake(f"images of {self.size} pixels out of squares of {self.resize}", option="size")

    def describe(self) -> DataInfo:
        """One modality, two classes; validation is for `[split]` to take out of train."""
        info = ModalityInfo((3, self.size, self.size), mean=_MEAN, std=_STD)
        return DataInfo({"image": info}, CLASSES, {"train": "train", "test": "test"}, groups=self.groups)

    def check(self) -> Sequence[Problem]:
        """Whether there are images of both classes, and those that are used are whole."""
        listing = self.listing()
        if listing.problems:
            return listing.problems
        return files.damages(listing.folder, _all(listing))

    def fingerprint(self) -> str:
        """A hash over the content of the images that are used, their classes and splits, and `resize`."""
        listing = self._whole_listing()
        try:
            content = hash_files(listing.folder, _all(listing))
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
        digest = hashlib.sha256(f"{content} {self.resize}\n".encode())
        for split, choice in sorted(listing.splits.items()):
            for label, names in enumerate((choice.negative, choice.positive)):
                digest.update("".join(f"{split}\0{label}\0{name}\n" for name in names).encode())
        return digest.hexdigest()

    def open(self, modalities: Sequence[str]) -> Mapping[str, Source]:
        """The images of each split, negative ones first.

        Raises:
            DataError: folders or images are missing.
        """
        del modalities
        listing = self._whole_listing()
        return {split: self._source(listing.folder, choice) for split, choice in listing.splits.items()}

    def augmentations(self, modality: str, role: Role) -> Sequence[Augmentation]:
        """A resized crop and a mirror in training, and for `compat` everywhere; else the middle."""
        from mmspec.plugins.api import CenterCrop, HorizontalFlip, RandomResizedCrop

        shape, changed = (self.size, self.size), role == "train" or self.compat is not None
        steps: list[Augmentation] = []
        if changed and self.least_area < 1:
            steps.append(RandomResizedCrop(stream=modality, shape=shape, scale=(self.least_area, 1.0)))
        else:
            steps.append(CenterCrop(shape=shape))
        if changed and self.flip:
            steps.append(HorizontalFlip(stream=modality, p=self.flip))
        return steps

    def smoke(self) -> BinaryImages:
        """Images of 28 pixels."""
        return attrs.evolve(self, resize=min(self.resize, 32), size=min(self.size, 28))

    def _whole_listing(self) -> Listing:
        listing = self.listing()
        if listing.problems:
            raise DataError(list(listing.problems))
        return listing

    def _source(self, folder: Path, choice: Choice) -> Source:
        from mmspec_modnet.images import ImageFiles

        names = [*choice.negative, *choice.positive]
        targets = np.repeat(np.arange(2), (len(choice.negative), len(choice.positive)))
        groups = {group: np.array([n.rpartition("/")[0] for n in names]) for group in self.groups}
        return ImageFiles(folder, names, self.resize, targets, groups)


def _all(listing: Listing) -> list[str]:
    return [name for choice in listing.splits.values() for name in (*choice.negative, *choice.positive)]
