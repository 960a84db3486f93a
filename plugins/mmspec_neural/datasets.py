"""Images of objects and what neurons of the visual cortex responded to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

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
    hash_files,
    option,
)
from mmspec_neural import cadieu_files
from mmspec_neural.cadieu_files import CATEGORIES, NeuralData
from mmspec_neural.cadieu_objects import objects_by_map, objects_by_order

#: Mean and standard deviation of ImageNet's training images, as torchvision's networks expect them.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Published numbers of sites by area and units.
_SITES = {("it", "multi"): 168, ("v4", "multi"): 128}


def _known_or_given(plugin: Cadieu2014, _: object, sites: int | None) -> None:
    if sites is None and (plugin.area, plugin.units) not in _SITES:
        raise ValueError(
            f"must be given for units = {plugin.units!r}: how many the file has is not published"
        )
    if sites is not None and sites < 1:
        raise ValueError(f"must be 1 or above, not {sites}")


def _one_of_ten(_: object, __: object, split: int | None) -> None:
    if split is not None and not 1 <= split <= cadieu_files.SPLITS:
        raise ValueError(f"must be one of the published splits, 1 to {cadieu_files.SPLITS}, not {split}")


@attrs.frozen(kw_only=True)
class Cadieu2014(Dataset):
    """Images of 49 objects in 7 categories, and the responses of IT or V4 to them (Cadieu et al. 2014).

    Modality `image` is resized without keeping its aspect, as published code does, and never changed at
    random; `neural` is the responses of the sites. Images come sorted by category, else in the file's order.
    """

    root: Path = option("the folder that holds the .mat files and the folder images")
    area: Literal["it", "v4"] = option("the area that was recorded", default="it")
    units: Literal["multi", "single"] = option("multi-units or single units", default="multi")
    sites: int | None = option(
        "how many sites the file has; none: the published 168 of IT and 128 of V4 multi-units",
        default=None,
        validator=_known_or_given,
    )
    objects: Path | None = option(
        "a CSV file with the columns image,object; none: objects by order, which is an assumption of "
        "published code, since the data do not say which object an image shows",
        default=None,
    )
    images_per_object: int = option(
        "consecutive images of a category that are of one object, where objects are by order",
        default=40,
        validator=at_least(1),
    )
    published_split: int | None = option(
        "which of the ten published splits, 1 to 10, makes train and test; none: all images are train",
        default=None,
        validator=_one_of_ten,
    )
    size: int = option("width and height that images are resized to", default=224, validator=at_least(1))

    def describe(self) -> DataInfo:
        """Modalities image and neural; test only where a published split is named."""
        sites = self._sites()
        splits: dict[str, Role] = {"train": "train"}
        if self.published_split is not None:
            splits["test"] = "test"
        modalities = {
            "image": ModalityInfo((3, self.size, self.size), mean=_MEAN, std=_STD),
            "neural": ModalityInfo((sites,), dtype="float64", scale=1.0),
        }
        return DataInfo(modalities, CATEGORIES, splits, groups=("object", "category"))

    def check(self) -> Sequence[Problem]:
        """Whether the .mat file is what it should be, and the images are there and whole at both ends."""
        try:
            data, _ = self._data()
        except DataError as error:
            return error.problems
        return cadieu_files.check_images(self.root, data.images)

    def fingerprint(self) -> str:
        """A hash over the .mat file, the images, their objects, and the options that make samples of them."""
        data, objects = self._data()
        try:
            content = hash_files(self.root, [self._file(), *data.images])
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
        parts = [
            content,
            hashlib.sha256("\n".join(objects).encode()).hexdigest(),
            self.published_split,
            self.size,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def open(self, modalities: Sequence[str]) -> Mapping[str, Source]:
        """All images as train, or train and test of the published split.

        Raises:
            DataError: the file or images are missing, damaged or do not fit each other.
        """
        data, objects = self._data()
        if "image" in modalities and (problems := cadieu_files.check_images(self.root, data.images)):
            raise DataError(problems)
        order = np.argsort(data.categories, kind="stable")
        if self.published_split is None:
            return {"train": self._source(data, objects, order)}
        trained = data.splits[order, self.published_split - 1]
        parts = {"train": order[trained], "test": order[~trained]}
        return {split: self._source(data, objects, rows) for split, rows in parts.items()}

    def smoke(self) -> Cadieu2014:
        """Images of 64 pixels."""
        return attrs.evolve(self, size=min(self.size, 64))

    def write_sample(self, root: Path) -> Cadieu2014:
        """735 images of 49 handwritten digits in 7 categories, and responses with both planted in them."""
        from mmspec_neural.cadieu_sample import IMAGES, write_data, write_map

        write_data(root, self._file(), self._sites())
        objects = None
        if self.objects is not None:
            objects = root / "objects.csv"
            write_map(objects)
        return attrs.evolve(self, root=root, objects=objects, images_per_object=IMAGES)

    def _file(self) -> str:
        return cadieu_files.file_name(self.area, self.units)

    def _sites(self) -> int:
        return self.sites or _SITES[self.area, self.units]

    def _data(self) -> tuple[NeuralData, np.ndarray]:
        """What the .mat file holds, and the object of each of its rows.

        Raises:
            DataError: it is missing, damaged, or not what the options say.
        """
        if problems := cadieu_files.check(self.root, self._file()):
            raise DataError(problems)
        path = self.root / self._file()
        data = cadieu_files.read_neural_data(path)
        if (found := data.features.shape[1]) != self._sites():
            raise DataError(f"{path} has {found} sites, not {self._sites()}", hint=f"set sites = {found}")
        if self.published_split is not None:
            trained = data.splits[:, self.published_split - 1]
            if trained.all() or not trained.any():
                side = "test" if trained.all() else "training"
                what = f"{path}: published split {self.published_split} has no {side} images"
                raise DataError(what, hint=cadieu_files.UNPACK_AGAIN)
        if self.objects is None:
            return data, objects_by_order(data.categories, self.images_per_object)
        return data, objects_by_map(self.objects, data.images, data.categories)

    def _source(self, data: NeuralData, objects: np.ndarray, rows: np.ndarray) -> Source:
        from mmspec_neural.cadieu_source import ImagesAndResponses

        images = [data.images[row] for row in rows]
        return ImagesAndResponses(
            root=self.root,
            files=images,
            size=self.size,
            responses=data.features[rows],
            targets=np.searchsorted(CATEGORIES, data.categories[rows]),
            ids=np.array(images, dtype=np.str_),
            groups={"object": objects[rows], "category": data.categories[rows]},
        )
