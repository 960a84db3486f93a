"""torchvision's residual networks, cut in stages."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmspec.plugins.api import Cut, DataError, GraphError, Problem, load_torchvision


def resnet(name: str, shape: tuple[int, ...], weights: Path | None = None) -> Cut:
    """`name` of torchvision's models for images of `shape` (C, H, W), cut into stem and four layers.

    Raises:
        GraphError: the samples are not images, or the weights are of another network.
        DataError: the file of weights cannot be read.
    """
    if len(shape) != 3:
        raise GraphError(f"{name} takes images (channels, height, width), not samples of shape {shape}")
    network = getattr(load_torchvision().models, name)(weights=None)
    del network.fc  # mmspec puts a classifier of its own behind each branch
    if shape[0] != 3:
        network.conv1 = _first_convolution(shape[0])
    if weights is not None:
        _load(network, weights, name)
    stem = OrderedDict((part, getattr(network, part)) for part in ("conv1", "bn1", "relu", "maxpool"))
    stages = {"stem": nn.Sequential(stem)}
    stages |= {layer: getattr(network, layer) for layer in ("layer1", "layer2", "layer3", "layer4")}
    return Cut(stages, nn.Sequential(network.avgpool, nn.Flatten()))


def _first_convolution(channels: int) -> nn.Conv2d:
    """The first convolution for another number of channels, initialised as in torchvision's networks."""
    convolution = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def _load(network: nn.Module, path: Path, name: str) -> None:
    """Fill `network` from a file, which may hold a classifier `fc` beside; every other name must fit."""
    expected = network.state_dict()
    given = {key: value for key, value in _read(path).items() if not key.startswith("fc.")}
    problems = [
        *_named(f"{path} lacks", sorted(expected.keys() - given.keys())),
        *_named(f"{path} has, but {name} does not,", sorted(given.keys() - expected.keys())),
        *(
            Problem(
                f"{path}: {key} has shape {tuple(given[key].shape)}, {name} needs {tuple(value.shape)} here"
            )
            for key, value in expected.items()
            if key in given and given[key].shape != value.shape
        ),
    ]
    if problems:
        raise GraphError(problems)
    network.load_state_dict(given)


def _read(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a file; nothing but tensors and plain containers is unpickled."""
    hint = "a state dict as torch.save writes it: {name of parameter: tensor}"
    try:
        with warnings.catch_warnings(action="ignore"):  # of an unusual pickle protocol, which is read as well
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a damaged file makes the reader raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"{path} cannot be read as weights: {reason}", hint=hint) from None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(f"{path} holds no state dict", hint=hint)
    return found


def _named(what: str, names: list[str]) -> Iterable[Problem]:
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield Problem(f"{what} {', '.join(names[:5])}{more}")
