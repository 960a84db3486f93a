"""Crops: anywhere in training, in the middle elsewhere, resized; together over modalities and frames."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from mmspec.errors import DataError
from mmspec.plugins.api import load_torchvision
from mmspec.plugins.augment import CenterCrop, RandomCrop, RandomResizedCrop


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


# ---------------------------------------------------------------- resized crops


RESIZED = RandomResizedCrop(stream="s", shape=(8, 6))


def test_a_resized_crop_is_the_piece_as_torchvision_resizes_it():
    samples = np.arange(40)
    batch = torch.randint(0, 256, (40, 3, 20, 30), generator=torch.Generator().manual_seed(0)).byte()
    done = RESIZED(batch, 3, 1, samples)
    assert (done.shape, done.dtype) == ((40, 3, 8, 6), torch.uint8)
    resized_crop = load_torchvision().transforms.functional.resized_crop
    for image, sample, box in zip(done, batch, RESIZED.boxes((20, 30), 3, 1, samples).tolist(), strict=True):
        expected = resized_crop(sample.float(), *box, [8, 6], antialias=True)
        assert (image.float() - expected).abs().max() <= 0.5 + 1e-4  # rounded to bytes, no more


def test_areas_and_aspects_are_spread_as_torchvisions():
    crop = RandomResizedCrop(stream="s", shape=(8, 8), scale=(0.2, 0.9))
    ours = crop.boxes((200, 240), 0, 1, np.arange(3000))
    draw = load_torchvision().transforms.RandomResizedCrop.get_params
    image = torch.empty(3, 200, 240)
    torch.manual_seed(0)
    theirs = np.array([draw(image, [0.2, 0.9], [3 / 4, 4 / 3]) for _ in range(3000)])
    for column in range(4):
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3
    assert (ours[:, :2] >= 0).all()
    assert (ours[:, :2] + ours[:, 2:] <= (200, 240)).all()


@pytest.mark.parametrize(
    ("size", "box"), [((10, 100), [0, 43, 10, 13]), ((100, 10), [43, 0, 13, 10]), ((30, 30), [0, 0, 30, 30])]
)
def test_where_no_draw_fits_the_middle_is_taken(size, box):
    crop = RandomResizedCrop(stream="s", shape=(5, 5), scale=(1.0, 1.0), ratio=(3 / 4, 4 / 3))
    if size == (30, 30):
        crop = attrs.evolve(crop, scale=(2.0, 2.0))
    assert crop.boxes(size, 0, 1, np.arange(4)).tolist() == [box] * 4


def test_a_resized_crop_depends_on_seed_epoch_sample_and_stream_alone():
    batch, samples = ramps(50, 20, 20).float(), np.arange(50)
    whole = RESIZED(batch, 0, 1, samples)
    order = np.array([7, 2, 5])
    assert torch.equal(RESIZED(batch[order], 0, 1, samples[order]), whole[order])
    others = [RESIZED(batch, 0, 2, samples), RESIZED(batch, 1, 1, samples)]
    others.append(attrs.evolve(RESIZED, stream="other")(batch, 0, 1, samples))
    assert all((other != whole).flatten(1).any(dim=1).float().mean() > 0.9 for other in others)


def test_frames_of_a_clip_are_cut_alike():
    clips = torch.rand(4, 3, 1, 16, 16).expand(4, 3, 5, 16, 16)
    done = RESIZED(clips, 0, 1, np.arange(4))
    assert done.shape == (4, 3, 5, 8, 6)
    assert all(torch.equal(done[:, :, frame], done[:, :, 0]) for frame in range(5))


def test_only_what_draws_is_random():
    assert not CenterCrop(shape=(4, 4)).is_random
    assert RandomCrop(stream="x", shape=(4, 4)).is_random
