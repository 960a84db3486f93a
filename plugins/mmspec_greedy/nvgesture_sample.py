"""A stand-in for NVGesture: its lists and AVI videos, in which a blob makes four of the gestures.

In depth the blob is bright on a dark ground; in colour it moves in front of a pattern, among others that move
as they like; so depth is the easier modality. The stereo cameras see it grey, and for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import attrs
import numpy as np

from mmspec_greedy.nvgesture_files import LISTS

HEIGHT, WIDTH, RATE = 240, 320, 30
#: By label: how far the blob goes down and to the right.
GESTURES = {1: (0, 1), 2: (0, -1), 3: (-1, 0), 4: (1, 0)}
SUBJECTS = {"train": range(1, 7), "test": range(7, 10)}

_FILES = {"color": "sk_color", "depth": "sk_depth"}
_BEFORE, _AFTER = 6, 3


def write(root: Path, sensors: Sequence[str], length: int) -> None:
    """Write lists and videos under `root`; ranges have `length` frames, of the stereo cameras a few more."""
    root.mkdir(parents=True, exist_ok=True)
    jobs: list[Callable[[], None]] = []
    for split, subjects in SUBJECTS.items():
        lines = []
        for label in GESTURES:
            for subject in subjects:
                clip = _Clip(f"Video_data/class_{label:02d}/subject{subject}_r0", label, length)
                lines.append(clip.line())
                jobs += [clip.job(root, sensor) for sensor in sensors]
        (root / LISTS[split]).write_text("\n".join(lines) + "\n", encoding="ascii")
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()


@attrs.frozen
class _Clip:
    """One gesture: where its videos lie, and what happens in them."""

    path: str
    label: int
    length: int

    def line(self) -> str:
        """Its line in the list."""
        words = [f"path:./{self.path}"]
        for sensor in ("depth", "color", "duo_left"):
            first, count = self._frames(sensor)
            words.append(f"{sensor}:{_FILES.get(sensor, sensor)}:{first}:{first + count}")
        return " ".join([*words, f"label:{self.label}"])

    def job(self, root: Path, sensor: str) -> Callable[[], None]:
        """What writes one of its videos."""
        return lambda: self._write(root / self.path / f"{_FILES.get(sensor, sensor)}.avi", sensor)

    def _frames(self, sensor: str) -> tuple[int, int]:
        """The first frame of the gesture, and how many there are."""
        stereo = sensor.startswith("duo")
        key = "duo" if stereo else sensor
        shift = int(np.random.default_rng(crc32(f"{self.path}/{key}".encode())).integers(_BEFORE))
        return shift, self.length * 7 // 6 if stereo else self.length

    def _write(self, path: Path, sensor: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        first, count = self._frames(sensor)
        scene = _Scene(self.path, self.label, sensor)
        times = (np.arange(first + count + _AFTER) - first) / max(1, count - 1)
        _encode(path, [scene.picture(float(np.clip(time, 0, 1))) for time in times])


class _Scene:
    """What one camera sees of a gesture: grey (H, W) or colour (H, W, 3) pictures."""

    def __init__(self, path: str, label: int, sensor: str) -> None:
        gesture = np.random.default_rng(crc32(path.encode()))  # the same for all cameras
        self._start = np.array([HEIGHT, WIDTH]) / 2 + gesture.uniform(-15, 15, 2)
        self._radius = gesture.uniform(26, 34)
        self._way = np.array(GESTURES[label]) * gesture.uniform(60, 80)
        camera = np.random.default_rng(crc32(f"{path}/{sensor}/scene".encode()))
        if sensor == "color":
            self._ground = camera.integers(30, 226, (HEIGHT // 40, WIDTH // 40, 3)).astype(np.uint8)
            self._ground = self._ground.repeat(40, axis=0).repeat(40, axis=1)
            self._hand = camera.integers(90, 226, 3).astype(np.uint8)
            self._others = [
                (
                    camera.uniform(0, 1, 2) * (HEIGHT, WIDTH),
                    camera.uniform(-120, 120, 2),
                    camera.uniform(20, 40),
                )
                for _ in range(3)
            ]
            self._colors = camera.integers(30, 226, (3, 3)).astype(np.uint8)
        else:
            slope = np.linspace(30, 30 + camera.uniform(20, 40), WIDTH)
            self._ground = np.tile(slope.astype(np.uint8), (HEIGHT, 1))
            self._hand = np.asarray(200, np.uint8)
            self._others, self._colors = [], np.empty((0, 3), np.uint8)

    def picture(self, time: float) -> np.ndarray:
        """The picture at a `time` from 0 to 1."""
        picture = self._ground.copy()
        for (start, way, radius), color in zip(self._others, self._colors, strict=True):
            _disk(picture, start + way * time, radius, color)
        _disk(picture, self._start + self._way * (2 * time - 1), self._radius, self._hand)
        return picture


def _disk(picture: np.ndarray, center: np.ndarray, radius: float, color: np.ndarray) -> None:
    (top, left), (bottom, right) = (np.maximum(center + s * radius, 0).astype(int) for s in (-1, 1))
    window = picture[top : bottom + 1, left : right + 1]
    rows, columns = np.ogrid[top : top + window.shape[0], left : left + window.shape[1]]
    window[(rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2] = color


def _encode(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Write pictures as MPEG-4 in AVI, the same bytes each time."""
    import av

    with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 24
        stream.codec_context.thread_count = 1
        stream.codec_context.bit_rate = 200_000
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24" if picture.ndim == 3 else "gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
