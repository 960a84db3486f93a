"""MMTM units against plain numpy, their running averages, and what a replaced gate lets through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stand_ins import small_network

from mmspec.errors import GraphError
from mmspec.plugins.api import Outline
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.mmtm import MmtmUnit

SPACES = {
    "none": [(), (), ()],
    "1d": [(7,), (5,), (7,)],
    "2d": [(3, 4), (5, 2), (1, 1)],
    "3d": [(2, 3, 4), (2, 2, 2), (1, 3, 2)],
    "mixed": [(6,), (3, 2), (2, 3, 2)],
}


def unit_and_features(modalities, spaces, *, samples=4, seed=0, **options):
    torch.manual_seed(seed)
    channels = [3, 5, 4][:modalities]
    unit = MmtmUnit(channels, **options).double()
    features = [
        torch.randn(samples, c, *space, dtype=torch.float64)
        for c, space in zip(channels, spaces, strict=False)
    ]
    return unit, features


def by_hand(unit, features, scale=1.0):
    """Squeezes, gates and outputs in plain numpy."""
    arrays = [f.detach().numpy() for f in features]
    squeezes = [a.reshape(*a.shape[:2], -1).mean(axis=2) for a in arrays]
    weight, bias = (p.detach().numpy() for p in unit.joint.parameters())
    joint = np.maximum(np.concatenate(squeezes, axis=1) @ weight.T + bias, 0)
    gates = []
    for layer in unit.gates:
        w, b = (p.detach().numpy() for p in layer.parameters())
        gates.append(scale / (1 + np.exp(-(joint @ w.T + b))))
    outputs = [a * g.reshape(*g.shape, *[1] * (a.ndim - 2)) for a, g in zip(arrays, gates, strict=True)]
    return squeezes, gates, outputs


@pytest.mark.parametrize("spaces", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_forward_is_the_formula(modalities, spaces):
    unit, features = unit_and_features(modalities, spaces, ratio=2)

    output = unit(features)

    squeezes, _, outputs = by_hand(unit, features)
    for actual, expected in zip(output.features, outputs, strict=True):
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-12)
    for actual, expected in zip(output.squeezes, squeezes, strict=True):
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-12, atol=1e-15)


def test_gates_can_be_scaled_as_in_the_mmtm_paper():
    unit, features = unit_and_features(2, SPACES["2d"], gate_scale=2.0)

    output = unit(features)

    _, _, outputs = by_hand(unit, features, scale=2.0)
    np.testing.assert_allclose(output.features[1].detach().numpy(), outputs[1], rtol=1e-12)


@pytest.mark.parametrize(("channels", "ratio", "width"), [([3, 5], 4, 4), ([8, 8], 4, 8), ([1, 1], 16, 1)])
def test_joint_layer_has_two_ratioths_of_all_channels(channels, ratio, width):
    assert MmtmUnit(channels, ratio=ratio).joint.out_features == width


def test_running_average_is_the_mean_over_batch_means():
    unit, _ = unit_and_features(3, SPACES["1d"])
    means = [[], [], []]
    for seed, samples in enumerate((4, 2, 7)):
        _, features = unit_and_features(3, SPACES["1d"], samples=samples, seed=seed + 10)
        unit(features)
        for m, gate in enumerate(by_hand(unit, features)[1]):
            means[m].append(gate.mean(axis=0))

    assert unit.count == 3
    for average, batch_means in zip(unit.averages, means, strict=True):
        np.testing.assert_allclose(average.numpy(), np.mean(batch_means, axis=0), rtol=1e-12)


def test_a_replaced_gate_is_its_average_this_forward_included():
    unit, first = unit_and_features(2, SPACES["2d"])
    _, second = unit_and_features(2, SPACES["2d"], seed=1)
    unit(first)

    output = unit(second, rebalance=torch.tensor([True, False]))

    (_, gates1, _), (_, gates2, plain) = by_hand(unit, first), by_hand(unit, second)
    average = (gates1[0].mean(0) + gates2[0].mean(0)) / 2
    expected = second[0].numpy() * average[None, :, None, None]
    np.testing.assert_allclose(output.features[0].detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(output.features[1].detach().numpy(), plain[1], rtol=1e-12)


def test_no_gradient_passes_a_replaced_gate():
    unit, features = unit_and_features(3, SPACES["2d"])
    for feature in features:
        feature.requires_grad_()

    unit(features, rebalance=torch.tensor([True, False, False])).features[0].sum().backward()

    assert not features[1].grad.any()
    assert not features[2].grad.any()
    assert not any(p.grad is not None and p.grad.any() for p in unit.parameters())
    # What is left is the feature map times a constant.
    expected = unit.averages[0][None, :, None, None].expand_as(features[0])
    torch.testing.assert_close(features[0].grad, expected)


def test_a_mask_of_no_modality_is_a_regular_step():
    unit, features = unit_and_features(2, SPACES["1d"])
    regular = unit(features).features
    masked = unit(features, rebalance=torch.zeros(2, dtype=torch.bool)).features
    assert all(torch.equal(x, y) for x, y in zip(regular, masked, strict=True))


def test_evaluation_leaves_the_averages():
    unit, features = unit_and_features(2, SPACES["1d"])
    unit(features)
    before = {name: value.clone() for name, value in unit.state_dict().items()}
    unit.eval()
    unit(features, rebalance=torch.tensor([True, True]))
    assert all(torch.equal(before[name], value) for name, value in unit.state_dict().items())


def test_given_squeezes_stand_in_for_every_sample():
    unit, features = unit_and_features(2, SPACES["2d"])
    unit.eval()
    given = torch.arange(5, dtype=torch.float64)

    output = unit(features, squeezes=[None, given])

    constant = [features[0], given[None, :, None, None].expand(4, 5, 1, 1)]
    _, gates, _ = by_hand(unit, constant)
    for m in range(2):
        expected = features[m].numpy() * gates[m][:, :, None, None]
        np.testing.assert_allclose(output.features[m].detach().numpy(), expected, rtol=1e-12)
    # Nothing of modality 1 reaches modality 0 any more.
    other = unit([features[0], features[1] + 1], squeezes=[None, given])
    assert torch.equal(output.features[0], other.features[0])


def test_feeding_is_the_own_gate_and_the_joint_layer():
    unit, _ = unit_and_features(3, SPACES["1d"])
    feeding = unit.feeding(1)
    expected = [unit.gates[1].weight, unit.gates[1].bias, unit.joint.weight, unit.joint.bias]
    assert [id(p) for p in feeding] == [id(p) for p in expected]


def test_averages_are_in_the_state():
    a, features = unit_and_features(2, SPACES["1d"])
    b, _ = unit_and_features(2, SPACES["1d"], seed=3)
    for _ in range(3):
        a(features)
    b.load_state_dict(a.state_dict())
    assert b.count == 3
    assert all(torch.equal(x, y) for x, y in zip(a.averages, b.averages, strict=True))


def test_the_network_runs_units_in_half_precision():
    unit, features = unit_and_features(2, SPACES["2d"])
    unit.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = unit([f.bfloat16() for f in features], rebalance=torch.tensor([True, False]))
    assert output.features[0].dtype == torch.bfloat16
    assert unit.averages[0].dtype == torch.float32


# ---------------------------------------------------------------- slips of the released code


def test_slip_1_makes_the_second_average_of_the_first_gates():
    torch.manual_seed(0)
    unit = MmtmUnit([3, 3], compat="wu2022").double()
    features = [torch.randn(4, 3, 2, dtype=torch.float64) for _ in range(2)]
    unit(features)
    _, gates, _ = by_hand(unit, features)
    np.testing.assert_allclose(unit.averages[0].numpy(), gates[0].mean(0), rtol=1e-12)
    np.testing.assert_allclose(unit.averages[1].numpy(), gates[0].mean(0), rtol=1e-12)


def test_slip_2_takes_evaluation_into_the_averages():
    unit = MmtmUnit([3, 3], compat="wu2022").eval()
    unit([torch.randn(4, 3, 2), torch.randn(4, 3, 2)])
    assert unit.count == 1


@pytest.mark.parametrize("channels", [[3, 4], [3, 3, 3], [3]])
def test_compat_is_refused_where_the_released_code_would_not_run(channels):
    with pytest.raises(GraphError, match="two modalities"):
        Mmtm(compat="wu2022").build([(c, 2, 2) for c in channels])


@pytest.mark.parametrize(("modalities", "mistakes"), [(("a", "b"), 0), (("a", "b", "c"), 1)])
def test_compat_is_refused_when_a_spec_is_checked(modalities, mistakes):
    outline = Outline(modalities=modalities, stages={}, data=None, splits={}, fusion=Mmtm)
    assert len(list(Mmtm(compat="wu2022").mistakes(outline))) == mistakes
    assert not list(Mmtm().mistakes(outline))


def test_the_network_counts_shared_parameters_for_each_branch():
    network = small_network(3, units=2)
    feeding = [network.fusion_parameters(m) for m in network.modalities]
    assert all(len(parameters) == 8 for parameters in feeding)
    assert network.units["u0"].joint.weight is feeding[0][2] is feeding[1][2]
