"""Number formats as runs execute them, against the loop by hand: whole processes, in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.paired import Ratio

ROUNDS, STEPS = 5, 8
WAYS = ("hand", "float32", "bf16")


def precision() -> list[str]:
    """Steps of two ResNet-18 at 224, batch 8: by hand in contiguous float32, and by runs in each format.

    In processes of their own, since how memory is kept is a matter of a whole process.
    """
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS if number % 2 else WAYS[::-1]:
            command = [sys.executable, "-m", "benchmarks.precision", way]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[way].append(float(done.stdout))
    hand, float32, bf16 = (tuple(seconds[way]) for way in WAYS)
    what = "two ResNet-18 at 224 in a run"
    return [
        Ratio(float32, hand).show(f"{what}: float32 / by hand", 1.02),
        Ratio(bf16, hand).show(f"{what}: bf16 / float32 by hand", round(1 / 2.2, 3)),
        Ratio(bf16, float32).show(f"{what}: bf16 / float32", None),
    ]


def steps(way: str) -> Callable[[], None]:
    """A function that takes a step: by hand, or as a process that executes a run does."""
    from benchmarks.bare import BareLoop
    from benchmarks.loop import in_steps, large_trainer
    from mmspec.launch.child import keep_freed_memory

    if way == "hand":
        return BareLoop(large_trainer("train.channels_last=false"), 8, 0.1).in_steps(1)
    keep_freed_memory()
    return in_steps(large_trainer(f'train.precision="{way}"'), 1)


if __name__ == "__main__":
    step, taken = steps(sys.argv[1]), []
    for _ in range(3 + STEPS):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    print(min(taken[3:]))  # of few steps in a process of its own: what else runs can only add
