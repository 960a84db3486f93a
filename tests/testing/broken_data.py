"""A dataset that keeps all its promises, and ones that break one each. Importing this imports no torch."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

from mmspec.plugins.api import (
    ArraySource,
    DataError,
    DataInfo,
    Dataset,
    ModalityInfo,
    Problem,
    at_least,
    option,
)


@attrs.frozen(kw_only=True)
class Good(Dataset):
    """Noise of two classes in two splits."""

    seed: int = option("which noise", default=0, validator=at_least(0))

    def describe(self):
        infos = {"a": ModalityInfo((1, 3)), "b": ModalityInfo((2, 2, 2))}
        return DataInfo(infos, ("no", "yes"), {"train": "train", "test": "test"}, groups=("pair",))

    def open(self, modalities):
        return {split: self.source(number, modalities) for number, split in enumerate(("train", "test"))}

    def source(self, number, modalities):
        random = np.random.default_rng([self.seed, number])
        shapes = {"a": (8, 1, 3), "b": (8, 2, 2, 2)}
        arrays = {m: random.integers(0, 255, shapes[m]).astype(np.uint8) for m in shapes}
        ids = 8 * number + np.arange(8)
        return ArraySource({m: arrays[m] for m in modalities}, np.arange(8) % 2, ids, {"pair": ids // 2})

    def fingerprint(self):
        return f"seed {self.seed}"


@attrs.frozen(kw_only=True)
class ReadsToDescribe(Good):
    """Opens a file to say what it is."""

    def describe(self):
        return Path("/nowhere/at/all").read_text()


@attrs.frozen(kw_only=True)
class TwoTrainingSplits(Good):
    """Two splits of role train."""

    def describe(self):
        return attrs.evolve(super().describe(), splits={"train": "train", "test": "train"})


@attrs.frozen(kw_only=True)
class MissingSplit(Good):
    """Opens less than it describes."""

    def open(self, modalities):
        return {"train": self.source(0, modalities)}


@attrs.frozen(kw_only=True)
class SharedSamples(Good):
    """One sample is in training and in test."""

    def open(self, modalities):
        return {split: self.source(0, modalities) for split in ("train", "test")}


@attrs.frozen(kw_only=True)
class WrongShape(Good):
    """Samples that are not as described."""

    def describe(self):
        infos = {"a": ModalityInfo((3, 1)), "b": ModalityInfo((2, 2, 2))}
        return attrs.evolve(super().describe(), modalities=infos)


@attrs.frozen(kw_only=True)
class WrongDtype(Good):
    """Samples that are not of the type described."""

    def describe(self):
        infos = {"a": ModalityInfo((1, 3), dtype="float32"), "b": ModalityInfo((2, 2, 2))}
        return attrs.evolve(super().describe(), modalities=infos)


class Sorting(ArraySource):
    def read(self, modality, indices):
        return super().read(modality, np.sort(indices))


@attrs.frozen(kw_only=True)
class SortedReads(Good):
    """Gives rows in its own order."""

    def source(self, number, modalities):
        source = super().source(number, modalities)
        return Sorting(source.arrays, source.targets, source.ids, source.groups)


@attrs.frozen(kw_only=True)
class TargetsOutOfRange(Good):
    """Counts classes from 1."""

    def source(self, number, modalities):
        source = super().source(number, modalities)
        return attrs.evolve(source, targets=source.targets + 1)


class Unpicklable(ArraySource):
    def __reduce__(self):
        raise TypeError("a file is open")


@attrs.frozen(kw_only=True)
class OpenFile(Good):
    """A source that other processes cannot have."""

    def source(self, number, modalities):
        source = super().source(number, modalities)
        return Unpicklable(source.arrays, source.targets, source.ids, source.groups)


class Forgetful(ArraySource):
    def __reduce__(self):
        return ArraySource, (self.arrays, self.targets, self.ids)


@attrs.frozen(kw_only=True)
class ForgottenGroups(Good):
    """A source that other processes get without its groups."""

    def source(self, number, modalities):
        source = super().source(number, modalities)
        return Forgetful(source.arrays, source.targets, source.ids, {"pair": source.ids // 2})


COUNTER = itertools.count()


@attrs.frozen(kw_only=True)
class RestlessFingerprint(Good):
    """Another fingerprint each time."""

    def fingerprint(self):
        return str(next(COUNTER))


@attrs.frozen(kw_only=True)
class BlindFingerprint(Good):
    """The seed changes the samples, not the fingerprint."""

    def fingerprint(self):
        return "always the same"


@attrs.frozen(kw_only=True)
class FileSizes(Good):
    """Reads a file, and takes its size for its fingerprint."""

    root: Path = option("where the file is")

    def check(self):
        return () if self.file.exists() else (Problem(f"{self.file} is missing", hint="write a sample"),)

    def open(self, modalities):
        if self.check():
            raise DataError(self.check())
        return super().open(modalities)

    def write_sample(self, root):
        root.mkdir()
        (root / "data").write_bytes(bytes(100))
        return attrs.evolve(self, root=root)

    def fingerprint(self):
        return f"{self.seed} {self.file.stat().st_size}"

    @property
    def file(self):
        return self.root / "data"


@attrs.frozen(kw_only=True)
class TwoFiles(FileSizes):
    """Has two files, reads and hashes the smaller."""

    read: ClassVar = ("data",)

    def write_sample(self, root):
        root.mkdir()
        (root / "data").write_bytes(bytes(24))
        (root / "more").write_bytes(bytes(48))
        return attrs.evolve(self, root=root)

    def source(self, number, modalities):
        whole = super().source(number, modalities)
        added = sum(sum((self.root / name).read_bytes()) for name in self.read) % 2
        return attrs.evolve(whole, targets=(whole.targets + added) % 2)

    def fingerprint(self):
        return f"{self.seed} {self.file.read_bytes().hex()}"


@attrs.frozen(kw_only=True)
class HalfFingerprint(TwoFiles):
    """Reads two files, hashes one."""

    read: ClassVar = ("data", "more")


@attrs.frozen(kw_only=True)
class SilentlyEmpty(FileSizes):
    """Finds files missing, and opens all the same."""

    def open(self, modalities):
        return Good.open(self, modalities)


@attrs.frozen(kw_only=True)
class FirstOfBatch(Good):
    """An augmentation that adds the first sample of the batch to all."""

    def augmentations(self, modality, role):
        from mmspec.plugins.api import Augmentation

        @attrs.frozen(kw_only=True)
        class AddFirst(Augmentation):
            def __call__(self, batch, seed, epoch, samples):
                return batch + batch[:1]

        return (AddFirst(stream="x"),)


@attrs.frozen(kw_only=True)
class AsksForValues(Good):
    """An augmentation that asks the device what is in the batch."""

    def augmentations(self, modality, role):
        from mmspec.plugins.api import Augmentation

        @attrs.frozen(kw_only=True)
        class Brighten(Augmentation):
            def __call__(self, batch, seed, epoch, samples):
                return batch + 1 if batch.max() < 255 else batch

        return (Brighten(stream="x"),)


@attrs.frozen(kw_only=True)
class Large(Good):
    """Sources hold more than the network sees; the middle is cut out, in training any place."""

    def describe(self):
        infos = {"a": ModalityInfo((1, 2)), "b": ModalityInfo((2, 1, 2))}
        return attrs.evolve(super().describe(), modalities=infos)

    def augmentations(self, modality, role):
        from mmspec.plugins.api import CenterCrop, RandomCrop

        shape = self.describe().modalities[modality].shape[1:]
        return (RandomCrop(stream="x", shape=shape) if role == "train" else CenterCrop(shape=shape),)


@attrs.frozen(kw_only=True)
class UncutInEvaluation(Large):
    """Cuts in training alone."""

    def augmentations(self, modality, role):
        return super().augmentations(modality, role) if role == "train" else ()


@attrs.frozen(kw_only=True)
class CutTooMuch(Large):
    """What is left is smaller than described."""

    def augmentations(self, modality, role):
        return tuple(attrs.evolve(step, shape=(1,)) for step in super().augmentations(modality, role))


@attrs.frozen(kw_only=True)
class RandomInEvaluation(Large):
    """Draws in evaluation."""

    def augmentations(self, modality, role):
        return super().augmentations(modality, "train")


@attrs.frozen(kw_only=True)
class SecretlyRandom(Large):
    """Draws in training, and says that it does not."""

    def augmentations(self, modality, role):
        from mmspec.plugins.api import RandomCrop

        class Secret(RandomCrop):
            is_random = False

        steps = super().augmentations(modality, role)
        return (Secret(stream="x", shape=steps[0].shape),) if role == "train" else steps


@attrs.frozen(kw_only=True)
class SaysItIsRandom(Large):
    """Cuts out the middle, and says that this is random."""

    def augmentations(self, modality, role):
        from mmspec.plugins.api import CenterCrop

        class Overcareful(CenterCrop):
            is_random = True

        shape = self.describe().modalities[modality].shape[1:]
        return (Overcareful(shape=shape),)


@attrs.frozen(kw_only=True)
class SmokeOfAnother(Good):
    """Its smoke run is another dataset's."""

    def smoke(self):
        return Good()
