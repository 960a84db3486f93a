"""Residual networks of any number of layers, by the names and blocks of torchvision's ResNet-18."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mmspec.plugins.api import Cut, GraphError, load_torchvision


def growing_resnet(shape: tuple[int, ...], layers: Sequence[str], width: int) -> Cut:
    """A stem and `layers` for images of `shape` (C, H, W), then the mean over the map.

    The first layer has `width` channels at the stem's size, each other one twice as many at half the size.

    Raises:
        GraphError: the samples are not images.
    """
    if len(shape) != 3:
        raise GraphError(
            f"growing_resnet takes images (channels, height, width), not samples of shape {shape}"
        )
    stages: dict[str, nn.Module] = {"stem": _stem(shape[0], width)}
    before = width
    for position, layer in enumerate(layers):
        after = width * 2**position
        stages[layer] = _layer(before, after, stride=1 if position == 0 else 2)
        before = after
    for stage in stages.values():
        _initialise(stage)
    return Cut(stages, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def _stem(channels: int, width: int) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            bn1=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )


def _layer(before: int, after: int, stride: int) -> nn.Module:
    """Two basic blocks; the first one changes channels and size, and its shortcut with it."""
    block = load_torchvision().models.resnet.BasicBlock
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
        )
    return nn.Sequential(block(before, after, stride, shortcut), block(after, after))


def _initialise(stage: nn.Module) -> None:
    """As torchvision's networks: He et al. 2015 by the fan out; norms begin at 1 and 0 by themselves."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
