"""The strategies against a plain-Python account of what the paper says."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from stand_ins import CLASSES, ScriptedStep, rebalanced, small_network, take_step
from torch.nn.functional import cross_entropy

from mmspec.plugins.api import Outline
from mmspec_greedy.guided import GuidedStrategy
from mmspec_greedy.random_balancing import RandomStrategy, draw
from mmspec_greedy.rubi import RubiStrategy
from mmspec_greedy.strategies import GuidedBalancing, NoBalancing, RandomBalancing, Rubi


class PlainGuided:
    """Guided re-balancing with lists and ifs, as Wu et al. 2022 describe it."""

    def __init__(self, modalities, alpha, window, start_epoch):
        self.alpha, self.window, self.start_epoch = alpha, window, start_epoch
        self.own, self.fused = [0.0] * modalities, [0.0] * modalities
        self.queue = []  # the re-balancing steps to come

    def next_step(self):
        return self.queue[0] if self.queue else None

    def after_backward(self, epoch, fused, own):
        if self.queue:
            self.queue.pop(0)
            return
        self.own = [a + b for a, b in zip(self.own, own, strict=True)]
        self.fused = [a + b for a, b in zip(self.fused, fused, strict=True)]
        s = self.speeds()
        if epoch >= self.start_epoch and max(s) - min(s) > self.alpha:
            self.queue = [s.index(max(s))] * self.window

    def speeds(self):
        return [math.log10(f / o) for f, o in zip(self.fused, self.own, strict=True)]


def norms(network, parameters_of):
    """μ for each modality, in numpy."""
    found = []
    for m in network.modalities:
        parameters = parameters_of(m)
        gradient = sum(float(np.sum(p.grad.numpy() ** 2)) for p in parameters)
        found.append(gradient / sum(float(np.sum(p.detach().numpy() ** 2)) for p in parameters))
    return found


class Peeking(GuidedStrategy):
    """Tells the plain account of the gradients that the real strategy is about to look at."""

    def attach(self, network, plain):
        self.__dict__["network"], self.plain = network, plain
        return self

    def after_backward(self, step):
        network = self.__dict__["network"]
        fused = norms(network, network.fusion_parameters)
        own = norms(network, network.branch_parameters)
        self.plain.after_backward(step.epoch, fused, own)
        super().after_backward(step)


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.2, 100.0])
@pytest.mark.parametrize(("modalities", "window", "start"), [(2, 5, 2), (2, 1, 1), (3, 3, 2), (4, 2, 3)])
def test_guided_is_the_plain_state_machine_on_real_gradients(modalities, window, start, alpha):
    network = small_network(modalities, units=2)
    plain = PlainGuided(modalities, alpha, window, start)
    options = {"alpha": alpha, "window": window, "start_epoch": start}
    strategy = Peeking(network, **options).attach(network, plain)
    for index in range(28):
        expected = plain.next_step()
        step = take_step(network, strategy, index, 1 + index // 7)
        assert rebalanced(step.decision) == expected, index
        np.testing.assert_allclose(strategy.sums.numpy(), [plain.fused, plain.own], rtol=1e-11)
        s = plain.speeds()
        d_speed = s[0] - s[1] if modalities == 2 else max(s) - min(s)
        assert float(strategy.figures()["d_speed"]) == pytest.approx(d_speed, rel=1e-9)


def drive(strategy, measured, epochs):
    """The modality re-balanced at each step, None for regular ones."""
    chosen = []
    for index, epoch in enumerate(epochs):
        decision = strategy.decide(index, epoch)
        chosen.append(rebalanced(decision))
        strategy.after_backward(ScriptedStep(epoch, measured(index), index, decision))
    return chosen


def guided(modalities=2, **options):
    options = {"alpha": 0.01, "window": 5, "start_epoch": 2, **options}
    return GuidedStrategy(small_network(modalities), **options)


def test_guided_measures_once_and_rebalances_window_times():
    chosen = drive(guided(), lambda i: [[2.0, 1.0], [1.0, 1.0]], [1, 1, 1] + [2] * 14)
    # The first decision comes after the first step of the start epoch.
    assert chosen == [None] * 4 + [0] * 5 + [None] + [0] * 5 + [None] + [0]


def test_guided_takes_the_branch_with_the_larger_speed():
    assert drive(guided(), lambda i: [[1.0, 2.0], [1.0, 1.0]], [2] * 3) == [None, 1, 1]
    three = drive(guided(3), lambda i: [[1.0, 1.0, 3.0], [1.0, 2.0, 1.0]], [2] * 3)
    assert three == [None, 2, 2]


@pytest.mark.parametrize(("alpha", "acts"), [(0.30, True), (0.31, False)])
def test_guided_tolerates_alpha_decades(alpha, acts):
    # log10(2) = 0.30103
    chosen = drive(guided(alpha=alpha), lambda i: [[2.0, 1.0], [1.0, 1.0]], [2] * 3)
    assert chosen[1:] == ([0, 0] if acts else [None, None])


def test_guided_adds_nothing_in_rebalancing_steps():
    strategy = guided(window=3)
    drive(strategy, lambda i: [[2.0, 1.0], [1.0, 4.0]], [2] * 6)  # steps 0 and 4 are regular
    assert strategy.sums.tolist() == [[4.0, 2.0], [2.0, 8.0]]


def test_guided_sums_from_the_very_first_step():
    strategy = guided(start_epoch=3)
    drive(strategy, lambda i: [[2.0, 1.0], [1.0, 4.0]], [1, 1, 2, 2])
    assert strategy.sums.tolist() == [[8.0, 4.0], [4.0, 16.0]]


def test_guided_goes_on_from_its_state():
    def measured(i):
        return [[1.0 + i % 3, 1.0], [1.0, 1.0]]

    whole = drive(guided(), measured, [2] * 12)
    first, second = guided(), guided()
    assert drive(first, measured, [2] * 4) == whole[:4]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert drive(second, lambda i: measured(i + 4), [2] * 8) == whole[4:]


def test_a_decision_is_not_changed_afterwards():
    strategy = guided(window=1)
    drive(strategy, lambda i: [[2.0, 1.0], [1.0, 1.0]], [2])
    decision = strategy.decide(1, 2)
    strategy.after_backward(ScriptedStep(2, [[2.0, 1.0], [1.0, 1.0]], 1, decision))
    assert rebalanced(decision) == 0
    assert rebalanced(strategy.decide(2, 2)) is None


def test_figures_say_what_comes_next():
    strategy = guided()
    drive(strategy, lambda i: [[1.0, 2.0], [1.0, 1.0]], [2])
    figures = {name: float(value) for name, value in strategy.figures().items()}
    assert figures == {"d_speed": pytest.approx(-math.log10(2)), "rebalance.a": 0.0, "rebalance.b": 1.0}


def test_rebalancing_learns_from_the_own_modality_only():
    network = small_network(2)
    strategy = GuidedStrategy(network, alpha=0.0, window=3, start_epoch=1)
    take_step(network, strategy, 0, 1)
    step = take_step(network, strategy, 1, 1, lr=0.0)
    chosen = rebalanced(step.decision)
    unit = network.units["u0"]
    assert not unit.gates[chosen].weight.grad.any()
    assert unit.gates[1 - chosen].weight.grad.any()


# ---------------------------------------------------------------- random


def test_random_decides_what_was_drawn_after_the_step_before():
    strategy = RandomStrategy(("a", "b", "c"), 7, start_epoch=2)
    epochs = [1] * 4 + [2] * 30
    chosen = drive(strategy, lambda i: None, epochs)
    expected = [None] * 5
    for index in range(4, 33):
        choice = draw(7, index, 3)
        expected.append(choice - 1 if choice else None)
    assert chosen == expected


def test_random_draws_evenly_and_by_seed_and_step():
    draws = np.array([draw(0, index, 2) for index in range(3000)])
    shares = np.bincount(draws, minlength=3) / 3000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    assert [draw(1, index, 2) for index in range(50)] != draws[:50].tolist()
    assert [draw(0, index, 2) for index in range(50)] == draws[:50].tolist()


def test_random_goes_on_from_its_state():
    whole = drive(RandomStrategy(("a", "b"), 3, start_epoch=1), lambda i: None, [1] * 20)
    first = RandomStrategy(("a", "b"), 3, start_epoch=1)
    drive(first, lambda i: None, [1] * 9)
    second = RandomStrategy(("a", "b"), 3, start_epoch=1)
    second.load_state_dict(first.state_dict())
    resumed = []
    for index in range(9, 20):
        decision = second.decide(index, 1)
        resumed.append(rebalanced(decision))
        second.after_backward(ScriptedStep(1, index=index, decision=decision))
    assert resumed == whole[9:]


@pytest.mark.parametrize("modalities", [2, 3])
def test_random_trains_a_real_network(modalities):
    network = small_network(modalities)
    strategy = RandomStrategy(network.modalities, 0, start_epoch=1)
    chosen = {rebalanced(take_step(network, strategy, i, 1).decision) for i in range(30)}
    assert chosen == {None, *range(modalities)}


# ---------------------------------------------------------------- evaluation, and the slip in it


@pytest.mark.parametrize("compat", [False, True])
def test_slip_3_is_the_pending_decision_in_evaluation(compat):
    strategy = guided(compat=compat)
    drive(strategy, lambda i: [[1.0, 2.0], [1.0, 1.0]], [2])
    assert rebalanced(strategy.evaluation_decision()) == (1 if compat else None)

    index = next(i for i in range(100) if draw(0, i, 2) == 2)
    drawn = RandomStrategy(("a", "b"), 0, start_epoch=1, compat=compat)
    drawn.after_backward(ScriptedStep(1, index=index))
    assert rebalanced(drawn.evaluation_decision()) == (1 if compat else None)


@pytest.mark.parametrize("plugin", [GuidedBalancing, RandomBalancing])
def test_compat_reaches_the_strategy(plugin):
    network = small_network(2)
    assert plugin(compat="wu2022").build(network, 0).evaluation_decision().rebalance is not None
    assert plugin().build(network, 0).evaluation_decision().rebalance is None


# ---------------------------------------------------------------- none and RUBi


def test_none_is_the_plain_sum():
    network = small_network(2)
    strategy = NoBalancing().build(network, 0)
    step = take_step(network, strategy, 0, 5)
    assert step.decision.rebalance is None
    assert step.loss.item() == pytest.approx(sum(term.item() for term in step.terms.values()))
    assert not strategy.state_dict()
    assert NoBalancing.min_modalities == 1


def rubi_by_hand(strategy, step, biased, weight):
    """RUBi's loss in numpy."""

    def linear(layer, x):
        return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()

    def mean_cross_entropy(logits, target):
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -log_p[np.arange(len(target)), target].mean()

    target = step.batch.target.numpy()
    losses = []
    for m in biased:
        branch = strategy.masks[m]
        hidden = np.maximum(linear(branch.mask[0], step.output.features[m].detach().numpy()), 0)
        q = linear(branch.mask[2], hidden)
        masked = step.output.prediction.detach().numpy() / (1 + np.exp(-q))
        own = mean_cross_entropy(linear(branch.classifier, q), target)
        losses.append(mean_cross_entropy(masked, target) + weight * own)
    branches = sum(mean_cross_entropy(x.detach().numpy(), target) for x in step.output.logits.values())
    return branches + np.mean(losses)


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("biased", ["all", "b"])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_rubi_is_the_formula(modalities, biased, weight):
    network = small_network(modalities)
    strategy = Rubi(biased=biased, weight=weight, hidden=(8,)).build(network, 0).double()
    step = take_step(network, strategy, 0, 1, lr=0.0)
    names = network.modalities if biased == "all" else ("b",)
    assert set(strategy.masks) == set(names)
    assert step.loss.item() == pytest.approx(rubi_by_hand(strategy, step, names, weight), rel=1e-12)


def test_rubi_stops_the_gradient_at_the_features():
    network = small_network(2)
    strategy = RubiStrategy(network, 0, biased=("a",), hidden=(8,)).double()
    features = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    prediction = torch.randn(6, CLASSES, dtype=torch.float64, requires_grad=True)
    strategy.masks["a"].loss(features, prediction, torch.arange(6) % CLASSES, 1.0).backward()
    assert features.grad is None
    assert prediction.grad.any()
    assert all(p.grad.any() for p in strategy.parameters())


def test_rubi_predicts_plainly_and_starts_from_the_seed_alone():
    network = small_network(2)
    make = Rubi(hidden=(8, 8)).build
    first, random_state = make(network, 1), torch.get_rng_state()
    torch.manual_seed(99)
    again, other = make(network, 1), make(network, 2)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
    assert first.evaluation_decision().rebalance is None
    torch.set_rng_state(random_state)
    make(network, 5)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_rubi_hidden_layers_are_an_option():
    linear = [m for m in Rubi(hidden=()).build(small_network(2), 0).modules() if hasattr(m, "in_features")]
    assert [(m.in_features, m.out_features) for m in linear] == [(4, 3), (3, 3)] * 2


@pytest.mark.parametrize(("biased", "mistakes"), [("all", 0), ("grey", 0), ("gray", 1)])
def test_rubi_knows_the_modalities(biased, mistakes):
    outline = Outline(modalities=("grey", "color"), stages={}, data=None, splits={}, fusion=None)
    assert len(list(Rubi(biased=biased).mistakes(outline))) == mistakes


def test_smoothing_and_rubi_do_not_meet():
    # RUBi's terms are plain cross-entropies, whatever the objective.
    network = small_network(2)
    strategy = RubiStrategy(network, 0, biased=("a", "b"), weight=0.0).double()
    step = take_step(network, strategy, 0, 1, lr=0.0)
    masks = [
        cross_entropy(
            step.output.prediction * torch.sigmoid(mask.mask(step.output.features[m])), step.batch.target
        )
        for m, mask in strategy.masks.items()
    ]
    expected = sum(step.terms.values()) + (masks[0] + masks[1]) / 2
    torch.testing.assert_close(step.loss, expected)


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        (GuidedBalancing, {"alpha": -0.1}),
        (GuidedBalancing, {"window": 0}),
        (GuidedBalancing, {"start_epoch": 0}),
        (RandomBalancing, {"start_epoch": 0}),
        (Rubi, {"weight": -1.0}),
        (Rubi, {"hidden": (8, 0)}),
    ],
)
def test_options_out_of_range_are_refused(plugin, options):
    with pytest.raises(ValueError, match="must be"):
        plugin(**options)


@pytest.mark.parametrize("plugin", [GuidedBalancing, RandomBalancing])
def test_what_needs_gates_says_so(plugin):
    assert plugin.requires == {"gates"}
    assert plugin.min_modalities == 2
