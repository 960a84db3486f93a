"""Whether the files of NVGesture are there and whole, from lists and headers: no video is decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import numpy as np

from mmspec.plugins.api import Problem
from mmspec_greedy.naming import some
from mmspec_greedy.nvgesture_clips import Window
from mmspec_greedy.nvgesture_lists import Clip, Frames, read_list
from mmspec_greedy.video import Header, read_header

LISTS = {
    "train": "nvgesture_train_correct_cvpr2016_v2.lst",
    "test": "nvgesture_test_correct_cvpr2016_v2.lst",
}

_PAGE = (
    "https://research.nvidia.com/publication/"
    "2016-06_online-detection-and-classification-dynamic-hand-gestures-recurrent-3d"
)


def read_lists(root: Path) -> tuple[dict[str, list[Clip]], list[Problem]]:
    """The clips of both official lists, by split, and what is wrong with the lists."""
    missing = [name for name in LISTS.values() if not (root / name).is_file()]
    if missing:
        what = f"NVGesture is missing in {root}, or a part of it: {', '.join(missing)}"
        return {}, [Problem(what, hint=_where(root))]
    read = {split: read_list(root / name) for split, name in LISTS.items()}
    clips = {split: found for split, (found, _) in read.items()}
    problems = [problem for _, found in read.values() for problem in found]
    twice = sorted({clip.path for clip in clips["train"]} & {clip.path for clip in clips["test"]})
    if twice:
        problems.append(Problem(f"{_count(twice, 'clip')} in both lists: {some(twice)}"))
    return clips, problems


@attrs.frozen
class Faults:
    """What is wrong with the videos that clips need; `repeated` {video: how many frames are repeated}."""

    problems: Sequence[Problem]
    repeated: Mapping[str, int]


def check_videos(root: Path, clips: Sequence[Clip], sensors: Sequence[str], window: Window) -> Faults:
    """What is wrong with the videos of these clips, each kind of fault in one problem with all its videos."""
    named = [(clip, sensor) for clip in clips for sensor in sensors]
    needed = [clip.frames[sensor] for clip, sensor in named if sensor in clip.frames]
    unlisted = [f"{clip.path}: {sensor}" for clip, sensor in named if sensor not in clip.frames]
    with ThreadPoolExecutor(max_workers=16) as pool:
        states = list(pool.map(lambda frames: _state(root, frames, window), needed))
    faults: dict[str, list[str]] = {"unlisted": unlisted} if unlisted else {}
    for frames, state in zip(needed, states, strict=True):
        if state.fault:
            faults.setdefault(state.fault, []).append(f"{frames.video}{state.figures}")
    repeated = {frames.video: s.repeated for frames, s in zip(needed, states, strict=True) if s.repeated}
    total, problems = len(named), []
    for fault, names in faults.items():
        what, hint = _FAULTS[fault]
        told = f"{len(names)} of {total} videos {what}: {some(names)}"
        problems.append(Problem(told, hint=hint or _where(root)))
    return Faults(problems, repeated)


_PAD = 'pad = "repeat" repeats frames, and says where'
_AGAIN = "fetch them again"
_FAULTS: Mapping[str, tuple[str, str | None]] = {
    "unlisted": ("have no frames in the lists", "choose other sensors"),
    "missing": ("are missing", None),
    "unreadable": ("cannot be read", None),
    "no avi": ("are no AVI files", _AGAIN),
    "cut": ("are cut short", _AGAIN),
    "beyond": ("end before their frames do", _PAD),
    "short": ("have too few frames in the lists", f"take fewer frames, or a smaller range; {_PAD}"),
}


@attrs.frozen
class _State:
    """The fault of one video, with its figures, or how many of its frames are repeated."""

    fault: str | None = None
    figures: str = ""
    repeated: int = 0


def _state(root: Path, frames: Frames, window: Window) -> _State:
    path = root / frames.video
    try:
        header, size = read_header(path), path.stat().st_size
    except FileNotFoundError:
        return _State("missing")
    except OSError as error:
        return _State("unreadable", f" ({error.strerror})")
    if header is None:
        return _State("no avi")
    if size < header.size:
        return _State("cut", f" ({size} of {header.size} bytes)")
    return _supply(frames, header, window)


def _supply(frames: Frames, header: Header, window: Window) -> _State:
    """Whether there are frames enough in the range and in the video."""
    wanted = window.numbers(frames)
    there = wanted if header.frames is None else wanted[wanted < header.frames]
    repeated = len(wanted) - len(np.unique(there))
    if window.pad and len(there):
        return _State(repeated=repeated)
    if len(there) < len(wanted):
        return _State("beyond", f" (frames {wanted[0]} to {wanted[-1]} of {header.frames})")
    return _State("short", f" ({len(frames)} for {window.count})") if repeated else _State()


def _where(root: Path) -> str:
    return (
        f"{_PAGE} has it, in parts to be joined by `7z x nvGesture_v1.7z.001`; both lists and the folder "
        f"Video_data must lie in {root}"
    )


def _count(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} is" if len(names) == 1 else f"{len(names)} {what}s are"
