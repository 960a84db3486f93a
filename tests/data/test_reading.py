"""Batches by other processes, and in memory that does not grow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from packable import Packable
from tiny import TinyData

from mmspec.data.loader import Loader, Normalize, Placement
from mmspec.data.packing import open_packed
from mmspec.errors import DataError, RunError
from mmspec.plugins.api import ArraySource, HorizontalFlip, ModalityInfo, Source

CPU = Placement(torch.device("cpu"))
LAST = Placement(torch.device("cpu"), channels_last=True)


class Troubled(Source):
    """Sample 5 is damaged, or takes its process with it."""

    def __init__(self, deadly=False):
        self.ids = self.targets = np.arange(12)
        self.groups = {}
        self.deadly, self.owner = deadly, os.getpid()

    def read(self, modality, indices):
        if 5 in indices and self.deadly and os.getpid() != self.owner:
            os.kill(os.getpid(), signal.SIGKILL)
        if 5 in indices and not self.deadly:
            raise DataError("sample 5 is damaged", hint="fetch it again")
        return np.zeros((len(indices), 3, 4, 4), np.uint8)


def loader(source, modalities=None, place=CPU, **options):
    infos = modalities or {"a": ModalityInfo((3, 4, 4))}
    return Loader(source, infos, place, **{"batch_size": 4, "seed": 1, **options})


@pytest.mark.parametrize("packed", [False, True])
def test_batches_do_not_depend_on_who_reads_them(tmp_path, packed):
    data = TinyData(shift=1)
    opened = open_packed(data, ("a", "b"), tmp_path) if packed else data.open(("a", "b"))
    options = {
        "modalities": data.describe().modalities,
        "augmentations": {m: (*data.augmentations(m, "train"), HorizontalFlip(stream=m)) for m in "ab"},
    }
    alone = loader(opened["train"], **options)
    by_others = loader(opened["train"], workers=2, **options)
    for batches in (lambda made: made.shuffled(3), lambda made: made.shuffled(2, start=2), Loader.ordered):
        pairs = list(zip(batches(alone), batches(by_others), strict=True))
        assert pairs
        for one, other in pairs:
            assert torch.equal(one.index, other.index)
            assert torch.equal(one.target, other.target)
            assert all(torch.equal(one.inputs[m], other.inputs[m]) for m in "ab")


def test_an_epoch_left_early_leaves_nothing_behind():
    made = loader(TinyData().open(("a",))["train"], {"a": ModalityInfo((2, 4, 4))}, workers=2)
    next(made.shuffled(1))
    assert [b.index.tolist() for b in made.ordered()] == [
        list(range(i, min(i + 4, 22))) for i in range(0, 22, 4)
    ]


def test_reading_processes_hand_over_shared_memory():
    data = TinyData()
    made = loader(data.open(("a",))["train"], {"a": data.describe().modalities["a"]}, workers=1)
    _, raw = next(made._reading.batches([np.array([1, 2])]))
    assert raw["a"].is_shared()
    assert raw["a"].dtype == torch.uint8


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_sample_is_said_as_it_is(workers):
    with pytest.raises(DataError) as caught:
        list(loader(Troubled(), workers=workers).ordered())
    (problem,) = caught.value.problems
    assert problem.what == "sample 5 is damaged"
    assert problem.hint == "fetch it again"


def test_a_dead_reading_process_is_said():
    with pytest.raises(RunError, match="a process that reads samples died") as caught:
        list(loader(Troubled(deadly=True), workers=2).ordered())
    assert "train.workers" in caught.value.problems[0].hint


@pytest.mark.parametrize("place", [CPU, LAST, Placement(torch.device("cpu"), torch.float64, True)])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 5, 7), (3, 1, 1), (3, 6, 5, 7), (4,)])
@pytest.mark.parametrize("stored_last", [False, True])
def test_normalised_by_channel_whatever_the_layout(place, shape, stored_last):
    mean, std = tuple(range(1, shape[0] + 1)), tuple(range(2, shape[0] + 2))
    raw = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (2, *shape), dtype=np.uint8))
    wide = (shape[0], *[1] * (len(shape) - 1))
    expected = (raw.double() / 255 - torch.tensor(mean).view(wide)) / torch.tensor(std).view(wide)
    if stored_last and raw.ndim == 4:
        raw = raw.contiguous(memory_format=torch.channels_last)
    before = raw.clone()
    x = Normalize(ModalityInfo(shape, mean=mean, std=std), place)(raw)
    assert x.dtype == place.dtype
    assert torch.allclose(x.double(), expected, atol=1e-6)
    layout = torch.channels_last if place.channels_last and raw.ndim == 4 else torch.contiguous_format
    assert x.is_contiguous(memory_format=layout)
    assert torch.equal(raw, before)


def test_what_a_source_keeps_is_not_touched():
    class Keeps(ArraySource):
        def read(self, modality, indices):
            return self.arrays[modality]

    kept = np.ones((4, 2, 3, 3), np.float32)
    source = Keeps({"a": kept}, np.zeros(4, int), np.arange(4))
    info = ModalityInfo((2, 3, 3), dtype="float32", scale=1.0, mean=(3.0,), std=(2.0,))
    batch = next(loader(source, {"a": info}).ordered())
    assert (batch.inputs["a"] == -1).all()
    assert (kept == 1).all()


# ---------------------------------------------------------------- memory


def memory_of_epochs(tmp_path, samples, limit):
    """An epoch's end by `(resident memory but that of files, in MB)`, in a process with a limit, in MB.

    What is freed goes back to the system at once there: else the allocator, which keeps some of it and now
    and then finds another place for a batch, is what is measured.
    """
    script = Path(__file__).with_name("epochs.py")
    arguments = [sys.executable, script, tmp_path, str(samples), str(limit)]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def growth(epochs):
    return max(epochs) - epochs[0]


def test_memory_does_not_grow_with_epochs(tmp_path):
    told = memory_of_epochs(tmp_path, samples=160, limit=0)  # 24 MB, batches of 1.2 MB as read
    assert growth(told["epochs"]) < 1


@pytest.mark.slow
def test_more_data_are_read_than_there_is_memory(tmp_path):
    told = memory_of_epochs(tmp_path, samples=2000, limit=150)  # 301 MB
    assert told["data"] > 300
    assert growth(told["epochs"]) < 1


def test_a_shape_that_is_packed_may_differ_between_splits(tmp_path):
    opened = open_packed(Packable(), ("a",), tmp_path)
    assert next(loader(opened["val"], {"a": ModalityInfo((3, 5, 5))}).ordered()).inputs["a"].shape == (
        4, 3, 5, 5,
    )  # fmt: skip
