"""Order, augmentation, splits, packing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import TinyData

from mmspec.data.loader import Loader, Placement
from mmspec.data.samplers import KPerGroup
from mmspec.data.splits import validation_positions, with_validation
from mmspec.errors import DataError
from mmspec.plugins.api import ArraySource
from mmspec.plugins.augment import HorizontalFlip, RandomShift, keyed_uniform
from mmspec.spec.model import Split

CPU = Placement(torch.device("cpu"))


def loader(data=None, **options):
    data = data or TinyData()
    return Loader(
        data.open(("a", "b"))["train"],
        data.describe().modalities,
        CPU,
        **{"batch_size": 4, "seed": 1, **options},
    )


@pytest.mark.parametrize("sampler", [None, KPerGroup(k=2, group="pair")])
def test_a_resumed_epoch_goes_on_where_it_was(sampler):
    whole = [batch.index.tolist() for batch in loader(sampler=sampler).shuffled(2)]
    assert len(loader(sampler=sampler)) == len(whole)
    assert [b.index.tolist() for b in loader(sampler=sampler).shuffled(2, start=3)] == whole[3:]


def test_batches_are_normalised():
    data = TinyData()
    raw = data.open(("a",))["train"].arrays["a"]
    batch = next(loader(data).ordered())
    assert torch.allclose(batch.inputs["a"], (torch.from_numpy(raw[:4]) / 255 - 0.5) / 0.5)


def test_channels_last_changes_layout_not_values():
    place = Placement(torch.device("cpu"), channels_last=True)
    data = TinyData()
    last = Loader(data.open(("a",))["train"], {"a": data.describe().modalities["a"]}, place, batch_size=4)
    batch = next(last.ordered())
    assert batch.inputs["a"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch.inputs["a"], next(loader().ordered()).inputs["a"])


def test_keyed_uniform_is_uniform_and_keyed():
    samples = np.arange(20_000)
    values = keyed_uniform(0, 1, samples, "x")
    assert abs(values.mean() - 0.5) < 0.01
    assert abs(values.var() - 1 / 12) < 0.005
    assert np.histogram(values, 20, (0, 1))[0].min() > 850
    others = [
        keyed_uniform(1, 1, samples, "x"),
        keyed_uniform(0, 2, samples, "x"),
        keyed_uniform(0, 1, samples, "y"),
    ]
    for other in others:
        assert abs(np.corrcoef(values, other)[0, 1]) < 0.03
    assert np.array_equal(keyed_uniform(0, 1, samples[5:9], "x"), values[5:9])


@pytest.mark.parametrize("make", [HorizontalFlip, lambda stream: RandomShift(stream=stream, pixels=2)])
def test_augmentation_depends_on_the_sample_not_on_its_batch(make):
    images = torch.randint(0, 255, (10, 3, 6, 6), dtype=torch.uint8)
    samples = np.arange(10)
    whole = make(stream="s")(images, 0, 1, samples)
    order = np.array([7, 2, 5])
    assert torch.equal(make(stream="s")(images[order], 0, 1, samples[order]), whole[order])
    assert not torch.equal(make(stream="s")(images, 0, 2, samples), whole)
    assert not torch.equal(make(stream="other")(images, 0, 1, samples), whole)
    assert torch.equal(make(stream="s")(images, 0, 1, samples), whole)


def test_shift_moves_whole_images():
    image = torch.zeros(40, 1, 7, 7, dtype=torch.uint8)
    image[:, :, 3, 3] = 9
    moved = RandomShift(stream="s", pixels=2)(image, 0, 1, np.arange(40))
    assert (moved.flatten(1).sum(1) == 9).all()
    places = {tuple(p) for p in moved.nonzero()[:, 2:].tolist()}
    assert {row for row, _ in places} == {column for _, column in places} == {1, 2, 3, 4, 5}


def test_flip_mirrors_about_half():
    images = torch.arange(4).repeat(1000, 1, 1, 1).to(torch.uint8)
    flipped = HorizontalFlip(stream="s")(images, 0, 1, np.arange(1000))[:, 0, 0, 0] == 3
    assert 430 < int(flipped.sum()) < 570


def source(n=60):
    return TinyData(samples=n).open(("a",))


def test_validation_is_taken_out_of_training():
    sources = source()
    made = with_validation({"train": sources["train"]}, Split(fraction=0.25, seed=3))
    train, val = made["train"], made["val"]
    assert sorted([*train.ids, *val.ids]) == sorted(sources["train"].ids)
    for c in range(3):
        assert abs((val.targets == c).sum() - 0.25 * (sources["train"].targets == c).sum()) <= 0.5
    assert np.array_equal(val.read("a", np.array([0])), sources["train"].read("a", val.chosen[:1]))


def test_groups_stay_on_one_side():
    made = with_validation({"train": source()["train"]}, Split(fraction=0.3, group_by="pair"))
    assert not set(made["train"].groups["pair"]) & set(made["val"].groups["pair"])
    assert len(made["val"]) == 18


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(fraction=0.001), "leaves no sample for 'val'"),
        (Split(fraction=0.999), "leaves no sample for 'train'"),
        (Split(fraction=0.5, group_by="subject"), "the groupings of this dataset are: pair"),
    ],
)
def test_splits_that_cannot_be(split, message):
    with pytest.raises(DataError, match=message):
        with_validation({"train": source()["train"]}, split)


def test_the_same_seed_gives_the_same_split():
    train = source()["train"]
    a, b, c = (validation_positions(train, Split(fraction=0.2, seed=s)) for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_split_can_take_the_same_share_of_every_object():
    objects = np.repeat(np.arange(49), 40)
    train = ArraySource({}, objects % 7, np.arange(len(objects)), {"object": objects})
    held_out = validation_positions(train, Split(fraction=0.2, stratify="object"))
    assert np.bincount(objects[held_out]).tolist() == [8] * 49
    assert np.array_equal(held_out, validation_positions(train, Split(fraction=0.2, stratify="object")))
    with pytest.raises(DataError, match=r"stratify = 'view': the groupings of this dataset are: object"):
        validation_positions(train, Split(fraction=0.2, stratify="view"))
