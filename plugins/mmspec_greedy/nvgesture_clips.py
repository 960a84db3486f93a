"""Clips of NVGesture as arrays: which frames are taken out of a range, and how they are read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np

from mmspec.plugins.api import DataError, Source
from mmspec_greedy.nvgesture_lists import Clip, Frames
from mmspec_greedy.video import read_frames, read_header


def channels(sensor: str) -> int:
    """3 for the colour camera, 1 for the others."""
    return 3 if sensor == "color" else 1


@attrs.frozen(kw_only=True)
class Window:
    """What is taken of each clip: `frames` of the `count` that are chosen out of its range, and which pixels.

    `spread`: chosen at equal distances over the whole range, else as a run in its middle. `frames` are the
    ones in the middle of those chosen. Pictures are resized to `resize`, and `size` of that is kept.
    `pad`: where a range or a video is too short, frames are repeated; the last one where it is a run.
    """

    count: int
    frames: int
    spread: bool
    resize: int
    size: int
    pad: bool

    def numbers(self, clip: Frames) -> np.ndarray:
        """The frame numbers, ascending; some more than once where the range is too short. (frames,)"""
        if self.spread:
            chosen = clip.first + (2 * np.arange(self.count) + 1) * len(clip) // (2 * self.count)
        else:
            start = clip.first + max(0, len(clip) - self.count) // 2
            chosen = np.minimum(start + np.arange(self.count), clip.end - 1)
        skipped = (self.count - self.frames) // 2
        return chosen[skipped : skipped + self.frames]


@attrs.define(eq=False)
class ClipSource(Source):
    """Some clips, decoded as they are read; groups: who made the gesture."""

    root: Path
    clips: Sequence[Clip]
    window: Window
    ids: np.ndarray = attrs.field(init=False)
    targets: np.ndarray = attrs.field(init=False)
    groups: Mapping[str, np.ndarray] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ids = np.array([clip.path for clip in self.clips])
        self.targets = np.array([clip.target for clip in self.clips], dtype=np.int64)
        self.groups = {"subject": np.array([clip.subject for clip in self.clips])}

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """Clips of one sensor, (n, C, frames, size, size) uint8.

        Raises:
            DataError: a video cannot be read, or ends too early.
        """
        size = self.window.size
        out = np.empty((len(indices), channels(modality), self.window.frames, size, size), np.uint8)
        for clip, index in zip(out, indices, strict=True):
            self._read(self.clips[index].frames[modality], clip)
        return out

    def _read(self, frames: Frames, out: np.ndarray) -> None:
        path, wanted = self.root / frames.video, self.window.numbers(frames)
        found = read_frames(path, wanted, out, self.window.resize)
        if found == len(wanted):
            return
        short = (
            f"{path} has {found} of the {len(wanted)} frames wanted, {wanted[0]} to {wanted[-1]}: "
            f"none from {wanted[found]} on"
        )
        if not self.window.pad or not found:
            raise DataError(short, hint="fetch the video again: it is cut short, or damaged")
        out[:, found:] = out[:, found - 1 : found]
        header = read_header(path)
        if header is None or header.frames is None or header.frames > wanted[found]:  # else it was foreseen
            warnings.warn(f"{short}; the last one is repeated", stacklevel=3)
