"""Conditional learning speed against plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from stand_ins import ScriptedStep, rebalanced, small_network, take_step

from mmspec.plugins.api import Decision, Outline, Strategy
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.guided import GuidedStrategy
from mmspec_greedy.metrics import ConditionalLearningSpeed
from mmspec_greedy.speed import SpeedMeter, difference, speeds
from mmspec_greedy.speed_metric import SpeedMetric


def by_hand(network, parameters_of):
    """μ of one set of parameters for each modality."""
    found = []
    for m in network.modalities:
        parameters = parameters_of(m)
        gradient = sum(np.sum(p.grad.numpy() ** 2) for p in parameters if p.grad is not None)
        size = sum(np.sum(p.detach().numpy() ** 2) for p in parameters)
        found.append(gradient / size)
    return found


def mu(network):
    return np.array(
        [by_hand(network, network.fusion_parameters), by_hand(network, network.branch_parameters)]
    )


@pytest.mark.parametrize(("modalities", "units"), [(2, 1), (2, 3), (3, 2)])
def test_mu_is_one_ratio_over_the_whole_set(modalities, units):
    network = small_network(modalities, units=units)
    step = take_step(network, Strategy(), 0, 1, lr=0.0)
    measured = SpeedMeter(network).measure(step)
    assert measured.dtype == torch.float64
    np.testing.assert_allclose(measured.numpy(), mu(network), rtol=1e-12)


def test_a_parameter_without_gradient_counts_in_the_size_alone():
    network = small_network(2)
    step = take_step(network, Strategy(), 0, 1, lr=0.0)
    network.branches["a"].head.weight.grad = None
    np.testing.assert_allclose(SpeedMeter(network).measure(step).numpy(), mu(network), rtol=1e-12)


def test_float32_networks_are_measured_in_float32_and_summed_in_float64():
    network = small_network(2)
    reference = SpeedMeter(network).measure(take_step(network, Strategy(), 0, 1, lr=0.0))
    for parameter in network.parameters():
        parameter.data, parameter.grad = parameter.data.float(), None
    batch_network = network.float()
    output = batch_network({m: torch.randn(3, 5) for m in network.modalities})
    torch.stack([x.sum() for x in output.logits.values()]).sum().backward()
    measured = SpeedMeter(network).measure(ScriptlessStep())
    assert measured.dtype == torch.float64
    assert measured.shape == reference.shape


class ScriptlessStep:
    def once(self, what, compute):
        return compute()


def test_speeds_are_decades():
    s = speeds(torch.tensor([[10.0, 3.0], [1.0, 300.0]], dtype=torch.float64))
    torch.testing.assert_close(s, torch.tensor([1.0, -2.0], dtype=torch.float64))
    assert float(difference(s)) == pytest.approx(3.0)
    assert float(difference(-s)) == pytest.approx(-3.0)


def test_the_difference_of_three_is_largest_minus_smallest():
    assert float(difference(torch.tensor([1.0, -2.0, 0.5]))) == 3.0


def test_metric_sums_over_steps_and_names_what_it_measures():
    network = small_network(3, units=2)
    metric = SpeedMetric(network)
    total = np.zeros((2, 3))
    for index in range(4):
        take_step(network, Strategy(), index, 1, metrics=[metric], lr=0.0)
        total += mu(network)
        take_step(network, Strategy(), index, 1, lr=0.3)  # moves the parameters, unseen by the metric
    figures = {name: float(value) for name, value in metric.figures().items()}
    expected = np.log10(total[0] / total[1])
    assert list(figures) == ["s(b+c|a)", "s(a+c|b)", "s(a+b|c)", "d_speed"]
    np.testing.assert_allclose(list(figures.values())[:3], expected, rtol=1e-12)
    assert figures["d_speed"] == pytest.approx(expected.max() - expected.min())


def test_metric_leaves_rebalancing_steps_out():
    metric = SpeedMetric(small_network(2))
    one, two = [[1.0, 2.0], [4.0, 8.0]], [[5.0, 5.0], [5.0, 5.0]]
    metric.after_backward(ScriptedStep(1, one))
    metric.after_backward(ScriptedStep(1, two, decision=Decision(torch.tensor([False, True]))))
    metric.after_backward(ScriptedStep(1, one, decision=Decision(torch.tensor([False, False]))))
    assert metric.sums.tolist() == [[2.0, 4.0], [8.0, 16.0]]


def test_metric_and_guided_share_one_measurement_and_agree():
    network = small_network(2, units=2)
    strategy = GuidedStrategy(network, alpha=0.0, window=2, start_epoch=1)
    metric = SpeedMetric(network)
    measured = []
    original = metric.meter._measure
    metric.meter._measure = lambda: measured.append(1) or original()
    chosen = [rebalanced(take_step(network, strategy, i, 1, metrics=[metric]).decision) for i in range(9)]
    assert not measured
    assert any(m is not None for m in chosen)
    assert torch.equal(metric.figures()["d_speed"], strategy.figures()["d_speed"])


def test_state_carries_over():
    network = small_network(2)
    metric, other = SpeedMetric(network), SpeedMetric(network)
    take_step(network, Strategy(), 0, 1, metrics=[metric])
    assert list(metric.state_dict()) == ["sums"]
    other.load_state_dict(metric.state_dict())
    assert torch.equal(metric.sums, other.sums)


def test_before_any_step_there_is_no_figure():
    assert math.isnan(SpeedMetric(small_network(2)).figures()["d_speed"])


@pytest.mark.parametrize(
    ("modalities", "fusion", "what"),
    [(("a", "b"), Mmtm, None), (("a", "b"), None, "needs a fusion"), (("a",), None, "two modalities")],
)
def test_needs_branches_that_see_each_other(modalities, fusion, what):
    outline = Outline(modalities=modalities, stages={}, data=None, splits={}, fusion=fusion)
    told = [mistake.what for mistake in ConditionalLearningSpeed().mistakes(outline)]
    assert len(told) == (what is not None)
    assert what is None or what in told[0]
