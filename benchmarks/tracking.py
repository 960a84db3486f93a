"""What a row of metrics costs in the run's own thread: the run directory, and each tracker.

Rows of six numbers, as a run logs them, between steps of real work of about 5 ms: between steps caches are
cold, and in a loop of nothing but rows everything costs half. All take turns in one process, step by step;
the run directory with nothing, before any tracker has begun.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np

from mmspec.launch.mirror import MirroredRun
from mmspec.plugins.api import RunInfo, Tracker, TrackerSession
from mmspec.records import RunDirectory
from mmspec.spec.model import Train
from mmspec.track.tensorboard import TensorboardTracker
from mmspec.track.trackio.tracker import TrackioTracker
from mmspec.track.wandb.session import restart_service
from mmspec.track.wandb.tracker import WandbTracker

#: Seconds of work of a step, and the share of them that a run directory may take.
STEP, LIMIT = 0.005, 0.01
STEPS, WARM_UP = 600, 20
VALUES = {f"train/loss.{name}": 0.123456789 for name in ("grey", "color", "s", "u", "d_speed")}
SPEC = {"name": "bench", "seed": 0, "labels": {}, "stages": [{"name": "train"}]}
IDENTITY = {"id": "bench-s0-00000000", "spec_hash": "0"}

Log = Callable[[int], object]


def tracking() -> list[str]:
    """A row a step, and a row every `log_every` steps as is the default."""
    lines = []
    # The run directory first, alone: trackers have threads and processes that would work beside it.
    for who in (_run_directory, _trackers):
        with tempfile.TemporaryDirectory() as folder, who(Path(folder)) as everybody:
            costs = _in_turn({"nothing": lambda step: None, **everybody})
        nothing = statistics.median(costs.pop("nothing"))
        lines += [_line(name, times, nothing) for name, times in costs.items()]
    return lines


def _line(name: str, times: list[float], nothing: float) -> str:
    every = Train(epochs=1).log_every
    median, mean = statistics.median(times) - nothing, statistics.fmean(times) - nothing
    worst = sorted(times)[int(0.99 * len(times))] - nothing
    held = ""
    if name == "run directory":
        held = f"  (at most {LIMIT:.0%} a row: {'holds' if median <= LIMIT * STEP else 'BROKEN'})"
    micro = f"{median * 1e6:7.1f} µs, mean {mean * 1e6:7.1f}, 99 of 100 under {worst * 1e6:7.1f}"
    share = f"{median / STEP:6.2%} of a step with a row each, {mean / every / STEP:6.3%} with one in {every}"
    return f"{f'a row, {name}':<24} {micro}; {share}{held}"


def _in_turn(everybody: dict[str, Log]) -> dict[str, list[float]]:
    """Seconds of each row of each, by their names; who goes first changes."""
    work = _work()
    times: dict[str, list[float]] = {name: [] for name in everybody}
    names = list(everybody)
    for step in range(1, STEPS + WARM_UP + 1):
        for name in names:
            work()
            start = time.perf_counter()
            everybody[name](step)
            times[name].append(time.perf_counter() - start)
        names.append(names.pop(0))
    return {name: taken[WARM_UP:] for name, taken in times.items()}


def _work() -> Callable[[], object]:
    """A step's worth of products of matrices, measured once."""
    a = np.random.default_rng(0).random((192, 192), dtype=np.float32)

    def several(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            a @ a
        return time.perf_counter() - start

    several(20)
    count = max(1, round(STEP / (several(200) / 200)))
    return lambda: several(count)


@contextmanager
def _run_directory(folder: Path) -> Iterator[dict[str, Log]]:
    """A run without trackers."""
    directory = RunDirectory.create(folder / "run", spec=SPEC, identity=IDENTITY, sources={}, provenance={})
    mirrored = MirroredRun(directory, {})

    def log(step: int) -> None:
        mirrored.row("step", stage="train", step=step, epoch=1, values=VALUES)

    yield {"run directory": log}


@contextmanager
def _trackers(folder: Path) -> Iterator[dict[str, Log]]:
    """The trackers, each with its own run begun, all under `folder`."""
    trackers: dict[str, Tracker] = {
        "W&B, offline": WandbTracker(mode="offline"),
        "trackio": TrackioTracker(folder=str(folder / "trackio")),
        "TensorBoard": TensorboardTracker(),
    }
    with patch.dict(os.environ, {"HOME": str(folder), "TMPDIR": str(folder)}):
        sessions = {name: _begin(tracker, folder / name) for name, tracker in trackers.items()}
        yield {name: _logging(session) for name, session in sessions.items()}
        for session in sessions.values():
            session.finish("finished", {})
        restart_service()


def _begin(tracker: Tracker, folder: Path) -> TrackerSession:
    run = RunInfo(
        experiment="bench",
        run_id="bench-s0-00000000",
        label="",
        config=SPEC,
        identity=IDENTITY,
        provenance={},
    )
    folder.mkdir()
    return tracker.start(run, folder=folder, say=lambda line: None)


def _logging(session: TrackerSession) -> Log:
    columns = {**VALUES, "epoch": 1.0}
    return lambda step: session.log(columns, step)
