"""Memory layouts and number formats against contiguous float32: where channels_last is worth it."""

from __future__ import annotations

import torch

from benchmarks.loop import large_trainer, run_epoch
from benchmarks.paired import alternate


def layout() -> list[str]:
    """Steps of two ResNet-18 at 224, batch 8, in each format, against float32 as it is."""
    plain = large_trainer()
    lines = []
    for precision, last in (("float32", True), ("bf16", False), ("bf16", True)):
        other = large_trainer(f'train.precision="{precision}"', f"train.channels_last={str(last).lower()}")
        ratio = alternate(lambda other=other: run_epoch(other), lambda: run_epoch(plain), rounds=4)
        what = f"two ResNet-18 at 224: {precision}{', channels last' if last else ''} / float32"
        lines.append(ratio.show(what, None))
    torch.set_num_threads(torch.get_num_threads())
    return lines
