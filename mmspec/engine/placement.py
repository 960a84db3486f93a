"""Device, number format and memory layout of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import torch
from torch import nn

from mmspec.data.loader import Placement
from mmspec.engine.short_clips import ShortClips
from mmspec.errors import GraphError
from mmspec.spec.model import Train

ModuleT = TypeVar("ModuleT", bound=nn.Module)
Autocast = Callable[[], AbstractContextManager[object]]

#: Layouts of the weights of convolutions over images and over clips; feature maps take that of the weights.
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def place_for(train: Train) -> Placement:
    """Where a stage with these settings runs.

    Raises:
        GraphError: the device is not there.
    """
    there = torch.cuda.is_available()
    if train.device == "cuda" and not there:
        raise GraphError(
            'train.device = "cuda", but torch sees no CUDA device', hint='"auto" takes the CPU then'
        )
    device = torch.device("cuda" if there and train.device != "cpu" else "cpu")
    layout = train.channels_last
    if layout is None:  # where benchmarks/layout.py found it faster; on CUDA in float32 it was not measured
        layout = device.type == "cpu" or train.precision == "bf16"
    return Placement(device, torch.float64 if train.precision == "float64" else torch.float32, layout)


def autocast(place: Placement, precision: str, network: nn.Module) -> Autocast:
    """The context of a forward: bf16 where it is safe with `precision = "bf16"`, else nothing."""
    if precision != "bf16":
        return nullcontext
    if place.device.type == "cpu" and any(isinstance(module, nn.Conv3d) for module in network.modules()):
        return _bf16_of_clips
    return partial(torch.autocast, place.device.type, dtype=torch.bfloat16)


@contextmanager
def _bf16_of_clips() -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16), ShortClips():
        yield


def put(module: ModuleT, place: Placement) -> ModuleT:
    """Move a module; its parameters take the place's dtype, its buffers where they had the parameters'."""
    before = {parameter.dtype for parameter in module.parameters()}
    module.to(place.device)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dtype in before and tensor.is_floating_point():
            tensor.data = tensor.data.to(place.dtype)
            if place.channels_last and tensor.ndim in _CHANNELS_LAST:
                tensor.data = tensor.data.to(memory_format=_CHANNELS_LAST[tensor.ndim])
    return module
