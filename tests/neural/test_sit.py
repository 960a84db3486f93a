"""Noise matching and similarity to IT: the published formulas, whole distributions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmspec.errors import DataError
from mmspec_neural.noise import MULTI_UNIT_IT, NoiseModel, match_noise, matched_group_means, noise_scale
from mmspec_neural.rdm import compare_rdms, rdm
from mmspec_neural.rdm_torch import match_noise as match_noise_of_tensors
from mmspec_neural.sit import drawn_images, sit

PER_OBJECT, OBJECTS = 20, 21


def planted(noise, seed=0):
    """Features and responses (the same columns in another order and scale, scattered), and the objects."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(OBJECTS), PER_OBJECT)
    means = random.normal(0, 1, (7, 30)).repeat(3, axis=0) + random.normal(0, 0.7, (OBJECTS, 30))
    scatter = noise * random.normal(size=(2, len(groups), 30))
    return 5 * (means[groups] + scatter[0])[:, ::-1], means[groups] + scatter[1], groups


# ---------------------------------------------------------------- noise


def test_noise_is_matched_by_the_published_formula():
    random = np.random.default_rng(0)
    features, neural = random.normal(2, 3, (50, 8)), random.normal(1, 1, (50, 5))
    normal = random.normal(size=(50, 8))
    a, b, trials = 0.14, 0.92, 47
    variance = np.mean((a * neural + b) ** 2) / trials
    scaled = np.sqrt((np.var(neural) - variance) / np.var(features)) * features
    expected = scaled + (a * scaled + b) * normal / np.sqrt(trials)
    np.testing.assert_allclose(match_noise(features, neural, normal), expected, rtol=0, atol=1e-12)
    assert MULTI_UNIT_IT.variance(neural) == pytest.approx(variance, abs=1e-15)
    tensors = match_noise_of_tensors(*map(torch.from_numpy, (features, neural, normal)))
    np.testing.assert_allclose(tensors, expected, rtol=0, atol=1e-12)


def test_matched_features_vary_as_responses_do():
    random = np.random.default_rng(1)
    features, neural = 100 * random.normal(size=(400, 50)), random.normal(0, 1, (400, 60))
    noise = NoiseModel(slope=0.0, offset=0.5, trials=1)
    matched = match_noise(features, neural, random.normal(size=features.shape), noise)
    assert matched.var() == pytest.approx(neural.var(), rel=0.03)


def test_one_draw_for_a_group_is_as_good_as_one_for_each_sample():
    random = np.random.default_rng(2)
    features, neural = random.normal(2, 3, (12, 5)), random.normal(1, 1, (12, 4))
    normal, starts = random.normal(size=(12, 5)), np.array([0, 3, 7])
    each = match_noise(features, neural, normal)
    # The one draw that says what those of the samples say together.
    deviations = MULTI_UNIT_IT.deviation(noise_scale(features, neural) * features)
    parts = [slice(0, 3), slice(3, 7), slice(7, 12)]
    together = np.stack(
        [(deviations[p] * normal[p]).sum(0) / np.sqrt((deviations[p] ** 2).sum(0)) for p in parts]
    )
    means = matched_group_means(features, neural, starts, together)
    np.testing.assert_allclose(means, [each[p].mean(axis=0) for p in parts], rtol=0, atol=1e-12)


def test_what_cannot_be_matched_is_refused():
    random = np.random.default_rng(3)
    varied, faint = random.normal(size=(30, 4)), 0.01 * random.normal(size=(30, 4))
    with pytest.raises(DataError, match=r"by noise alone should vary by 0\.018") as caught:
        match_noise(varied, faint, varied)
    assert "offset 0.92" in caught.value.problems[0].hint
    with pytest.raises(DataError, match="features are all the same"):
        match_noise(np.ones((30, 4)), varied, varied)
    matched = match_noise_of_tensors(*map(torch.from_numpy, (varied, faint, varied)))
    assert matched.isnan().all()


# ---------------------------------------------------------------- draws


def test_each_draw_takes_the_share_of_each_object():
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(49), 40))
    draws = drawn_images(groups, draws=5, fraction=0.2, seed=3)
    for chosen in draws:
        assert len(np.unique(chosen)) == 392
        np.testing.assert_array_equal(groups[chosen], np.repeat(np.arange(49), 8))
    assert not np.array_equal(draws[0], draws[1])
    for again, first in zip(drawn_images(groups, draws=3, fraction=0.2, seed=3), draws, strict=False):
        np.testing.assert_array_equal(again, first)
    assert not np.array_equal(drawn_images(groups, draws=1, fraction=0.2, seed=4)[0], draws[0])


@pytest.mark.parametrize(("fraction", "count"), [(0.29, 29), (0.3, 30), (0.015, 1), (1.0, 100)])
def test_shares_are_rounded_down_but_not_by_the_error_of_floats(fraction, count):
    assert len(drawn_images(np.zeros(100), draws=1, fraction=fraction, seed=0)[0]) == count


# ---------------------------------------------------------------- SIT


def test_without_noise_each_score_is_the_comparison_of_the_drawn_images():
    features, neural, groups = planted(1.0)
    scores = sit(features, neural, groups, draws=4, noise=None, fraction=0.25, seed=5)
    for score, chosen in zip(scores, drawn_images(groups, draws=4, fraction=0.25, seed=5), strict=True):
        one, other = (rdm(values[chosen], groups[chosen]) for values in (features, neural))
        assert score == pytest.approx(compare_rdms(one, other), abs=1e-12)


def test_noise_costs_similarity_as_much_as_on_each_sample():
    features, neural, groups = planted(0.5)
    noise = NoiseModel(slope=0.1, offset=3.0, trials=8)
    clean = sit(features, neural, groups, draws=60, noise=None)
    noisy = sit(features, neural, groups, draws=60, noise=noise)
    random, by_sample = np.random.default_rng(9), []
    for chosen in drawn_images(groups, draws=60, fraction=0.2, seed=0):
        f, n, g = features[chosen], neural[chosen], groups[chosen]
        by_sample.append(
            compare_rdms(rdm(match_noise(f, n, random.normal(size=f.shape), noise), g), rdm(n, g))
        )
    assert noisy.mean() < clean.mean() - 0.05
    assert noisy.mean() == pytest.approx(np.mean(by_sample), abs=4 * noisy.std() / np.sqrt(30))


def test_similarity_is_1_without_scatter_and_0_for_permuted_objects():
    scores = [sit(*planted(noise), draws=10, noise=None).mean() for noise in (8, 2, 0.5, 0)]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(1, abs=1e-9)
    features, neural, groups = planted(0.1)
    random, permuted = np.random.default_rng(0), []
    blocks = np.arange(len(groups)).reshape(OBJECTS, PER_OBJECT)
    for _ in range(30):
        order = blocks[random.permutation(OBJECTS)].ravel()
        permuted.append(sit(features, neural[order], groups, draws=2, noise=None).mean())
    assert abs(np.mean(permuted)) < 0.06


def test_scores_depend_on_the_seed_alone():
    data = planted(1.0)
    np.testing.assert_array_equal(sit(*data, draws=3), sit(*data, draws=5)[:3])
    assert not np.array_equal(sit(*data, draws=3, seed=1), sit(*data, draws=3))


def test_rows_that_do_not_match_and_empty_draws_are_refused():
    features, neural, groups = planted(1.0)
    with pytest.raises(DataError, match="419 rows of features, 420 of responses and 420 of groups"):
        sit(features[1:], neural, groups)
    with pytest.raises(DataError, match=r"0\.04 of the 20 images of 0 is none"):
        sit(features, neural, groups, fraction=0.04)
