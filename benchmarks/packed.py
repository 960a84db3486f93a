"""Reading packed samples against unpickling them, as the released code of Wu et al. does; memory of clips."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import numpy as np
import torch

from benchmarks.paired import alternate
from mmspec.data.loader import Loader
from mmspec.data.packing import open_packed
from mmspec.engine.placement import place_for
from mmspec.plugins.api import (
    ArraySource,
    DataInfo,
    Dataset,
    HorizontalFlip,
    ModalityInfo,
    load_torchvision,
)
from mmspec.spec.model import Train

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OBJECTS, EPOCHS, BATCH, VIEWS = 64, 2, 8, {"front": 0, "rear": 6}


def packed() -> list[str]:
    """Two views of 224 x 224 a sample, flipped and normalised, in batches of 8; files in the page cache."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ours = in_batches(loader(root / "cache"))
        released = alternate(ours, in_samples(root, save_by_torch, load_by_torch), rounds=9)
        newest = alternate(ours, in_samples(root, save_by_pickle, load_by_pickle), rounds=9)
    each = float(np.median(released.ours)) * 1e3 / (OBJECTS * EPOCHS)
    verdict = "holds" if each <= 1 else "BROKEN"
    return [
        released.show("packed: two views / twelve by torch.load, two used", 1 / 20),
        newest.show("packed: two views / twelve by pickle's newest protocol", None),
        f"{'packed: one sample of two views':<58} {each:6.3f} ms {'':<13} (at most 1: {verdict})",
        clips(),
    ]


def objects() -> np.ndarray:
    """Balls on white, shaded, each view lit from elsewhere. (OBJECTS, 12, 224, 224, 3) uint8."""
    random = np.random.default_rng(0)
    y, x = (np.mgrid[:224, :224] - 112.0) / 112
    views = np.empty((OBJECTS, 12, 224, 224), np.uint8)
    for number in range(OBJECTS):
        z = np.sqrt(np.maximum(random.uniform(0.3, 0.9) ** 2 - x**2 - y**2, 0))
        for view, angle in enumerate(np.linspace(0, 2 * np.pi, 12, endpoint=False)):
            light = 130 + 100 * (0.5 * np.cos(angle) * x + 0.5 * np.sin(angle) * y + z)
            views[number, view] = np.where(z > 0, light.clip(0, 255), 255)
    return np.repeat(views[..., None], 3, axis=-1)


@attrs.frozen(kw_only=True)
class TwoViews(Dataset):
    """The views that a spec asks for, out of the twelve."""

    def describe(self):
        infos = {m: ModalityInfo((3, 224, 224), mean=MEAN, std=STD) for m in VIEWS}
        return DataInfo(infos, ("0", "1"), {"train": "train"})

    def open(self, modalities):
        views = objects()
        arrays = {m: np.ascontiguousarray(views[:, VIEWS[m]].transpose(0, 3, 1, 2)) for m in modalities}
        return {"train": ArraySource(arrays, np.arange(OBJECTS) % 2, np.arange(OBJECTS))}

    def fingerprint(self):
        return "benchmark"


def loader(cache: Path) -> Loader:
    """Ours, placed as a run on a CPU is."""
    data = TwoViews()
    return Loader(
        open_packed(data, tuple(VIEWS), cache)["train"],
        data.describe().modalities,
        place_for(Train(epochs=1, device="cpu")),
        batch_size=BATCH,
        augmentations={m: [HorizontalFlip(stream=m)] for m in VIEWS},
    )


def in_batches(made: Loader) -> Callable[[], None]:
    """Two epochs a call."""

    def epochs() -> None:
        for epoch in range(EPOCHS):
            for _ in made.shuffled(epoch):
                pass

    return epochs


def save_by_torch(views: np.ndarray, path: Path) -> None:
    """As the released code caches an object: numpy's pickle of protocol 2, twice the size of the pixels."""
    torch.save(views, path)


def load_by_torch(path: Path) -> np.ndarray:
    return torch.load(path, weights_only=False)


def save_by_pickle(views: np.ndarray, path: Path) -> None:
    path.write_bytes(pickle.dumps(views, protocol=pickle.HIGHEST_PROTOCOL))


def load_by_pickle(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return pickle.load(file)


def in_samples(
    root: Path, save: Callable[[np.ndarray, Path], None], load: Callable[[Path], np.ndarray]
) -> Callable[[], None]:
    """Theirs: an object's twelve views unpickled, and two of them used, transformed by torchvision."""
    paths = [root / f"{save.__name__}-{number}" for number in range(OBJECTS)]
    for path, views in zip(paths, objects(), strict=True):
        save(views, path)
    load_torchvision()
    from torchvision import transforms

    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.RandomHorizontalFlip(), transforms.Normalize(MEAN, STD)]
    )
    random = np.random.default_rng(1)

    def samples() -> Iterator[list[torch.Tensor]]:
        for number in np.concatenate([random.permutation(OBJECTS) for _ in range(EPOCHS)]):
            views = load(paths[number])
            yield [transform(views[view]) for view in VIEWS.values()]

    def epochs() -> None:
        batch = []
        for sample in samples():
            batch.append(sample)
            if len(batch) == BATCH:
                for views in zip(*batch, strict=True):
                    torch.stack(views)
                batch = []

    return epochs


def clips() -> str:
    """Peak memory while a batch of 8 clips of 64 frames is made, colour and depth, in batches of float32."""
    infos = {"color": ModalityInfo((3, 64, 112, 112)), "depth": ModalityInfo((1, 64, 112, 112))}
    arrays = {m: np.zeros((16, *info.shape), np.uint8) for m, info in infos.items()}
    made = Loader(
        ArraySource(arrays, np.arange(16) % 2, np.arange(16)),
        infos,
        place_for(Train(epochs=1, device="cpu")),
        batch_size=BATCH,
        augmentations={m: [HorizontalFlip(stream="together")] for m in infos},
    )
    next(made.shuffled(1))
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    batch = next(made.shuffled(2))
    ratio = (_memory("VmHWM") - before) / sum(x.nbytes for x in batch.inputs.values())
    verdict = "holds" if ratio <= 2 else "BROKEN"
    return f"{'clips: memory for a batch / the batch':<58} {ratio:6.3f} {'':<16} (at most 2: {verdict})"


def _memory(what: str) -> int:
    """A figure of this process, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))
