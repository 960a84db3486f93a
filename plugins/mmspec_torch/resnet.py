"""torchvision's residual networks for images and videos, cut in stages."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from mmspec.plugins.api import Cut, GraphError, load_torchvision

LAYERS = ("layer1", "layer2", "layer3", "layer4")


def resnet(name: str, shape: tuple[int, ...]) -> Cut:
    """`name` of torchvision's models for images of `shape` (C, H, W), cut into stem and four layers.

    Raises:
        GraphError: the samples are not images.
    """
    if len(shape) != 3:
        raise GraphError(f"{name} takes images (channels, height, width), not samples of shape {shape}")
    network = getattr(load_torchvision().models, name)(weights=None)
    network.conv1 = _for_channels(network.conv1, shape[0])
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
    network.stem[0] = _for_channels(network.stem[0], shape[0])
    return _cut(network, network.stem)


def _cut(network: nn.Module, stem: nn.Module) -> Cut:
    """The classifier is left out: mmspec puts one of its own behind each branch."""
    stages = {"stem": stem} | {layer: network.get_submodule(layer) for layer in LAYERS}
    return Cut(stages, nn.Sequential(network.get_submodule("avgpool"), nn.Flatten()))


def _for_channels(convolution: nn.Conv2d | nn.Conv3d, channels: int) -> nn.Module:
    """The first convolution for a number of channels, initialised as all of torchvision's."""
    if channels == convolution.in_channels:
        return convolution
    fresh = type(convolution)(
        channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
        bias=False,
    )
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
    return fresh
