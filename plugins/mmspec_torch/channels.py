"""The first convolution of a published network, for images or clips with any number of channels."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def for_channels(
    convolution: nn.Conv2d | nn.Conv3d, channels: int, initialise: Callable[[Tensor], object] | None
) -> nn.Module:
    """`convolution` for a number of channels; a new one gets fresh weights and a bias, if any, of 0.

    `initialise` fills the weights as torchvision does in that network; None leaves torch's own initialisation
    of weights and bias.
    """
    if channels == convolution.in_channels:
        return convolution
    fresh = type(convolution)(
        channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
        bias=convolution.bias is not None,
    )
    if initialise is not None:
        initialise(fresh.weight)
        if fresh.bias is not None:
            nn.init.zeros_(fresh.bias)
    return fresh
