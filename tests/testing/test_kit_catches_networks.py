"""Each promise of a backbone and of a fusion, broken, is told."""

from __future__ import annotations

import pytest
import torch
from broken_plugins import plugin, told
from torch import nn

from mmspec import testing
from mmspec.plugins.api import Backbone, Cut, Fusion, FusionOutput, FusionUnit
from mmspec.testing.toys import ToyNet, ToyUnit

# ---------------------------------------------------------------- backbones


def backbone(build, names=("first", "second")):
    return plugin(Backbone, stage_names=lambda self: names, build=lambda self, shape: build(shape))


def toy_cut(second=None, pool=None):
    """Builds the toy network with another second stage, or another pooling."""

    def build(shape):
        cut = ToyNet().build(shape)
        stages = {**cut.stages, "second": second()} if second else cut.stages
        return Cut(stages, pool() if pool else cut.pool)

    return build


class Forgetful(nn.Module):
    """What it adds is not in its state."""

    def __init__(self):
        super().__init__()
        self.add = torch.rand(1)

    def forward(self, x):
        return x + self.add


class OfBatch(nn.Module):
    def forward(self, x):
        return x - x.mean(0, keepdim=True)


class Elsewhere(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("zero", torch.zeros(1, device="cpu"))

    def forward(self, x):
        return x + self.zero.to(x.device)


def always_the_same(shape):
    torch.manual_seed(0)
    return ToyNet().build(shape)


def given_weights(fill):
    """A backbone that says its weights are given, and fills them in so."""
    methods = {"is_random": False, "initialise": fill, "stage_names": lambda self: ("first", "second")}
    return plugin(Backbone, build=lambda self, shape: ToyNet().build(shape), **methods)


def fill_all(self, cut):
    for module in (*cut.stages.values(), cut.pool):
        for tensor in module.state_dict().values():
            tensor.fill_(1)
    return ["filled"]


def fill_some(self, cut):
    nn.init.ones_(cut.stages["first"][0].weight)
    return []


def test_a_backbone_whose_weights_are_given_passes():
    testing.check_backbone(given_weights(fill_all), (3, 8, 8))


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (given_weights(fill_some), "is_random says that all weights are given, and some are drawn"),
        (backbone(toy_cut(), names=("first", "last")), "stage_names() says ('first', 'last')"),
        (backbone(toy_cut(), names=("first", "first")), "stage_names() names a stage twice"),
        (backbone(toy_cut(pool=nn.Identity)), "the pooling gives (2, 4, 8, 8), not (N, features)"),
        (backbone(toy_cut(lambda: nn.Linear(3, 3))), "the forward of second raises RuntimeError"),
        (backbone(toy_cut(Elsewhere)), "some weights are elsewhere"),
        (backbone(toy_cut(Forgetful)), "register what changes"),
        (backbone(toy_cut(OfBatch)), "features depend on the batch it is in"),
        (backbone(always_the_same), "weights do not depend on torch's random state"),
    ],
)  # fmt: skip
def test_backbones(broken, what):
    assert what in told(testing.check_backbone, broken, (3, 8, 8))


# ---------------------------------------------------------------- fusions


def fusion(unit, gates=True):
    capabilities = frozenset({"gates"} if gates else ())
    return plugin(
        Fusion, capabilities=capabilities, build=lambda self, shapes: unit([shape[0] for shape in shapes])
    )


class Ungated(FusionUnit):
    def __init__(self, channels):
        super().__init__()

    def feeding(self, modality):
        return []

    def forward(self, features):
        return FusionOutput(features)


class Shrinking(Ungated):
    def forward(self, features):
        return FusionOutput([x[..., ::2] for x in features])


class FeedsAll(ToyUnit):
    def feeding(self, modality):
        return list(self.parameters())


class Leaking(ToyUnit):
    """The replaced gate is made of this forward's."""

    def forward(self, features, rebalance=None, squeezes=None):
        output = super().forward(features, None, squeezes)
        if rebalance is not None:
            mean = torch.stack([x.mean() for x in output.features]).sum()
            scaled = [
                torch.where(rebalance[m], x * mean, y)
                for m, (x, y) in enumerate(zip(features, output.features, strict=True))
            ]
            return FusionOutput(scaled, output.squeezes)
        return output


class SeesSizes(ToyUnit):
    """What it gives depends on how large the other feature maps are, given squeezes or not."""

    def forward(self, features, rebalance=None, squeezes=None):
        output = super().forward(features, rebalance, squeezes)
        size = sum(x[0, 0].numel() for x in features)
        return FusionOutput([x + size for x in output.features], output.squeezes)


class Averageless(ToyUnit):
    def forward(self, features, rebalance=None, squeezes=None):
        training, self.training = self.training, False
        output = super().forward(features, rebalance, squeezes)
        self.training = training
        return output


class Restless(ToyUnit):
    def forward(self, features, rebalance=None, squeezes=None):
        training, self.training = self.training, True
        output = super().forward(features, rebalance, squeezes)
        self.training = training
        return output


class Deaf(ToyUnit):
    def forward(self, features, rebalance=None, squeezes=None):
        return super().forward(features, rebalance)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (fusion(Ungated), "capability 'gates' and GatedFusionUnit go together"),
        (fusion(ToyUnit, gates=False), "capability 'gates' and GatedFusionUnit go together"),
        (fusion(Shrinking, gates=False), "shapes must stay"),
        (fusion(FeedsAll), "feeding(0) gives"),
        (fusion(Leaking), "the replaced gates of modality 0 still carry a gradient"),
        (fusion(Averageless), "a training forward changes no state"),
        (fusion(Restless), "a forward in evaluation changes the unit's state"),
        (fusion(Deaf), "although the squeezes of these are given"),
        (fusion(SeesSizes), "modality 0 sees the size of modality [1]"),
    ],
)
def test_fusions(broken, what):
    assert what in told(testing.check_fusion, broken)


def test_a_fusion_without_gates_passes():
    testing.check_fusion(fusion(Ungated, gates=False))
