"""The growing network is ResNet-18, layer by layer, and each depth holds the one before."""

from __future__ import annotations

import pytest
import torch
from cuts import unsettle
from torch import nn

from mmspec import testing
from mmspec.errors import GraphError
from mmspec.plugins.api import load_torchvision
from mmspec_modnet.backbones import GrowingResNet

torch.set_num_threads(1)


def modules(cut):
    return nn.ModuleDict({**cut.stages, "pool": cut.pool})


def state(depth, width=8):
    return modules(GrowingResNet(depth=depth, width=width).build((3, 32, 32))).state_dict()


def pooled(cut, x):
    for module in modules(cut).values():
        x = module(x)
    return x


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_it_is_torchvisions_resnet18_without_its_last_layers(depth):
    torch.manual_seed(0)
    network = unsettle(load_torchvision().models.resnet18(weights=None)).eval()
    weights = network.state_dict()
    weights |= {f"stem.{name}": tensor for name, tensor in weights.items()}
    cut = GrowingResNet(depth=depth).build((3, 64, 64))
    ours = modules(cut).eval()
    ours.load_state_dict({name: weights[name] for name in ours.state_dict()})
    for layer in range(depth + 2, 5):
        setattr(network, f"layer{layer}", nn.Identity())
    network.fc = nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(pooled(cut, x), network(x))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_a_depth_holds_the_one_before(depth):
    small, large = state(depth), state(depth + 1)
    assert {n: t.shape for n, t in small.items()} == {
        n: t.shape for n, t in large.items() if not n.startswith(f"layer{depth + 2}.")
    }
    assert len(large) > len(small)


@pytest.mark.parametrize("size", [16, 32, 75, 224])
@pytest.mark.parametrize("depth", [1, 2, 4, 5, 6])
def test_the_pooling_takes_the_whole_map_at_any_depth_and_size(depth, size):
    with torch.device("meta"):
        cut = GrowingResNet(depth=depth, width=4).build((1, size, size))
        assert pooled(cut, torch.empty(2, 1, size, size)).shape == (2, 4 * 2**depth)
    maps = torch.randn(2, 5, 3, 2)
    assert torch.allclose(cut.pool(maps), maps.mean((2, 3)))


def test_weights_begin_as_torchvisions():
    torch.manual_seed(0)
    ours = state(3, width=64)
    theirs = load_torchvision().models.resnet18(weights=None).state_dict()
    for name, tensor in ours.items():
        other = theirs[name.removeprefix("stem.")]
        if tensor.is_floating_point():
            assert tensor.mean().item() == pytest.approx(other.mean().item(), abs=0.02)
            assert tensor.std().item() == pytest.approx(other.std().item(), rel=0.1)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_it_conforms(depth):
    testing.check_backbone(GrowingResNet(depth=depth, width=4), (2, 32, 40))


def test_clips_are_refused():
    with pytest.raises(GraphError, match="growing_resnet takes images"):
        GrowingResNet().build((3, 4, 32, 32))


@pytest.mark.parametrize("option", ["depth", "width"])
def test_sizes_are_one_or_more(option):
    with pytest.raises(ValueError, match="must be 1 or above"):
        GrowingResNet(**{option: 0})
