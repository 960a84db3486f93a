"""Convolutions over clips shorter than their kernels, in bf16 on a CPU.

There the gradient of a 3-D convolution's weight is read from memory that nobody wrote, where the kernel is
deeper than the clip it gets (kernel 3 and padding 1 on two frames, say): silently wrong, often not a number
(seen with torch 2.13, by its oneDNN). These few convolutions are therefore computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class ShortClips(TorchFunctionMode):
    """Within, under autocast on the CPU, 3-D convolutions deeper than their input are computed in float32."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, a convolution of short clips without autocast."""
        del types
        if _is_short(func, args):
            with torch.autocast("cpu", enabled=False):
                wide = [arg.float() if isinstance(arg, torch.Tensor) else arg for arg in args]
                return func(*wide, **(kwargs or {})).to(torch.get_autocast_dtype("cpu"))
        return func(*args, **(kwargs or {}))


def _is_short(func: object, args: Sequence[Any]) -> bool:
    """Whether it is a convolution whose kernel is deeper than the clip."""
    return func is torch.conv3d and len(args) > 1 and bool(args[1].shape[2] > args[0].shape[2])
