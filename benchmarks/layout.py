"""Memory layouts and number formats against contiguous float32: where channels_last is worth it."""

from __future__ import annotations

from benchmarks.loop import in_steps, large_trainer
from benchmarks.paired import alternate


def layout() -> list[str]:
    """Steps of two ResNet-18 at 224, batch 8, in each format, against float32 as it is."""
    plain = large_trainer("train.channels_last=false")
    lines = []
    for precision, last in (("float32", True), ("bf16", False), ("bf16", True)):
        other = large_trainer(f'train.precision="{precision}"', f"train.channels_last={str(last).lower()}")
        ratio = alternate(in_steps(other, 1), in_steps(plain, 1), rounds=8)
        what = f"two ResNet-18 at 224: {precision}{', channels last' if last else ''} / float32"
        lines.append(ratio.show(what, None))
    return lines
