"""Clips of NVGesture: decoding against PyAV's bare loop, packed against decoded, memory of a batch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter

from benchmarks.paired import alternate, growth
from mmspec.data.loader import Loader
from mmspec.data.packing import open_packed
from mmspec.engine.placement import place_for
from mmspec.plugins.api import Source
from mmspec.spec.model import Train
from mmspec_greedy.nvgesture import NvGesture

SENSORS, BATCH, CLIPS = ("color", "depth"), 8, 4


def video() -> list[str]:
    """The stand-in under default options: 80 frames of 256 x 256, cut to 64 of 224 x 224; one thread."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = NvGesture(root=root, flip=0.5).write_sample(root)
        decoded = data.open(SENSORS)["train"]
        packed = open_packed(data, SENSORS, root / "cache")["train"]
        lines = []
        for sensor, pixels in (("color", "rgb24"), ("depth", "gray")):
            ours = reading(decoded, (sensor,), CLIPS)
            by_hand = alternate(ours, bare(decoded, sensor, pixels, arrays=True), rounds=9)
            least = alternate(ours, bare(decoded, sensor, pixels, arrays=False), rounds=9)
            lines += [
                by_hand.show(f"video: {CLIPS} clips of {sensor} / PyAV's loop into arrays", 1.2),
                least.show(f"video: {CLIPS} clips of {sensor} / PyAV's loop, pixels left there", 1.2),
            ]
        rate = alternate(reading(packed, SENSORS, BATCH), reading(decoded, SENSORS, BATCH), rounds=5)
        lines.append(rate.show(f"video: {BATCH} clips of both, packed / decoded", 0.1))
        return [*lines, memory(data, packed)]


def reading(source: Source, sensors: tuple[str, ...], clips: int) -> Callable[[], None]:
    """A batch of clips of these sensors, not in their order."""
    indices = np.random.default_rng(0).permutation(clips)

    def read() -> None:
        for sensor in sensors:
            source.read(sensor, indices)

    return read


def bare(source, sensor: str, pixels: str, *, arrays: bool) -> Callable[[], None]:
    """The same frames by a loop over PyAV; `arrays`: with their pixels as one array a clip."""
    clips = [source.clips[index].frames[sensor] for index in range(CLIPS)]
    jobs = [(source.root / clip.video, source.window.numbers(clip)) for clip in clips]
    size = source.window.resize

    def loop() -> None:
        for path, numbers in jobs:
            kept = []
            reformatter = VideoReformatter()
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                container.seek(int(numbers[0]), stream=stream)
                for frame in container.decode(stream):
                    if frame.pts < numbers[0]:
                        continue
                    resized = reformatter.reformat(frame, size, size, pixels, threads=1)
                    kept.append(resized.to_ndarray() if arrays else resized)
                    if frame.pts == numbers[-1]:
                        break
            if arrays:
                np.stack(kept)

    return loop


def memory(data: NvGesture, packed: Source) -> str:
    """Peak memory while a training batch is made, crops and flips included, in batches of float32."""
    infos = data.describe().modalities
    made = Loader(
        packed,
        infos,
        place_for(Train(epochs=1, device="cpu")),
        batch_size=BATCH,
        augmentations={m: data.augmentations(m, "train") for m in infos},
    )
    for _ in made.shuffled(1):  # from now on the pages of the pack are in memory, and do not count
        pass
    size = sum(int(np.prod(info.shape)) for info in infos.values()) * 4 * BATCH
    ratio = growth(lambda: next(made.shuffled(2))) / size
    verdict = "holds" if ratio <= 2 else "BROKEN"
    what = f"video: memory for a batch of {BATCH} / the batch"
    return f"{what:<58} {ratio:6.3f} {'':<16} {size / 2**20:9.0f} MiB a batch (at most 2: {verdict})"
