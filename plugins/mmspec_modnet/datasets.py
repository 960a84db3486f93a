"""Binary tasks over folders of images: by a hierarchy of classes, and as ModNet laid them out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import attrs

from mmspec.plugins.api import DataError, Mistake, Outline, Problem, at_least, option
from mmspec_modnet import files
from mmspec_modnet.binary_images import BinaryImages, Listing
from mmspec_modnet.choosing import Choice, choose, counts
from mmspec_modnet.hierarchy import read_hierarchy
from mmspec_modnet.naming import find_folders

_IMAGENET = (
    "ImageNet (ILSVRC 2012) is had from https://image-net.org after registration; its training images lie as "
    "<root>/train/<synset>/<image>.JPEG"
)
_FOLDERS = "a task lies as <root>/{train,val}/{0,1}/<image>, 1 being the positive class"


def _some_names(_: object, __: object, names: tuple[str, ...]) -> None:
    if not names or not all(names):
        raise ValueError("must name a synset or folder, or more")


def _share(_: object, __: object, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"must be above 0 and below 1, not {value!r}")


def _if_given(_: object, __: object, value: int | None) -> None:
    if value is not None and value < 2:
        raise ValueError(f"must be 2 or above, not {value!r}")


@attrs.frozen(kw_only=True)
class ClassHierarchy(BinaryImages):
    """A binary task over an image-folder ImageNet: some synsets or folders against others, balanced.

    A synset stands for all folders below it in the hierarchy. What is positive is left out of what is
    negative, so `negative = ["animal"]` beside `positive = ["canine"]` are the other animals. The larger
    class is sampled, and nothing is deleted. Which images are held out as test depends on their folder, the
    share and the seed alone: tasks over the same images agree on it.
    """

    groups: ClassVar[tuple[str, ...]] = ("folder",)

    root: Path = option("the folder that holds train")
    part: str = option("the folder below root whose images are used; '': root itself", default="train")
    positive: tuple[str, ...] = option("synsets or folders of the positive class", validator=_some_names)
    negative: tuple[str, ...] = option("synsets or folders of the negative class", validator=_some_names)
    hierarchy: Path | None = option(
        "a file of pairs, parent and child, as wordnet.is_a.txt of ImageNet; absent: folders alone",
        default=None,
    )
    per_class: int | None = option(
        "images of each class, held-out ones included; absent: as many as the smaller class has",
        default=None,
        validator=_if_given,
    )
    held_out: float = option(
        "share of each folder's images that is test, never trained on", default=0.3, validator=_share
    )
    seed: int = option("which images are taken and held out", default=0, validator=at_least(0))

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """No name is of both classes."""
        yield from super().mistakes(outline)
        if both := sorted({*self.positive} & {*self.negative}):
            yield Mistake(f"both positive and negative: {', '.join(both)}", option="negative")

    def listing(self) -> Listing:
        """The images taken, from names alone."""
        folder = self.root / self.part
        there = files.folders_in(folder)
        if not there:
            what = f"no folder of images in {folder}" if folder.is_dir() else f"there is no folder {folder}"
            return Listing(folder, {}, [Problem(what, hint=_IMAGENET)])
        try:
            children = read_hierarchy(self.hierarchy) if self.hierarchy else {}
        except DataError as error:
            return Listing(folder, {}, error.problems)
        positive, problems = find_folders(self.positive, children, there, folder)
        negative, others = find_folders(self.negative, children, there, folder)
        if problems or others:
            return Listing(folder, {}, [*problems, *others])
        splits = choose(
            {name: files.images_in(folder / name) for name in negative if name not in positive},
            {name: files.images_in(folder / name) for name in positive},
            held_out=self.held_out, per_class=self.per_class, seed=self.seed,
        )  # fmt: skip
        return Listing(folder, splits, self._shortages(folder, splits))

    def write_sample(self, root: Path) -> ClassHierarchy:
        """Digits as JPEG files under the names of synsets, five of them animals, with their hierarchy.

        A task all of whose names are in it stays as it is; others become animals against artifacts.
        """
        from mmspec_modnet.sample import HIERARCHY_FILE, TASK, known_names, write_tree

        write_tree(root)
        positive, negative = TASK
        if {*self.positive, *self.negative} <= known_names():
            positive, negative = self.positive, self.negative
        return attrs.evolve(
            self, root=root, part="train", hierarchy=root / HIERARCHY_FILE, per_class=None,
            positive=positive, negative=negative,
            flip=0.0, least_area=max(self.least_area, 0.6),  # mirrored or in small pieces, digits are none
        )  # fmt: skip

    def _shortages(self, folder: Path, splits: dict[str, Choice]) -> list[Problem]:
        """Splits with fewer images than asked for, or none."""
        wanted, problems = counts(self.per_class, self.held_out), []
        for split, choice in splits.items():
            count = len(choice.positive)
            if not count:
                what = f"{folder}: of one class there is no image for {split}"
                problems.append(Problem(what, hint="name more folders, or look into those that are named"))
            elif self.per_class is not None and count < wanted[split]:
                what = f"{folder}: {count} images of the smaller class for {split}, not {wanted[split]:g}"
                problems.append(Problem(what, hint="a lower per_class, or more folders"))
        return problems


@attrs.frozen(kw_only=True)
class BinaryFolders(BinaryImages):
    """A binary task as ModNet laid it out: `Task_<depth>_<Target>/{train,val}/{0,1}`; 1 is positive.

    Its val, which was what the published figures call test, is the split test: nothing is selected on it.
    Both classes are as large as their folders.
    """

    root: Path = option("the folder of the task, which holds train and val")

    def listing(self) -> Listing:
        """All images of the four folders."""
        splits, empty = {}, []
        for split, part in (("train", "train"), ("test", "val")):
            negative, positive = (
                [f"{part}/{label}/{name}" for name in files.images_in(self.root / part / label)]
                for label in ("0", "1")
            )
            splits[split] = Choice(negative, positive)
            found = {f"{part}/0": negative, f"{part}/1": positive}
            empty += [name for name, images in found.items() if not images]
        problems = []
        if not self.root.is_dir():
            problems = [Problem(f"there is no folder {self.root}", hint=_FOLDERS)]
        elif empty:
            problems = [Problem(f"{self.root}: no images in {', '.join(empty)}", hint=_FOLDERS)]
        return Listing(self.root, splits, problems)

    def write_sample(self, root: Path) -> BinaryFolders:
        """Digits as PNG files under the name of the task; the deeper the task, the fewer are positive."""
        from mmspec_modnet.sample import write_task

        folder = write_task(root, self.root.name)
        return attrs.evolve(self, root=folder, flip=0.0, least_area=max(self.least_area, 0.6))
