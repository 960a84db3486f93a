"""One run: its stages in order, each from where it was left."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from mmspec.data.pack_format import Follow, Progress
from mmspec.engine.checkpoint import CheckpointStore
from mmspec.engine.initial import initialise_from
from mmspec.engine.loop import Interrupted, Selected, StageResult, StageRun
from mmspec.engine.recorder import Recorder
from mmspec.engine.trainer import Trainer
from mmspec.plugins.plan import RunPlan, StagePlan
from mmspec.spec.model import InitFrom
from mmspec.system import write_whole

#: Seconds between two lines about a packing.
_SAY_EVERY = 10.0


@attrs.frozen
class RunResult:
    """What a finished run comes to: `stages` by name; `values` are those of the last."""

    stages: Mapping[str, StageResult]

    @property
    def values(self) -> Mapping[str, float]:
        """The final metrics by name."""
        return list(self.stages.values())[-1].values

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        stages = {name: stage.to_json() for name, stage in self.stages.items()}
        return {"values": dict(self.values), "stages": stages}


def execute_run(
    plan: RunPlan, recorder: Recorder, checkpoints: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> RunResult:
    """Run the stages of a plan in order; finished ones are not run again, one that was cut off goes on.

    Raises:
        Interrupted: `should_stop` said so; everything is saved.
        UserError: plugins, data or checkpoints do not fit.
        RunError: the run failed.
    """
    results: dict[str, StageResult] = {}
    for stage in plan.stages:
        folder = checkpoints / stage.name
        result = _read_result(folder)
        if result is None:
            result = _run_stage(stage, plan.seed, recorder, checkpoints, should_stop)
            write_whole(folder / "result.json", json.dumps(result.to_json()).encode())
        results[stage.name] = result
    return RunResult(results)


def _run_stage(
    stage: StagePlan, seed: int, recorder: Recorder, checkpoints: Path, should_stop: Callable[[], bool]
) -> StageResult:
    if stage.spec.train.threads:
        torch.set_num_threads(stage.spec.train.threads)
    if torch.cuda.is_available():
        # Read when cuBLAS is first used, in this process; without it its sums differ from run to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    trainer = Trainer(stage, seed, follow=_while_packing(stage.name, recorder, should_stop))
    recorder.graph(trainer.graph)
    for remark in trainer.remarks:
        recorder.say(f"{stage.name}: {remark}")
    if parts := stage.spec.parents:
        _initialise(trainer, parts, checkpoints, recorder)
    store = CheckpointStore(checkpoints / stage.name, recorder.say)
    return StageRun(trainer, recorder, store, should_stop).run()


def _while_packing(stage: str, recorder: Recorder, should_stop: Callable[[], bool]) -> Follow:
    """Packing may take minutes before the first step: the log says how far it is, and it can be stopped."""
    said = -math.inf

    def follow(progress: Progress) -> None:
        nonlocal said
        if should_stop():
            raise Interrupted
        if time.monotonic() - said >= _SAY_EVERY:
            said = time.monotonic()
            recorder.say(f"{stage}: {progress}")

    return follow


def _initialise(trainer: Trainer, parts: Sequence[InitFrom], checkpoints: Path, recorder: Recorder) -> None:
    def weights_of(stage: str) -> Mapping[str, Tensor]:
        folder = checkpoints / stage
        parent = _read_result(folder)
        assert parent is not None, "stages run in order"
        weights: Mapping[str, Tensor] = CheckpointStore(folder, recorder.say).selected(parent.selected.file)[
            "network"
        ]
        return weights

    initialise_from(trainer, parts, weights_of, recorder.say)


def _read_result(folder: Path) -> StageResult | None:
    try:
        found = json.loads((folder / "result.json").read_text())
    except FileNotFoundError:
        return None
    return StageResult(found["epochs"], found["steps"], Selected(**found["selected"]), found["values"])
