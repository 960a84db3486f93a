"""Gradients of 3-D convolutions in bf16 on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmspec.data.loader import Placement
from mmspec.engine.placement import autocast


@pytest.mark.parametrize(("frames", "kernel"), [(1, 3), (2, 3), (3, 3), (3, 5), (4, 7)])
def test_short_clips_have_the_gradients_of_float32(frames, kernel):
    place = Placement(torch.device("cpu"), torch.float32, False)
    size, padding = (kernel, 1, 1), (kernel // 2, 0, 0)
    for seed in range(3):
        torch.manual_seed(seed)
        left = [torch.full((16, 24, *size), float("nan")) for _ in range(20)]  # what lies about in memory
        del left
        layer = nn.Conv3d(24, 16, size, padding=padding)
        x = torch.randn(2, 24, frames, 4, 4)
        with autocast(place, "bf16", layer)():
            y = layer(x)
        assert y.dtype == torch.bfloat16
        gradient = torch.randn_like(y)
        y.backward(gradient)
        expected = nn.grad.conv3d_weight(x, layer.weight.shape, gradient.float(), padding=padding)
        torch.testing.assert_close(
            layer.weight.grad, expected, rtol=0.0, atol=0.02 * float(expected.abs().max())
        )


def test_other_formats_are_left_alone():
    place = Placement(torch.device("cpu"), torch.float32, False)
    layer = nn.Conv3d(1, 1, 3, padding=1)
    with autocast(place, "float32", layer)():
        assert layer(torch.zeros(1, 1, 2, 3, 3)).dtype == torch.float32
