"""Weights of a convolution for inputs of another kind: videos for images, other channels for colours."""

from __future__ import annotations

from torch import Tensor


def inflate(weight: Tensor, frames: int) -> Tensor:
    """A 2-D convolution (O, I, H, W) as a 3-D one (O, I, T, H, W): repeated over time, divided by `frames`.

    Of a video that is the same image in each frame it makes what the 2-D convolution makes of the image
    (Carreira & Zisserman 2017, section 2.1), but where the padding in time is seen.
    """
    return weight.unsqueeze(2).expand(-1, -1, frames, -1, -1) / frames


def spread(weight: Tensor, channels: int) -> Tensor:
    """A convolution (O, I, *kernel) as one (O, `channels`, *kernel): each weight the sum over I / `channels`.

    Inputs that are the same in all channels give the same output as before; so an image of one channel is
    seen as the grey colour image that repeats it.
    """
    return weight.sum(1, keepdim=True).expand(-1, channels, *weight.shape[2:]) / channels
