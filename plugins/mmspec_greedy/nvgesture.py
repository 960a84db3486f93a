"""NVGesture (Molchanov et al. 2016): hand gestures in a car, filmed by several cameras at once."""

from __future__ import annotations

import hashlib
import json
import warnings
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
    at_least,
    below,
    between,
    hash_files,
    option,
)
from mmspec_greedy.nvgesture_clips import ClipSource, Window, channels
from mmspec_greedy.nvgesture_files import LISTS, check_videos, read_lists
from mmspec_greedy.nvgesture_lists import Clip

if TYPE_CHECKING:
    from mmspec.plugins.api import Augmentation

Sensor = Literal["color", "depth", "duo_left", "duo_right", "duo_disparity"]

#: By the groups of gestures that Molchanov et al. list. Which label is which, directions above all, is as
#: another public reader of the data set has it.
CLASSES = (
    "hand right", "hand left", "hand up", "hand down",
    "two fingers right", "two fingers left", "two fingers up", "two fingers down",
    "click", "beckon", "open hand", "shake hand",
    "show one finger", "show two fingers", "show three fingers",
    "push hand up", "push hand down", "push hand out", "pull hand in",
    "rotate fingers left", "rotate fingers right", "push two fingers",
    "close hand twice", "thumb up", "ok",
)  # fmt: skip


def _sensors(_: object, __: object, value: Sequence[str]) -> None:
    if not value or len(set(value)) < len(value):
        raise ValueError("must name one sensor or more, each once")


def _range(plugin: NvGesture, _: object, value: int) -> None:
    if plugin.sampling == "random" and value < plugin.frames:
        raise ValueError(f"must be `frames`, {plugin.frames}, or above, not {value!r}")


def _size(plugin: NvGesture, _: object, value: int) -> None:
    if not 1 <= value <= plugin.resize:
        raise ValueError(f"must be between 1 and `resize`, {plugin.resize}, not {value!r}")


@attrs.frozen(kw_only=True)
class NvGesture(Dataset):
    """Hand gestures of 25 classes by 20 subjects, in colour, depth and infrared: NVIDIA's lists and videos.

    Official training and test lists. Validation is taken out of the training list: whole subjects, or
    samples at random as in Wu et al. 2022. Each sensor has a range of frames of its own in the lists.
    Random crops, starts and flips are the same for all sensors and frames of a clip; in validation and
    test the middle is taken.
    """

    root: Path = option("the folder that holds the two list files and Video_data")
    sensors: tuple[Sensor, ...] = option(
        "which cameras are modalities: color, depth, duo_left, duo_right, duo_disparity",
        default=("color", "depth"),
        validator=_sensors,
    )
    frames: int = option("frames of a clip", default=64, validator=at_least(1))
    sampling: Literal["uniform", "center", "random"] = option(
        "which frames of a range: at equal distances all over it; a run in its middle; a run that begins "
        "anywhere in training, and lies in the middle elsewhere",
        default="random",
    )
    range: int = option(
        "with random sampling, the frames in the middle of a range that a run may lie in; 80 is the length "
        "of the official ranges of color and depth",
        default=80,
        validator=_range,
    )
    resize: int = option("height and width to which pictures are resized", default=256, validator=at_least(1))
    size: int = option(
        "height and width of the crop: anywhere in training, in the middle elsewhere",
        default=224,
        validator=_size,
    )
    flip: float = option(
        "probability that a training clip is mirrored; moves to the left and to the right are different "
        "classes, so a mirrored clip may have the wrong label",
        default=0.0,
        validator=between(0, 1),
    )
    pad: Literal["none", "repeat"] = option(
        "where a range or a video has too few frames: an error, or frames are repeated, which a warning says",
        default="none",
    )
    validation: float = option(
        "share of the training list that becomes val; 0: none", default=0.2, validator=below(0, 1)
    )
    validation_by: Literal["subject", "sample"] = option(
        "val is made of whole subjects, who are then not in train, or of samples of all subjects",
        default="subject",
    )
    seed: int = option("which subjects or samples become val", default=0, validator=at_least(0))

    def describe(self) -> DataInfo:
        """The sensors as modalities (C, frames, size, size), in [-1, 1]; 25 classes; groups: subject."""
        modalities: dict[str, ModalityInfo] = {}
        for sensor in self.sensors:
            c = channels(sensor)
            shape = (c, self.frames, self.size, self.size)
            modalities[sensor] = ModalityInfo(shape, mean=(0.5,) * c, std=(0.5,) * c)
        splits: dict[str, Role] = {"train": "train", "val": "validation", "test": "test"}
        if not self.validation:
            del splits["val"]
        return DataInfo(modalities, CLASSES, splits, groups=("subject",))

    def check(self) -> Sequence[Problem]:
        """Whether lists and videos are there and whole, from lists, sizes and headers."""
        return self._find(self.sensors)[1]

    def open(self, modalities: Sequence[str]) -> Mapping[str, ClipSource]:
        """Splits that decode clips as they are read; `test` and `val` hold what the network sees, no more."""
        clips, problems, repeated = self._find(modalities)
        if problems:
            raise DataError(problems)
        if repeated:
            first = ", ".join(f"{video} ({times})" for video, times in list(repeated.items())[:3])
            what = f"frames are repeated in {len(repeated)} videos: {first}{', …' * (len(repeated) > 3)}"
            warnings.warn(f'pad = "repeat": {what}', stacklevel=2)
        parts = {"test": clips["test"]}
        parts["train"], held_out = self._divide(clips["train"])
        if self.validation:
            parts["val"] = held_out
        return {split: ClipSource(self.root, part, self._window(split)) for split, part in parts.items()}

    def fingerprint(self) -> str:
        """A hash over lists, videos of the sensors, and the options that decide what a source holds."""
        clips, problems = read_lists(self.root)
        if problems:
            raise DataError(problems)
        of_sensors = {
            clip.frames[sensor].video
            for part in clips.values()
            for clip in part
            for sensor in self.sensors
            if sensor in clip.frames
        }
        try:
            files = hash_files(self.root, [*LISTS.values(), *of_sensors])
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
        kept = attrs.asdict(self, filter=lambda field, _: field.name not in {"root", "sensors", "flip"})
        return hashlib.sha256(f"{files}\n{json.dumps(kept, sort_keys=True)}".encode()).hexdigest()

    def smoke(self) -> NvGesture:
        """Short, small clips of its sensors.

        After being halved three times, as video networks do, 17 frames are 3. With 2 the gradients of 3x3x3
        convolutions in bf16 are wrong on CPUs (torch 2.13: the memory they are written to is not cleared).
        """
        return attrs.evolve(self, frames=min(self.frames, 17), range=20, resize=54, size=48)

    def write_sample(self, root: Path) -> NvGesture:
        """Blobs that move, in both lists' format: clean in depth, in front of clutter in colour."""
        from mmspec_greedy.nvgesture_sample import write

        write(root, self.sensors, self.range if self.sampling == "random" else self.frames)
        return attrs.evolve(self, root=root)

    def augmentations(self, modality: str, role: Role) -> Sequence[Augmentation]:
        """In training a random crop in time and space, and the flip; else the middle. Sensors draw alike."""
        del modality
        from mmspec.plugins.api import CenterCrop, HorizontalFlip, RandomCrop

        shape = (self.frames, self.size, self.size)
        if role != "train":
            return (CenterCrop(shape=shape),)
        crop = RandomCrop(stream="clip", shape=shape)
        return (crop, HorizontalFlip(stream="clip", p=self.flip)) if self.flip else (crop,)

    def _window(self, split: str) -> Window:
        """What sources of this split hold: in training all that a random crop may take."""
        count = self.range if self.sampling == "random" else self.frames
        train = split == "train"
        return Window(
            count=count,
            frames=count if train else self.frames,
            spread=self.sampling == "uniform",
            resize=self.resize,
            size=self.resize if train else self.size,
            pad=self.pad == "repeat",
        )

    def _find(self, sensors: Sequence[str]) -> tuple[dict[str, list[Clip]], list[Problem], dict[str, int]]:
        """The clips by list, what is wrong with them, and what padding will repeat."""
        clips, problems = read_lists(self.root)
        repeated: dict[str, int] = {}
        if not problems:
            for split, part in clips.items():
                faults = check_videos(self.root, part, sensors, self._window(split))
                problems += [attrs.evolve(p, what=f"{LISTS[split]}: {p.what}") for p in faults.problems]
                repeated |= faults.repeated
        return clips, problems, repeated

    def _divide(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
        """The training list without validation, and validation.

        Raises:
            DataError: nothing would be left on one side.
        """
        of_subjects = self.validation_by == "subject"
        keys = [clip.subject if of_subjects else clip.path for clip in clips]
        units = np.unique(keys)
        count = round(self.validation * len(units))
        chosen = set(np.random.default_rng(self.seed).permutation(units)[:count].tolist())
        if self.validation and not 0 < count < len(units):
            raise DataError(
                f"validation = {self.validation:g} of {len(units)} {self.validation_by}s leaves no clip in "
                f"{'train' if count else 'val'}"
            )
        held = [key in chosen for key in keys]
        train = [clip for clip, out in zip(clips, held, strict=True) if not out]
        return train, [clip for clip, out in zip(clips, held, strict=True) if out]
