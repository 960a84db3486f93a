"""Videos whose pictures say which frame they are, written and read by PyAV alone."""

from __future__ import annotations

import av
import numpy as np

#: A picture is eight by eight blocks; the bits of its number stand in the second row of them.
HEIGHT, WIDTH, BITS = 96, 128, 8

#: How videos may be made: key frames often, seldom, everywhere; pictures in another order than shown.
KINDS = {
    "mpeg4": {"codec": "mpeg4", "key": 12},
    "one key frame": {"codec": "mpeg4", "key": 600},
    "b-frames": {"codec": "mpeg4", "key": 12, "b_frames": 2},
    "mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "ffv1": {"codec": "ffv1", "pix_fmt": "bgr0"},
}


def picture(number):
    """Grey (H, W): the number in binary, on noise that is its own."""
    noise = np.random.default_rng(number).integers(0, 40, (HEIGHT // 8, WIDTH // 8)).astype(np.uint8)
    blocks = noise.repeat(8, axis=0).repeat(8, axis=1)
    for bit in range(BITS):
        blocks[12:24, 16 * bit : 16 * (bit + 1)] = 255 * (number >> bit & 1)
    return blocks


def number_of(pixels):
    """The number in a picture (H, W) of any size."""
    height, width = pixels.shape
    row = pixels[height * 18 // HEIGHT]
    return sum(int(row[width * (16 * bit + 8) // WIDTH] > 128) << bit for bit in range(BITS))


def write(path, numbers=range(60), *, codec="mpeg4", key=12, b_frames=0, pix_fmt="yuv420p", container=None):
    """A video with one picture for each number, shown at that time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.codec_context.thread_count = 1
        if codec == "mpeg4":
            stream.codec_context.gop_size = key
            stream.codec_context.max_b_frames = b_frames
            stream.codec_context.bit_rate = 4_000_000
        for number in numbers:
            frame = av.VideoFrame.from_ndarray(picture(number), "gray")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def read_all(path, size, pixel_format="gray"):
    """Every frame from the beginning, by PyAV alone."""
    with av.open(str(path)) as file:
        return [f.reformat(size, size, pixel_format, threads=1).to_ndarray() for f in file.decode(video=0)]
