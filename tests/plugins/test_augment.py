"""Crops: anywhere in training, in the middle elsewhere; together over modalities and frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmspec.errors import DataError
from mmspec.plugins.augment import CenterCrop, RandomCrop


def ramps(samples, *space):
    """Samples whose values say where they come from: (N, 1, *space), each the flat position in its space."""
    return torch.arange(int(np.prod(space))).view(1, 1, *space).expand(samples, 1, *space).contiguous()


def corner(cut, shape):
    """Where each crop of a ramp of `shape` begins. (N, axes)"""
    return np.stack(np.unravel_index(cut.flatten(1)[:, 0].numpy(), shape), axis=1)


@pytest.mark.parametrize(("space", "shape"), [((5, 6, 7), (3, 4, 5)), ((6, 7), (4, 5))])
def test_a_random_crop_is_a_piece_of_the_sample(space, shape):
    batch = ramps(300, *space)
    cut = RandomCrop(stream="s", shape=shape)(batch, 0, 1, np.arange(300))
    starts = corner(cut, space)
    for piece, sample, start in zip(cut, batch, starts, strict=True):
        window = tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
        assert torch.equal(piece[0], sample[0][window])
    for axis, (has, wanted) in enumerate(zip(space, shape, strict=True)):
        places, counts = np.unique(starts[:, axis], return_counts=True)
        assert places.tolist() == list(range(has - wanted + 1))
        assert counts.min() > 60  # of 100 expected
    assert abs(np.corrcoef(starts.T) - np.eye(len(space))).max() < 0.2


def test_a_crop_depends_on_seed_epoch_sample_and_stream_alone():
    batch, samples = ramps(50, 9, 20, 20), np.arange(50)
    crop = RandomCrop(stream="s", shape=(4, 8, 8))
    whole = crop(batch, 0, 1, samples)
    order = np.array([7, 2, 5])
    assert torch.equal(crop(batch[order], 0, 1, samples[order]), whole[order])
    assert torch.equal(crop(batch, 0, 1, samples), whole)
    others = [crop(batch, 0, 2, samples), crop(batch, 1, 1, samples)]
    others.append(RandomCrop(stream="other", shape=(4, 8, 8))(batch, 0, 1, samples))
    for other in others:
        assert (corner(other, (9, 20, 20)) != corner(whole, (9, 20, 20))).any(axis=1).mean() > 0.9


def test_modalities_of_one_stream_are_cut_alike():
    samples = np.arange(40)
    color, depth = ramps(40, 9, 20, 20).expand(40, 3, 9, 20, 20), ramps(40, 9, 20, 20)
    cut = {
        c: RandomCrop(stream="clip", shape=(4, 8, 8))(x, 3, 2, samples)
        for c, x in (("c", color), ("d", depth))
    }
    assert cut["c"].shape == (40, 3, 4, 8, 8)
    assert all(torch.equal(cut["c"][:, channel], cut["d"][:, 0]) for channel in range(3))


def test_where_there_is_no_room_along_an_axis_only_the_others_are_cut():
    batch = ramps(30, 4, 9, 9)
    cut = RandomCrop(stream="s", shape=(4, 5, 5))(batch, 0, 1, np.arange(30))
    starts = corner(cut, (4, 9, 9))
    assert not starts[:, 0].any()
    assert len(np.unique(starts[:, 1])) == 5


@pytest.mark.parametrize("crop", [RandomCrop(stream="s", shape=(3, 4)), CenterCrop(shape=(3, 4))])
def test_a_sample_of_the_right_size_is_not_copied(crop):
    batch = torch.zeros(5, 2, 3, 4, dtype=torch.uint8)
    assert crop(batch, 0, 1, np.arange(5)).data_ptr() == batch.data_ptr()


def test_the_middle_is_the_middle():
    cut = CenterCrop(shape=(4, 2, 3))(ramps(2, 8, 5, 3), 7, 9, np.arange(2))
    assert corner(cut, (8, 5, 3)).tolist() == [[2, 1, 0]] * 2
    assert cut.shape == (2, 1, 4, 2, 3)


@pytest.mark.parametrize("crop", [RandomCrop(stream="s", shape=(3, 9)), CenterCrop(shape=(3, 9))])
def test_samples_that_are_too_small_are_refused(crop):
    with pytest.raises(DataError, match=r"shape \(2, 3, 4\) are smaller than the crop, \(3, 9\)"):
        crop(torch.zeros(5, 2, 3, 4), 0, 1, np.arange(5))
