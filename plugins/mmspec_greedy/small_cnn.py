"""Convolutional branches for small images (Wu et al. 2022, coloured-and-grey MNIST)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mmspec.plugins.api import Cut, GraphError


def small_cnn(
    shape: tuple[int, ...], names: Sequence[str], channels: Sequence[int], strides: Sequence[int]
) -> Cut:
    """Stages of Conv 3x3, BatchNorm, ReLU for images of `shape` (C, H, W), then the global mean.

    Raises:
        GraphError: the samples are not images.
    """
    if len(shape) != 3:
        raise GraphError(f"small_cnn takes images (channels, height, width), not samples of shape {shape}")
    inputs = [shape[0], *channels]
    stages = {
        name: nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),  # BatchNorm brings the bias
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )
        for name, before, after, stride in zip(names, inputs[:-1], channels, strides, strict=True)
    }
    return Cut(stages, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
