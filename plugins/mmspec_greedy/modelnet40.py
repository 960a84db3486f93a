"""ModelNet40 as shaded views of its objects, in the setting of Wu et al. 2022: a view is a modality."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    hash_files,
    option,
)
from mmspec_greedy import modelnet40_files
from mmspec_greedy.modelnet40_files import CLASSES, PARTS, VIEWS, ShadedObject

if TYPE_CHECKING:
    from mmspec.plugins.api import Augmentation

#: Mean and standard deviation of ImageNet's training images, as torchvision's networks expect them.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _positions(_: object, __: object, views: Mapping[str, int]) -> None:
    if not views:
        raise ValueError("must name a view or more")
    wrong = [f"{name} = {view}" for name, view in views.items() if not 0 <= view < VIEWS]
    if wrong:
        raise ValueError(f"must count views from 0 to {VIEWS - 1}, not {', '.join(wrong)}")


@attrs.frozen(kw_only=True)
class ModelNet40(Dataset):
    """Objects of 40 classes (Wu et al. 2015) as shaded views (Su et al. 2015); chosen views are modalities.

    Official train and test. As in the code of Wu et al. 2022, a share of train, picked by Python's own
    shuffling, becomes val; with `validation = 0` there is no val but what `[split]` takes out of train.
    """

    root: Path = option("the folder that holds the 40 folders of classes")
    views: dict[str, int] = option(
        "the views that are modalities: a name, and which of the 12 views, from 0; a view may have two names",
        factory=lambda: {"front": 0, "rear": 6},
        validator=_positions,
    )
    size: int = option("width and height of images; others are resized", default=224, validator=at_least(1))
    validation: float = option(
        "share of the official training objects that becomes val; 0: none", default=0.2, validator=below(0, 1)
    )
    validation_seed: int = option("which objects become val", default=10, validator=at_least(0))
    flip: float = option(
        "probability that a training image is mirrored, drawn for each view by itself",
        default=0.5,
        validator=between(0, 1),
    )
    compat: Literal["wu2022"] | None = option(
        "wu2022: the slip of the released code by which validation images are mirrored too, here each with "
        "the draw of epoch 0, so that it is the same image in every evaluation",
        default=None,
    )

    def describe(self) -> DataInfo:
        """One modality for each of the views, RGB; val only where `validation` asks for it."""
        info = ModalityInfo((3, self.size, self.size), mean=_MEAN, std=_STD)
        splits: dict[str, Role] = {"train": "train", "val": "validation", "test": "test"}
        if not self.validation:
            del splits["val"]
        return DataInfo(dict.fromkeys(self.views, info), CLASSES, splits, groups=("object",))

    def check(self) -> Sequence[Problem]:
        """Whether all classes, objects and views are there, and the images used are whole at both ends."""
        return modelnet40_files.check(self.root, set(self.views.values()))

    def fingerprint(self) -> str:
        """A hash over the images used and the options that make samples and splits of them."""
        objects = self._objects()
        files = {o.views[v] for part in PARTS for o in objects[part] for v in self.views.values()}
        try:
            content = hash_files(self.root, files)
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
        options = [sorted(self.views.items()), self.size, self.validation, self.validation_seed]
        return hashlib.sha256(json.dumps([content, *options]).encode()).hexdigest()

    def open(self, modalities: Sequence[str]) -> Mapping[str, Source]:
        """The objects of each split, sorted by class and id.

        Raises:
            DataError: classes, objects or views are missing.
        """
        objects = self._objects()
        train = objects["train"]
        held_out = validation_positions(len(train), self.validation, self.validation_seed)
        parts = {
            "train": [each for i, each in enumerate(train) if i not in held_out],
            "val": [each for i, each in enumerate(train) if i in held_out],
            "test": objects["test"],
        }
        return {split: self._source(parts[split], modalities) for split in self.describe().splits}

    def augmentations(self, modality: str, role: Role) -> Sequence[Augmentation]:
        """In training each view is mirrored or not by itself; in validation only for `compat`."""
        roles = {"train", "validation"} if self.compat else {"train"}
        if not self.flip or role not in roles:
            return ()
        from mmspec.plugins.api import HorizontalFlip

        return (HorizontalFlip(stream=modality, p=self.flip),)

    def smoke(self) -> ModelNet40:
        """Images of 64 pixels."""
        return attrs.evolve(self, size=min(self.size, 64))

    def write_sample(self, root: Path) -> ModelNet40:
        """Five turned solids for each class, four of them for training, easier to tell from the front."""
        from mmspec_greedy.modelnet40_sample import write_tree

        write_tree(root)
        return attrs.evolve(self, root=root)

    def _objects(self) -> Mapping[str, Sequence[ShadedObject]]:
        """The objects of each official part.

        Raises:
            DataError: classes, objects or views are missing.
        """
        objects, problems = modelnet40_files.list_objects(self.root)
        if problems:
            raise DataError(problems)
        return objects

    def _source(self, objects: Sequence[ShadedObject], modalities: Sequence[str]) -> Source:
        from mmspec_greedy.modelnet40_views import ShadedViews

        return ShadedViews(
            root=self.root,
            files={m: tuple(o.views[self.views[m]] for o in objects) for m in modalities},
            size=self.size,
            targets=np.array([o.label for o in objects], dtype=np.int64),
            ids=np.array([o.id for o in objects], dtype=np.str_),
        )


def validation_positions(count: int, share: float, seed: int) -> frozenset[int]:
    """Which of `count` sorted training objects become val: the first ones after Python's shuffling."""
    order = list(range(count))
    random.Random(seed).shuffle(order)  # noqa: S311 - to match published runs
    return frozenset(order[: math.floor(share * count)])
