"""The official list files of NVGesture: which videos there are, which frames of them, which gesture.

A line describes one clip, in any order of its words:

    path:./Video_data/class_01/subject13_r0 depth:sk_depth:80:160 color:sk_color:80:160
    duo_left:duo_left:75:155 label:1

`depth:sk_depth:80:160` are frames 80 to 159 of `<path>/sk_depth.avi`. The lists name depth, color and
duo_left; the other two videos of the stereo camera, duo_right and duo_disparity, have the frames of duo_left.
Labels count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import attrs

from mmspec.plugins.api import Location, Problem

SENSORS = ("color", "depth", "duo_left", "duo_right", "duo_disparity")
LABELS = 25

_STEREO = ("duo_right", "duo_disparity")
_SUBJECT = re.compile(r"(subject\d+)_")
_HINT = "take the list as NVIDIA gives it"


@attrs.frozen
class Frames:
    """Frames `first` to `end` - 1 of a video; `video` is its path below the data set's folder."""

    video: str
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


@attrs.frozen
class Clip:
    """One line of a list: the folder of its videos, who made the gesture, its target from 0, its frames."""

    path: str
    subject: str
    target: int
    frames: Mapping[str, Frames]


def read_list(path: Path) -> tuple[list[Clip], list[Problem]]:
    """The clips of a list file, and everything that is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        return [], [Problem(f"{path} cannot be read: {error.strerror}")]
    clips: list[Clip] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = _Line(path, number, text)
        clip = line.clip()
        problems += line.problems
        if clip is None:
            continue
        if clip.path in seen:
            problems.append(line.problem(f"{clip.path} stands in line {seen[clip.path]} already", clip.path))
        seen.setdefault(clip.path, number)
        clips.append(clip)
    if not clips and not problems:
        problems.append(Problem(f"{path} lists no clips", hint=_HINT))
    return clips, problems


@attrs.define
class _Line:
    """One line while it is read; `problems` is what was found wrong so far."""

    file: Path
    number: int
    text: str
    problems: list[Problem] = attrs.field(factory=list)

    def clip(self) -> Clip | None:
        """The clip that the line describes; None where it describes none."""
        words = dict(self._words())
        found = len(self.problems)
        for key in ("path", "label"):
            if key not in words and not found:
                self.problems.append(self.problem(f"the line has no {key}"))
        frames = {key: self._frames(key, word, words) for key, word in words.items() if key in SENSORS}
        path, target = str(PurePosixPath(words.get("path", ""))), self._target(words.get("label", "1"))
        subject = _SUBJECT.match(PurePosixPath(path).name)
        if "path" in words and subject is None:
            self._wrong(f"the path should end like subject13_r0, not {PurePosixPath(path).name!r}", path)
        if self.problems or subject is None or target is None:
            return None
        whole = {sensor: each for sensor, each in frames.items() if each is not None}
        return Clip(path, subject[1], target, _with_stereo(whole))

    def _words(self) -> Iterator[tuple[str, str]]:
        """Keys and what stands after them; words that are none are problems."""
        seen = set()
        for match in re.finditer(r"\S+", self.text):
            key, colon, value = match[0].partition(":")
            if not colon or key not in {"path", "label", *SENSORS}:
                self._wrong(f"{match[0]!r} is none of path:…, label:…, {':…, '.join(SENSORS)}:…", match[0])
            elif key in seen:
                self._wrong(f"{key} is given twice", match[0])
            else:
                yield key, value
            seen.add(key)

    def _frames(self, sensor: str, word: str, words: Mapping[str, str]) -> Frames | None:
        match = re.fullmatch(r"([^:/\\]+):(\d+):(\d+)", word)
        if match is None:
            self._wrong(f"'{sensor}:{word}' should be {sensor}:VIDEO:START:END", f"{sensor}:{word}")
            return None
        first, end = int(match[2]), int(match[3])
        if first >= end:
            self._wrong(f"{sensor} has no frames: it starts at {first} and ends before {end}", word)
            return None
        return Frames(str(PurePosixPath(words.get("path", "")) / f"{match[1]}.avi"), first, end)

    def _target(self, word: str) -> int | None:
        if not word.isdecimal() or not 1 <= int(word) <= LABELS:
            self._wrong(f"the label should be 1 to {LABELS}, not {word!r}", f"label:{word}")
            return None
        return int(word) - 1

    def _wrong(self, what: str, word: str) -> None:
        self.problems.append(self.problem(what, word))

    def problem(self, what: str, word: str = "") -> Problem:
        """`what` is wrong here, at `word`, or with the whole line."""
        column = self.text.find(word) if word else -1
        start, width = (column, len(word)) if column >= 0 else (0, len(self.text))
        return Problem(what, Location(str(self.file), self.number, start + 1, width, self.text), hint=_HINT)


def _with_stereo(frames: Mapping[str, Frames]) -> dict[str, Frames]:
    """The frames of all sensors, those that only have the numbers of duo_left included."""
    whole = dict(frames)
    if "duo_left" in frames:
        left = frames["duo_left"]
        for sensor in _STEREO:
            name = PurePosixPath(left.video).name.replace("duo_left", sensor)
            video = str(PurePosixPath(left.video).with_name(name))
            whole.setdefault(sensor, attrs.evolve(left, video=video))
    return whole
