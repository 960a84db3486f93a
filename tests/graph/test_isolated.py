"""Branches on their own beside the full forward: what is shared is computed once, nothing else changes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from mmspec.errors import GraphError
from mmspec.graph.network import Branch, FusedNetwork, UnitSpec
from mmspec.plugins.api import FusionOutput, FusionUnit
from mmspec_greedy.mmtm import MmtmUnit

torch.set_num_threads(1)

NAMES = ("a", "b", "c")
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
SPACES = {"a": (5, 4), "b": (6,), "c": (2, 3, 3)}


class Ungated(FusionUnit):
    def feeding(self, modality):
        return []

    def forward(self, features):
        return FusionOutput(features)


class Mean(nn.Module):
    """The pooling, for feature maps of any rank."""

    def forward(self, x):
        return x.flatten(2).mean(2)


def network(modalities=2, after=((1, 1), (2, 2)), unit=MmtmUnit, **options) -> FusedNetwork:
    """Branches of three convolutions over one, two or three axes; units after so many stages of each."""
    torch.manual_seed(0)
    branches = {}
    for m in NAMES[:modalities]:
        convolution = CONVOLUTIONS[len(SPACES[m])]
        stages = {f"s{i}": nn.Sequential(convolution(4, 4, 3, padding=1), nn.Tanh()) for i in range(3)}
        branches[m] = Branch(stages, Mean(), nn.Linear(4, 3))
    units = {f"u{i}": unit([4] * modalities, **options) for i in range(len(after))}
    places = [UnitSpec(f"u{i}", (*place, *[place[0]] * (modalities - 2))) for i, place in enumerate(after)]
    sizes = dict.fromkeys(branches, 4)
    made = FusedNetwork(branches, units, places, classes=3, feature_sizes=sizes).double()
    for seed in (1, 2):
        made(batch(modalities, seed))  # running averages
    return made.eval()


def batch(modalities=2, seed=0, samples=5):
    generator = torch.Generator().manual_seed(seed)
    return {
        m: torch.randn(samples, 4, *SPACES[m], generator=generator, dtype=torch.float64)
        for m in NAMES[:modalities]
    }


def held(net):
    """Squeezes to hold, another for each unit and modality."""
    made = [torch.full((4,), 0.1, dtype=torch.float64), torch.linspace(-1, 1, 4, dtype=torch.float64)]
    return {
        unit: [made[(i + m) % 2] * (i + 1) for m in range(len(net.modalities))]
        for i, unit in enumerate(net.units)
    }


def others_held(squeezes, m):
    return {unit: [None if i == m else s for i, s in enumerate(given)] for unit, given in squeezes.items()}


@pytest.mark.parametrize("rebalance", [None, [False, True, False]])
@pytest.mark.parametrize("after", [((1, 1),), ((1, 2), (2, 3)), ((1, 1), (2, 2), (3, 3))])
@pytest.mark.parametrize("modalities", [2, 3])
@torch.no_grad()
def test_to_the_bit_what_forwards_with_given_squeezes_say(modalities, after, rebalance):
    net, inputs = network(modalities, after), batch(modalities)
    chosen = None if rebalance is None else torch.tensor(rebalance[:modalities])
    output, alone = net.isolated(inputs, held(net), chosen)

    plain = net(inputs, chosen)
    assert torch.equal(output.prediction, plain.prediction)
    for unit, squeezes in plain.squeezes.items():
        assert all(map(torch.equal, squeezes, output.squeezes[unit]))
    for position, m in enumerate(net.modalities):
        expected = net(inputs, chosen, others_held(held(net), position)).logits[m]
        assert torch.equal(alone[m], expected)
        if rebalance is None:
            assert not torch.equal(alone[m], plain.logits[m])


@torch.no_grad()
def test_each_stage_runs_once_before_the_units_and_twice_behind():
    net, runs = network(after=((1, 2),)), Counter()
    for m, branch in net.branches.items():
        for name, stage in branch.stages.items():
            stage.register_forward_hook(lambda *_, key=(m, name): runs.update([key]))
    net.isolated(batch(), held(net))
    assert runs == {
        ("a", "s0"): 1,
        ("a", "s1"): 2,
        ("a", "s2"): 2,
        ("b", "s0"): 1,
        ("b", "s1"): 1,
        ("b", "s2"): 2,
    }

    runs.clear()
    seen = net.squeezes(batch())
    assert runs == {("a", "s0"): 1, ("b", "s0"): 1, ("b", "s1"): 1}
    expected = net(batch()).squeezes
    assert all(
        torch.equal(x, y) for unit in expected for x, y in zip(seen[unit], expected[unit], strict=True)
    )


@torch.no_grad()
def test_under_compat_only_the_full_forward_changes_the_averages():
    """The released code's slip: evaluation changes running averages. What it never did leaves no trace."""
    a, b = network(compat="wu2022"), network(compat="wu2022")
    chosen = torch.tensor([True, False])
    a.squeezes(batch(), chosen)
    output, _ = a.isolated(batch(), held(a), chosen)
    plain = b(batch(), chosen)
    assert torch.equal(output.prediction, plain.prediction)
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name])
    assert a.units["u0"].count == 3


def test_a_unit_without_gates_is_refused():
    net = network(unit=lambda channels: Ungated())
    with pytest.raises(GraphError, match="'u0' has no gates"):
        net.isolated(batch(), held(net))
