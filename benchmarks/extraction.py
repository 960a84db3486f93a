"""Extraction of features against a hand-written loop that writes to the same kind of array."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import numpy as np
import torch

from benchmarks.paired import alternate
from mmspec.engine.extraction import Extraction
from mmspec.plugins.api import ArraySource, DataInfo, ModalityInfo, Source
from mmspec.plugins.plan import ExtractPlan
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

SPEC = """
mmspec = 1
name = "extraction"
dataset = "colored_digits"
modalities.color.backbone = {{ use = "{backbone}" }}
extract = "{layer}"
train = {{ batch_size = {batch} }}
"""


def extraction() -> list[str]:
    """Features of ResNet-18 and of the digits' network, and what a large table costs in memory."""
    torch.set_num_threads(1)
    lines = []
    for what, backbone, layer, size, samples, batch in (
        ("ResNet-18 at 64, features", "resnet18", "features", 64, 512, 32),
        ("ResNet-18 at 64, layer1 (16 384 columns)", "resnet18", "stages.layer1", 64, 1024, 32),
        ("digits network, features", "small_cnn", "features", 28, 16_384, 64),
    ):
        plan = plan_of(backbone, layer, batch, Pictures(size=size, samples=samples))
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = ways(plan, Path(folder))
            lines.append(alternate(ours, theirs, rounds=21).show(f"{what} / by hand", 1.05))
    return [*lines, memory()]


def plan_of(backbone: str, layer: str, batch: int, data: object) -> ExtractPlan:
    """A stage that extracts from these data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "extraction.toml"
        path.write_text(SPEC.format(backbone=backbone, layer=layer, batch=batch))
        (plan,) = resolve(read_document(path, ()))[0].stages
    return attrs.evolve(plan, dataset=data, splits={"train": "train"})


def ways(plan: ExtractPlan, folder: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """Extraction, and the loop by hand over the same network; their tables are equal."""
    stage = Extraction(plan, 0)
    (source,) = stage.sources.values()
    assert isinstance(source, ArraySource)
    layer, size = plan.spec.extract.layer, plan.spec.train.batch_size
    info = plan.dataset.describe().modalities["color"]
    network = stage.network
    assert network is not None

    def ours() -> None:
        stage.write(folder / "ours", {}, lambda *_: None)

    @torch.no_grad()
    def theirs() -> None:
        network.eval()
        raw = source.arrays["color"]
        table = None
        for start in range(0, len(raw), size):
            x = torch.from_numpy(raw[start : start + size]).contiguous(memory_format=torch.channels_last)
            x = x.float().mul_(info.scale)
            rows = _rows(network, layer, x).numpy()
            if table is None:
                shape = (len(raw), rows.shape[1])
                table = np.lib.format.open_memmap(folder / "theirs.npy", "w+", np.float32, shape)
            table[start : start + size] = rows
        assert table is not None
        table.flush()

    ours()
    theirs()
    written = [np.load(path) for path in (folder / "ours" / "values.npy", folder / "theirs.npy")]
    assert np.allclose(*written, rtol=1e-4, atol=1e-5)
    return ours, theirs


def _rows(network: torch.nn.Module, layer: str, x: torch.Tensor) -> torch.Tensor:
    """What a layer gives, (N, D); nothing behind it is computed."""
    if layer == "features":
        return network({"color": x}).features["color"]
    for name, stage in network.branches["color"].stages.items():
        x = stage(x)
        if layer == f"stages.{name}":
            break
    return x.flatten(1)


def memory() -> str:
    """Peak memory of processes that write a table, and one of ten times as many rows."""
    peaks = {}
    for samples in (2_000, 20_000):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.extraction", str(samples)],
            check=True,
            capture_output=True,
            text=True,
        )
        peaks[samples] = int(done.stdout) / 1024
    small, large = peaks.values()
    verdict = "holds" if large - small <= 16 else "BROKEN"
    return (
        f"{'peak memory: a table of 20 000 x 4096 (313 MiB) / of 2 000':<58} {large / small:6.3f} "
        f"{'':<16} {large:9.0f} / {small:9.0f} MiB (at most 16 MiB more: {verdict})"
    )


def write_table(samples: int) -> None:
    """A table of so many rows of 4096 columns, of pictures that are made when they are read."""
    plan = plan_of("small_cnn", "stages.conv1", 64, Pictures(size=16, samples=samples, lazily=True))
    with tempfile.TemporaryDirectory() as folder:
        Extraction(plan, 0).write(Path(folder) / "table", {}, lambda *_: None)


@attrs.frozen
class Pictures:
    """Random pictures in one split; `lazily`: made when they are read, so that they need no memory."""

    size: int
    samples: int
    lazily: bool = False

    def describe(self) -> DataInfo:
        info = ModalityInfo((3, self.size, self.size))
        return DataInfo({"color": info}, tuple("0123456789"), {"train": "train"})

    def check(self) -> tuple[()]:
        return ()

    def open(self, modalities: object) -> Mapping[str, Source]:
        shape, number = (3, self.size, self.size), np.arange(self.samples)
        if self.lazily:
            return {"train": Lazy(shape, number % 10, number)}
        pictures = np.random.default_rng(0).integers(0, 255, (self.samples, *shape), dtype=np.uint8)
        return {"train": ArraySource({"color": pictures}, number % 10, number)}

    def augmentations(self, modality: str, role: str) -> tuple[()]:
        return ()


class Lazy(Source):
    """Pictures that are made when they are read."""

    def __init__(self, shape: tuple[int, ...], targets: np.ndarray, ids: np.ndarray) -> None:
        self.shape, self.targets, self.ids, self.groups = shape, targets, ids, {}

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        return np.random.default_rng(int(indices[0])).integers(
            0, 255, (len(indices), *self.shape), dtype=np.uint8
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_table(int(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
