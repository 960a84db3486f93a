"""torchvision's residual networks for images and videos, cut in stages."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import nn

from mmspec.plugins.api import Cut, GraphError, load_torchvision
from mmspec_torch.channels import for_channels

LAYERS = ("layer1", "layer2", "layer3", "layer4")
#: How torchvision initialises the convolutions of all of them.
_INITIALISE = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")


def resnet(name: str, shape: tuple[int, ...]) -> Cut:
    """`name` of torchvision's models for images of `shape` (C, H, W), cut into stem and four layers.

    Raises:
        GraphError: the samples are not images.
    """
    if len(shape) != 3:
        raise GraphError(f"{name} takes images (channels, height, width), not samples of shape {shape}")
    network = getattr(load_torchvision().models, name)(weights=None)
    network.conv1 = for_channels(network.conv1, shape[0], _INITIALISE)
    stem = OrderedDict((part, getattr(network, part)) for part in ("conv1", "bn1", "relu", "maxpool"))
    return _cut(network, nn.Sequential(stem))


def video_resnet(name: str, shape: tuple[int, ...]) -> Cut:
    """`name` of torchvision's video models for clips of `shape` (C, T, H, W), cut into stem and four layers.

    Raises:
        GraphError: the samples are not clips.
    """
    if len(shape) != 4:
        raise GraphError(
            f"{name} takes clips (channels, frames, height, width), not samples of shape {shape}"
        )
    network = getattr(load_torchvision().models.video, name)(weights=None)
    network.stem[0] = for_channels(network.stem[0], shape[0], _INITIALISE)
    return _cut(network, network.stem)


def _cut(network: nn.Module, stem: nn.Module) -> Cut:
    """The classifier is left out: mmspec puts one of its own behind each branch."""
    stages = {"stem": stem} | {layer: network.get_submodule(layer) for layer in LAYERS}
    return Cut(stages, nn.Sequential(network.get_submodule("avgpool"), nn.Flatten()))
