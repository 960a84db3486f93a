"""Samplers: everything once an epoch, or so many of each group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmspec.data.samplers import KPerGroup, Shuffle
from mmspec.errors import DataError
from mmspec.plugins.api import ArraySource, DataInfo, Outline


def source(sizes, classes=3):
    """A split with a group of each size, its samples mixed."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(3).shuffle(groups)
    ids = np.arange(len(groups))
    return ArraySource({}, groups % classes, ids, {"object": groups})


def batches(sampler, data, batch_size=8, seed=0, epoch=1):
    return sampler.batches(data, batch_size=batch_size, seed=seed, epoch=epoch)


@given(st.integers(0, 2**31), st.integers(1, 1000), st.integers(1, 50), st.integers(1, 9))
def test_shuffling_visits_each_sample_once(seed, epoch, samples, batch_size):
    found = batches(Shuffle(), source([samples]), batch_size, seed, epoch)
    assert sorted(np.concatenate(found)) == list(range(samples))
    assert {len(batch) for batch in found[:-1]} <= {batch_size}


def test_orders_differ_between_epochs_and_seeds():
    orders = [tuple(batches(Shuffle(), source([50]), 50, s, e)[0]) for s in (0, 1) for e in (1, 2)]
    assert len(set(orders)) == 4


@given(
    st.lists(st.integers(4, 12), min_size=2, max_size=7),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2**31),
)
def test_each_batch_has_k_of_each_of_its_groups_and_no_sample_comes_twice(sizes, k, at_once, seed):
    data = source(sizes)
    found = batches(KPerGroup(k=k, group="object"), data, k * at_once, seed)
    for batch in found:
        names, counts = np.unique(data.groups["object"][batch], return_counts=True)
        assert set(counts) == {k}
        assert len(names) <= at_once
    taken = np.concatenate(found)
    assert len(set(taken)) == len(taken)
    _, often = np.unique(data.groups["object"][taken], return_counts=True)
    assert set(often) == {min(sizes) // k * k}  # all groups alike, as often as the smallest allows
    assert len(often) == len(sizes)


def test_a_batch_that_has_room_for_all_groups_holds_all():
    data = source([32] * 49, classes=7)
    found = batches(KPerGroup(k=4, group="object"), data, 196)
    assert [len(np.unique(data.groups["object"][batch])) for batch in found] == [49] * 8


def test_the_surplus_is_another_each_epoch_and_epochs_are_equally_long():
    data = source([5, 20])
    epochs = [batches(KPerGroup(k=2, group="object"), data, 4, epoch=e) for e in range(1, 30)]
    assert {len(epoch) for epoch in epochs} == {2}
    assert set(np.concatenate([b for epoch in epochs for b in epoch])) == set(range(25))


def test_classes_are_a_grouping():
    data = source([6, 6, 6])
    (batch, *_) = batches(KPerGroup(k=2), data, 6)
    assert np.array_equal(np.unique(data.targets[batch], return_counts=True)[1], [2, 2, 2])


@pytest.mark.parametrize(
    ("k", "batch_size", "message"),
    [
        (3, 8, r"train\.batch_size = 8 is no multiple of k = 3\n  hint: for example 6"),
        (4, 8, "object 1 has 3 training samples, fewer than k = 4"),
    ],
)
def test_what_cannot_be_sampled_is_said(k, batch_size, message):
    with pytest.raises(DataError, match=message):
        batches(KPerGroup(k=k, group="object"), source([9, 3, 8]), batch_size)


def test_an_unknown_grouping_is_found_before_any_data():
    info = DataInfo({}, ("a",), {"train": "train"}, groups=("object",))
    outline = Outline(modalities=("m",), stages={}, data=info, splits=info.splits, fusion=None)
    (mistake,) = KPerGroup(k=2, group="objekt").mistakes(outline)
    assert mistake.option == "group"
    assert mistake.hint is not None
    assert 'did you mean "object"?' in mistake.hint
    assert KPerGroup(k=2, group="object").mistakes(outline) == ()
    assert KPerGroup(k=2).mistakes(outline) == ()
