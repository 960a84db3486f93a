"""The one place where torchvision is imported.

torchvision's published wheel is built against CUDA torch. With a CPU torch its compiled operators do not
load, and its import stops where it registers shapes for two of them. Declaring those two beforehand (their
schemas only; nothing here calls them) makes models, transforms and datasets work.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[Any] = []  # a library's definitions go when it is collected


def load_torchvision() -> ModuleType:
    """Import torchvision, with or without its compiled operators."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(operator + _SCHEMA)  # type: ignore[no-untyped-call]
    _kept.append(library)
    return importlib.import_module("torchvision")
