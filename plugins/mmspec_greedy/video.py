"""Reading some frames of a video, no more than is needed of it, by PyAV.

The number of a frame is its time stamp, counted in frames from the first one; without time stamps, its place
in the order of decoding. Both are the same in a file without gaps.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from mmspec.plugins.api import DataError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: Where an AVI has the size of its first chunk and the number of frames of its main header.
_RIFF_SIZE, _FRAMES, _HEADER = 4, 48, 56
#: swscale's planar RGB has its planes in the order G, B, R.
_PLANES = {1: ("gray", (0,)), 3: ("gbrp", (2, 0, 1))}


@attrs.frozen
class Header:
    """What an AVI says of itself: the bytes it should have at least, its frames (None: not said)."""

    size: int
    frames: int | None


def read_header(path: Path) -> Header | None:
    """The header of an AVI; None where the file does not begin like one.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER)
    if len(start) < _HEADER or start[:4] != b"RIFF" or start[8:12] != b"AVI " or start[24:28] != b"avih":
        return None
    (size,), (frames,) = (struct.unpack_from("<I", start, at) for at in (_RIFF_SIZE, _FRAMES))
    return Header(size + 8, frames or None)


def read_frames(path: Path, wanted: np.ndarray, out: np.ndarray, resize: int) -> int:
    """Read frames into `out` (C, T, H, W) uint8, C = 1 grey or 3 RGB; return how many of the T were there.

    `wanted` (T,) are frame numbers in ascending order; one may stand there more than once. Frames are
    resized to resize x resize, and H x W of that is taken from the middle. Where the video ends, or is
    damaged, before the last of them, the rest of `out` is left as it is.

    Raises:
        DataError: the video cannot be read, or a frame is missing in the midst of it.
    """
    import av

    write = _Writer(out, resize)
    done = 0
    try:
        with av.open(str(path)) as container:
            for number, frame in _frames_from(container, int(wanted[0])):
                if number > wanted[done]:
                    raise DataError(
                        f"{path} has no frame {wanted[done]}: after those before it comes {number}"
                    )
                if number < wanted[done]:
                    continue
                if frame.is_corrupt:
                    break
                start, done = done, int(np.searchsorted(wanted, number, side="right"))
                write(frame, slice(start, done))
                if done == len(wanted):
                    break
    except (av.FFmpegError, IndexError) as error:  # without a video stream it is an IndexError
        if not done:
            raise DataError(f"{path} cannot be read as a video: {error}") from None
    return done


def _frames_from(container: InputContainer, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames in order with their numbers, beginning at the last key frame that is not after `start`."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1  # clips are short: threads cost more than they give
    frames = container.decode(stream)
    first = next(frames, None)
    if first is None:
        return
    origin, ticks = first.pts, first.duration  # of time stamps
    landed: av.VideoFrame | None = first
    if origin is not None and ticks and start > 0:
        at = origin + start * ticks
        frames, landed = _seek(container, stream, at)
        if landed is None or not landed.key_frame or landed.pts is None or landed.pts > at:
            frames, landed = _seek(container, stream, origin)  # no use of the index: from the beginning
    number = -1
    for frame in chain([landed] if landed else [], frames):
        number += 1
        if origin is not None and ticks and frame.pts is not None:
            number = round((frame.pts - origin) / ticks)
        yield number, frame


def _seek(
    container: InputContainer, stream: VideoStream, at: int
) -> tuple[Iterator[av.VideoFrame], av.VideoFrame | None]:
    """Go to the last key frame not after `at`: an iterator over what follows its first frame, and that."""
    container.seek(at, stream=stream)
    frames = container.decode(stream)
    return frames, next(frames, None)


class _Writer:
    """Resizes frames, and writes the middle of them into an array (C, T, H, W)."""

    def __init__(self, out: np.ndarray, resize: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._format, self._planes = _PLANES[len(out)]
        self._reformatter = VideoReformatter()
        self._out, self._resize = out, resize
        self._rows, self._columns = (_middle(resize, n) for n in out.shape[-2:])

    def __call__(self, frame: av.VideoFrame, at: slice) -> None:
        """Write a frame at these positions in time."""
        size = self._resize
        resized = self._reformatter.reformat(frame, size, size, self._format, threads=1)
        for channel, index in zip(self._out, self._planes, strict=True):
            plane = resized.planes[index]
            pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(size, plane.line_size)
            channel[at] = pixels[self._rows, self._columns]


def _middle(whole: int, part: int) -> slice:
    start = (whole - part) // 2
    return slice(start, start + part)
