"""Dissimilarity matrices: as rsatoolbox has them, the same on tensors, with the right gradient."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from mmspec_neural import rdm as on_arrays
from mmspec_neural import rdm_torch as on_tensors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own affair
    import rsatoolbox

N, D, GROUPS = 240, 31, 12


@pytest.fixture(scope="module")
def data():
    """Features with structure, and shuffled groups of unequal sizes, some of above 9."""
    random = np.random.default_rng(0)
    groups = random.permutation(np.concatenate([np.arange(GROUPS), random.integers(0, GROUPS, N - GROUPS)]))
    return random.normal(3, 1, (GROUPS, D))[groups] + random.normal(0, 0.5, (N, D)), groups


def theirs(features, groups):
    """rsatoolbox's matrix, whose rows are sorted as text unless labels are padded."""
    labels = [f"{group:03}" for group in groups]
    dataset = rsatoolbox.data.Dataset(features, obs_descriptors={"object": labels})
    return rsatoolbox.rdm.calc_rdm(dataset, method="correlation", descriptor="object")


def test_it_is_that_of_rsatoolbox(data):
    np.testing.assert_allclose(on_arrays.rdm(*data), theirs(*data).get_matrices()[0], rtol=0, atol=1e-12)


def test_numbers_are_sorted_as_numbers_and_texts_as_text(data):
    features, groups = data
    matrix = on_arrays.rdm(features, groups)
    padded = on_arrays.rdm(features, np.array([f"o{group:02}" for group in groups]))
    bare = on_arrays.rdm(features, np.array([f"o{group}" for group in groups]))
    order = np.argsort([f"o{group}" for group in range(GROUPS)])
    np.testing.assert_array_equal(padded, matrix)
    np.testing.assert_allclose(bare, matrix[np.ix_(order, order)], atol=1e-12)
    assert np.abs(bare - matrix).max() > 0.1


def test_the_formula_by_numpy_and_a_loop(data):
    features, groups = data
    means = np.stack([features[groups == group].mean(axis=0) for group in range(GROUPS)])
    matrix = on_arrays.rdm(features, groups)
    np.testing.assert_allclose(matrix, 1 - np.corrcoef(means), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    assert matrix[0, 1] == pytest.approx(1 - stats.pearsonr(means[0], means[1]).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("method", "name"),
    [("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine"), ("kendall", "kendall")],
)
@pytest.mark.parametrize("ties", [False, True])
def test_comparisons_are_those_of_rsatoolbox(data, method, name, ties):
    features, groups = data
    random = np.random.default_rng(1)
    one, other = features, features + random.normal(0, 2, features.shape)
    mine, also_mine = on_arrays.rdm(one, groups), on_arrays.rdm(other, groups)
    if ties:
        mine, also_mine = mine.round(1), also_mine.round(1)
    pair = [rsatoolbox.rdm.RDMs(m[None]) for m in (mine, also_mine)]
    expected = rsatoolbox.rdm.compare(*pair, method=name)[0, 0]
    assert 0 < expected < 0.999
    assert on_arrays.compare_rdms(mine, also_mine, method) == pytest.approx(expected, abs=1e-12)
    assert on_arrays.compare_rdms(mine, mine, method) == pytest.approx(1, abs=1e-12)


def test_scipy_agrees_on_spearman(data):
    features, groups = data
    one, other = on_arrays.rdm(features, groups), on_arrays.rdm(features**2, groups)
    expected = stats.spearmanr(on_arrays.upper_triangle(one), on_arrays.upper_triangle(other)).statistic
    assert on_arrays.compare_rdms(one, other) == pytest.approx(expected, abs=1e-12)


def test_a_constant_row_is_nan_and_stays_it():
    vectors = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0], [2.0, 1.0, 0.0]])
    matrix = on_arrays.correlation_distance(vectors)
    assert np.isnan(matrix[1]).all()
    assert np.isfinite(matrix[0, 2])
    np.testing.assert_allclose(on_tensors.correlation_distance(torch.from_numpy(vectors)), matrix, atol=1e-15)
    assert np.isnan(on_arrays.compare_rdms(matrix, matrix))


# ---------------------------------------------------------------- recovery


def planted(noise, seed=0):
    """Features around planted object means in categories, and the planted matrix."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(49), 20)
    means = random.normal(0, 1, (7, 40)).repeat(7, axis=0) + random.normal(0, 0.7, (49, 40))
    features = means[groups] + noise * random.normal(0, 1, (len(groups), 40))
    return on_arrays.rdm(features, groups), on_arrays.correlation_distance(means)


def test_a_planted_matrix_is_recovered_as_noise_vanishes():
    scores = [on_arrays.compare_rdms(*planted(noise)) for noise in (16, 4, 1, 0.25, 0)]
    assert scores == sorted(scores)
    assert scores[0] < 0.5 < 0.99 < scores[-2]
    assert scores[-1] == pytest.approx(1, abs=1e-9)


def test_a_permuted_target_is_not_recovered():
    matrix, target = planted(0.25)
    random = np.random.default_rng(3)
    scores = []
    for _ in range(50):
        order = random.permutation(len(target))
        scores.append(on_arrays.compare_rdms(matrix, target[np.ix_(order, order)]))
    assert abs(np.mean(scores)) < 0.03
    assert np.max(np.abs(scores)) < 0.3


# ---------------------------------------------------------------- the loss


def test_the_loss_counts_the_diagonal_or_not():
    random = np.random.default_rng(0)
    one, other = (on_arrays.correlation_distance(random.normal(size=(7, 9))) for _ in range(2))
    entries = [(one[i, j] - other[i, j]) ** 2 for i in range(7) for j in range(7) if i != j]
    assert on_arrays.rdm_mse(one, other, diagonal=False) == pytest.approx(np.mean(entries), abs=1e-14)
    assert on_arrays.rdm_mse(one, other) == pytest.approx(np.sum(entries) / 49, abs=1e-14)
    assert on_arrays.rdm_mse(one, other) * 7 / 6 == pytest.approx(
        on_arrays.rdm_mse(one, other, diagonal=False)
    )


def test_tensors_give_what_arrays_give(data):
    features, groups = data
    matrix = on_tensors.rdm(torch.from_numpy(features), torch.from_numpy(groups), GROUPS)
    np.testing.assert_allclose(matrix, on_arrays.rdm(features, groups), rtol=0, atol=1e-12)
    single = on_tensors.rdm(torch.from_numpy(features).float(), torch.from_numpy(groups), GROUPS)
    np.testing.assert_allclose(single, on_arrays.rdm(features, groups), rtol=0, atol=2e-6)
    target = np.sqrt(on_arrays.rdm(features, groups))
    for diagonal in (True, False):
        loss = on_tensors.rdm_mse(matrix, torch.from_numpy(target), diagonal=diagonal)
        expected = on_arrays.rdm_mse(matrix.numpy(), target, diagonal=diagonal)
        assert loss.item() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("diagonal", [True, False])
def test_the_gradient_is_right(diagonal):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    groups = torch.arange(12) % 4
    target = on_tensors.correlation_distance(torch.randn(4, 9, dtype=torch.float64, generator=generator))

    def loss(values):
        return on_tensors.rdm_mse(on_tensors.rdm(values, groups, 4), target, diagonal=diagonal)

    assert torch.autograd.gradcheck(loss, (features,))


def test_descent_on_the_loss_reaches_the_target():
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(40, 20, generator=generator, requires_grad=True)
    groups = torch.arange(40) % 8
    target = on_tensors.correlation_distance(torch.randn(8, 15, generator=generator))
    optimizer = torch.optim.Adam([features], lr=0.05)
    losses = []
    for _ in range(150):
        loss = on_tensors.rdm_mse(on_tensors.rdm(features, groups, 8), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 1e-3 < 0.05 < losses[0]
