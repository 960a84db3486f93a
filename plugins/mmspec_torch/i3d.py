"""I3D: Inception-v1 with its convolutions and poolings inflated to 3-D (Carreira & Zisserman 2017).

Parameters are named as in the PyTorch checkpoints in use: rgb_imagenet.pt, flow_imagenet.pt, rgb_charades.pt.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

from mmspec.plugins.api import Cut, GraphError

#: Channels of each block: b0, b1a, b1b, b2a, b2b, b3b (Szegedy et al. 2015, table 1).
MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


def i3d(shape: tuple[int, ...], dropout: float) -> Cut:
    """I3D for clips of `shape` (C, T, H, W), cut at its published endpoints.

    The pooled features (N, 1024) are means over time and space, so clips may have any size. (The published
    pooling, for 64 x 224 x 224, is the mean over pairs of neighbouring frames, then over the pairs: there the
    first and the last of the 8 frames left count half.)

    Raises:
        GraphError: the samples are not clips.
    """
    if len(shape) != 4:
        raise GraphError(f"i3d takes clips (channels, frames, height, width), not samples of shape {shape}")
    stages: dict[str, nn.Module] = {
        "Conv3d_1a_7x7": Unit(shape[0], 64, 7, 2),
        "MaxPool3d_2a_3x3": SamePool((1, 3, 3), (1, 2, 2)),
        "Conv3d_2b_1x1": Unit(64, 64, 1),
        "Conv3d_2c_3x3": Unit(64, 192, 3),
        "MaxPool3d_3a_3x3": SamePool((1, 3, 3), (1, 2, 2)),
    }
    channels = 192
    for name, widths in MIXED.items():
        if name == "4b":
            stages["MaxPool3d_4a_3x3"] = SamePool((3, 3, 3), (2, 2, 2))
        if name == "5b":
            stages["MaxPool3d_5a_2x2"] = SamePool((2, 2, 2), (2, 2, 2))
        stages[f"Mixed_{name}"] = mixed = Mixed(channels, widths)
        channels = mixed.channels
    return Cut(stages, nn.Sequential(GlobalMean(), nn.Dropout(dropout)))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and behind by TensorFlow's rule SAME: ceil(size / stride) outputs, an odd row behind."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _paddings(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> list[tuple[int, int]]:
    return [same_padding(*one) for one in zip(x.shape[2:], kernel, stride, strict=True)]


class SameConv3d(nn.Conv3d):
    """A 3-D convolution without bias, padded by SAME."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, T, H, W) to (N, O, T / stride, H / stride, W / stride), rounded up."""
        paddings = _paddings(x, self.kernel_size, self.stride)
        before = [one for one, _ in paddings]
        if any(one != other for one, other in paddings):  # a copy, of the input alone
            x, before = F.pad(x, list(chain.from_iterable(reversed(paddings)))), [0, 0, 0]
        return F.conv3d(x, self.weight, None, self.stride, before)


class SamePool(nn.Module):
    """The 3-D maximum, padded by SAME; what is padded is never the maximum."""

    def __init__(self, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        self.kernel, self.stride = tuple(kernel), tuple(stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C, T / stride, H / stride, W / stride), rounded up."""
        before = [one for one, _ in _paddings(x, self.kernel, self.stride)]
        # ceil_mode lets the last window hang over the end: the one more row behind, without a copy
        return F.max_pool3d(x, self.kernel, self.stride, before, ceil_mode=True)


class Unit(nn.Module):
    """Convolution, BatchNorm and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = SameConv3d(inputs, outputs, kernel, stride)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, T, H, W) to (N, O, T / stride, H / stride, W / stride), rounded up."""
        return F.relu(self.bn(self.conv3d(x)), inplace=True)


class Mixed(nn.Module):
    """An inception block: four branches side by side, of `channels` together."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = widths
        self.b0 = Unit(inputs, b0, 1)
        self.b1a, self.b1b = Unit(inputs, b1a, 1), Unit(b1a, b1b, 3)
        self.b2a, self.b2b = Unit(inputs, b2a, 1), Unit(b2a, b2b, 3)
        self.b3a, self.b3b = SamePool((3, 3, 3), (1, 1, 1)), Unit(inputs, b3b, 1)
        self.channels = b0 + b1b + b2b + b3b

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, T, H, W) to (N, channels, T, H, W)."""
        return torch.cat(
            [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1
        )


class GlobalMean(nn.Module):
    """The mean over time and space: (N, C, T, H, W) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Mean feature maps."""
        return x.mean((2, 3, 4))
