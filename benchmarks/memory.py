"""Peak memory of a run against the hand-written loop's: whole processes."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

ROUNDS = 5


def memory() -> list[str]:
    """An epoch of the digits under `guided`, each in its own process, in turn."""
    peaks: dict[str, list[int]] = {"engine": [], "bare": []}
    for _ in range(ROUNDS):
        for which, found in peaks.items():
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", which], check=True, capture_output=True, text=True
            )
            found.append(int(done.stdout))
    ours, theirs = (statistics.median(peaks[which]) for which in ("engine", "bare"))
    verdict = "holds" if ours <= 1.1 * theirs else "BROKEN"
    return [
        f"{'digits, guided: peak memory of a run / by hand':<58} {ours / theirs:6.3f} "
        f"{'':<16} {ours / 1024:9.0f} / {theirs / 1024:9.0f} MiB (at most 1.1: {verdict})"
    ]


def engine() -> None:
    """A run as the engine executes it, with checkpoints, evaluation and records."""
    import tempfile
    from pathlib import Path

    import attrs

    from benchmarks.loop import resolved
    from mmspec.engine.recorder import Silent
    from mmspec.engine.run import execute_run

    plan = resolved("colored_digits_guided.toml", "train.epochs=2")
    stage = attrs.evolve(plan.stages[0], metrics={"accuracy": plan.stages[0].metrics["accuracy"]})
    with tempfile.TemporaryDirectory() as folder:
        execute_run(attrs.evolve(plan, stages=(stage,)), Silent(), Path(folder))


def bare() -> None:
    """The same epochs by hand."""
    from benchmarks.bare import GuidedBareLoop
    from benchmarks.loop import plain, stage
    from mmspec.engine.trainer import Trainer

    loop = GuidedBareLoop(Trainer(plain(stage("colored_digits_guided.toml")), 0), 32, 0.1, 0.01, 5)
    loop.in_steps(70)()


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    {"engine": engine, "bare": bare}[sys.argv[1]]()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
