"""torchvision's AlexNet, VGG, SqueezeNet and DenseNet, cut in stages before their last layers.

Inside the stages, layers keep the names that torchvision gives them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from torch import nn

from mmspec.plugins.api import Cut, load_torchvision
from mmspec_torch.channels import for_channels

_FAN_OUT = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")


def alexnet(channels: int, names: Sequence[str], *, relu: str, dropout: float) -> Cut:
    """AlexNet up to fc7: each convolution, with the pooling behind it, is a stage."""
    network = _network("alexnet", dropout=dropout)
    network.features[0] = for_channels(network.features[0], channels, None)
    *convolutions, fc6, fc7 = names
    stages = _slices(network.features, convolutions, _with_parameters(network.features))
    return _fully_connected(network, stages, (fc6, fc7), relu)


def vgg(name: str, channels: int, names: Sequence[str], *, relu: str, dropout: float) -> Cut:
    """`name` of torchvision's VGGs up to fc7: all up to and with each pooling is a stage."""
    network = _network(name, dropout=dropout)
    network.features[0] = for_channels(network.features[0], channels, _FAN_OUT)
    *convolutions, fc6, fc7 = names
    ends = [i + 1 for i, layer in enumerate(network.features) if isinstance(layer, nn.MaxPool2d)]
    stages = _slices(network.features, convolutions, [0, *ends[:-1]])
    return _fully_connected(network, stages, (fc6, fc7), relu)


def squeezenet(name: str, channels: int, names: Sequence[str]) -> Cut:
    """`name` of torchvision's SqueezeNets without its last convolution: each layer, pooled, is a stage."""
    network = _network(name)
    network.features[0] = for_channels(network.features[0], channels, nn.init.kaiming_uniform_)
    stages = _slices(network.features, names, _with_parameters(network.features))
    return Cut(stages, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def densenet(name: str, channels: int, names: Sequence[str], *, relu: str) -> Cut:
    """`name` of torchvision's DenseNets: blocks, transitions and the last norm are stages behind the stem."""
    network = _network(name)
    features = network.features
    features.conv0 = for_channels(features.conv0, channels, nn.init.kaiming_normal_)
    stem, *others = names
    parts = OrderedDict((part, features.get_submodule(part)) for part in ("conv0", "norm0", "relu0", "pool0"))
    stages = {stem: nn.Sequential(parts)} | {other: features.get_submodule(other) for other in others}
    last = [nn.ReLU()] if relu == "after" else []
    return Cut(stages, nn.Sequential(*last, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def _network(name: str, **options: float) -> Any:
    return getattr(load_torchvision().models, name)(weights=None, **options)


def _with_parameters(features: Iterable[nn.Module]) -> list[int]:
    return [i for i, layer in enumerate(features) if next(layer.parameters(), None) is not None]


def _slices(features: nn.Sequential, names: Sequence[str], starts: Sequence[int]) -> dict[str, nn.Module]:
    """`features` cut before each of `starts`; a slice keeps the layers' names."""
    ends = pairwise([*starts, len(features)])
    return {name: features[start:end] for name, (start, end) in zip(names, ends, strict=True)}


def _fully_connected(network: Any, stages: dict[str, nn.Module], names: tuple[str, str], relu: str) -> Cut:
    """The stages fc6 and fc7 behind `stages`; what follows fc7's linear map is the pooling, if it is wanted.

    fc6 begins with the pooling to a fixed size, so images may have any.
    """
    classifier = network.classifier
    _, second, _ = (i for i, layer in enumerate(classifier) if isinstance(layer, nn.Linear))
    pooled = OrderedDict([("avgpool", network.avgpool), ("flatten", nn.Flatten())])
    fc6, fc7 = names
    stages[fc6] = nn.Sequential(pooled | OrderedDict(classifier[:3].named_children()))
    stages[fc7] = classifier[3 : second + 1]
    if relu == "before":
        return Cut(stages, nn.Identity())
    behind = classifier[second + 1 : -1]
    behind[0].inplace = False  # what fc7 gives stays as it is
    return Cut(stages, behind)
