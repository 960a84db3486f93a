"""Cut networks for tests: run one, and give its weights the names of the uncut network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmspec.plugins.api import Cut
from mmspec_torch.i3d import SameConv3d, same_padding


def run(cut: Cut, x: Tensor) -> Tensor:
    """The pooled features of `x`."""
    for stage in cut.stages.values():
        x = stage(x)
    return cut.pool(x)


def modules(cut: Cut) -> nn.ModuleList:
    """All parts of a cut, to be moved and switched together."""
    return nn.ModuleList([*cut.stages.values(), cut.pool])


def initialised(plugin, shape: tuple[int, ...] = (3, 32, 32)) -> tuple[Cut, Sequence[str]]:
    """A cut with its weights loaded, and what was said of them."""
    torch.manual_seed(9)
    cut = plugin.build(shape)
    remarks = plugin.initialise(cut)
    modules(cut).eval()
    return cut, remarks


def state(plugin, cut: Cut) -> dict[str, Tensor]:
    """Tensors of a cut, shared with it, by their names in the uncut network."""
    return {
        plugin.original_name(stage, name): tensor
        for stage, module in cut.stages.items()
        for name, tensor in module.state_dict().items()
    }


def unsettle(network: nn.Module) -> nn.Module:
    """Give all BatchNorms statistics and weights that are not those of a fresh network."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network


def replicate_in_time(network: nn.Module) -> nn.Module:
    """Pad 3-D convolutions in time by repeating the first and last frame, so that still videos stay still."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.forward = partial(_with_frames_around, module)
    return network


def _with_frames_around(convolution: nn.Conv3d, x: Tensor) -> Tensor:
    if isinstance(convolution, SameConv3d):
        sizes = zip(x.shape[2:], convolution.kernel_size, convolution.stride, strict=True)
        (t0, t1), (h0, h1), (w0, w1) = [same_padding(*one) for one in sizes]
    else:
        (t0, t1), (h0, h1), (w0, w1) = [(padding, padding) for padding in convolution.padding]
    x = torch.cat([x[:, :, :1]] * t0 + [x] + [x[:, :, -1:]] * t1, dim=2)
    return F.conv3d(F.pad(x, (w0, w1, h0, h1)), convolution.weight, None, convolution.stride)
