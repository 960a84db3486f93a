"""Reads packed data for several epochs: `python epochs.py CACHE SAMPLES LIMIT`, the limit in MB beyond what
the process has when it begins to read; 0: none. Prints what it measured as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import attrs
import numpy as np
import torch

from mmspec.data.loader import Loader, Placement
from mmspec.data.packing import open_packed, pack
from mmspec.plugins.api import DataInfo, Dataset, HorizontalFlip, ModalityInfo, Source

SHAPE = (3, 224, 224)
EPOCHS = 9


class Grey(Source):
    """Sample i is of one value."""

    def __init__(self, samples):
        self.ids, self.targets, self.groups = np.arange(samples), np.arange(samples) % 2, {}

    def read(self, modality, indices):
        return np.broadcast_to((indices % 251).astype(np.uint8).reshape(-1, 1, 1, 1), (len(indices), *SHAPE))


@attrs.frozen(kw_only=True)
class Large(Dataset):
    samples: int

    def describe(self):
        return DataInfo({"a": ModalityInfo(SHAPE)}, ("0", "1"), {"train": "train"})

    def open(self, modalities):
        return {"train": Grey(self.samples)}

    def fingerprint(self):
        return f"large-{self.samples}"


def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1000


def main(cache, samples, limit):
    torch.set_num_threads(1)
    pack(Large(samples=samples), ("a",), cache)
    if limit:
        allowed = int((status("VmData") + limit) * 1000) * 1000
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    made = Loader(
        open_packed(Large(samples=samples), ("a",), cache)["train"],
        {"a": ModalityInfo(SHAPE)},
        Placement(torch.device("cpu"), channels_last=True),
        batch_size=8,
        augmentations={"a": [HorizontalFlip(stream="a")]},
    )
    epochs = []
    for epoch in range(EPOCHS):
        for batch in made.shuffled(epoch):
            expected = (batch.index % 251).float() / 255
            assert torch.allclose(batch.inputs["a"][:, 2, 223, 223], expected)
        epochs.append(status("RssAnon"))
    print(json.dumps({"data": samples * np.prod(SHAPE) / 1e6, "epochs": epochs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
