"""One run: its stages in order, each from where it was left, or taken from a run that had the same."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import accumulate
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

import attrs
import torch
from torch import Tensor

from mmspec.data.pack_format import Follow, Progress
from mmspec.data.shuffling import as_read
from mmspec.data.table_files import read_table
from mmspec.engine.checkpoint import CheckpointStore
from mmspec.engine.extraction import Extraction
from mmspec.engine.initial import initialise_from
from mmspec.engine.loop import Interrupted, Selected, StageResult, StageRun
from mmspec.engine.recorder import Recorder
from mmspec.engine.trainer import Trainer
from mmspec.errors import RunError
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.api import AnalysisResult, FeatureTable, StageOutput
from mmspec.plugins.plan import AnalysisPlan, AnyStagePlan, ExtractPlan, NetworkPlan, RunPlan, StagePlan
from mmspec.system import cores, write_whole

#: Seconds between two lines about a packing.
_SAY_EVERY = 10.0
#: Where a stage's feature table lies in its folder.
TABLE = "table"
RESULT = "result.json"


@attrs.frozen
class RunResult:
    """What a finished run comes to: `stages` by name, `values` by the names that reports use."""

    stages: Mapping[str, StageResult]
    values: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        stages = {name: stage.to_json() for name, stage in self.stages.items()}
        return {"values": dict(self.values), "stages": stages}


class SharedStages(Protocol):
    """What other runs have finished, and where this run's finished stages go."""

    def turn(self, stage: AnyStagePlan) -> AbstractContextManager[bool]:
        """Within it no other run works on an equal stage. True: one has, and its files are here now."""

    def publish(self, stage: AnyStagePlan) -> None:
        """Let other runs have this finished stage."""


class Unshared(SharedStages):
    """Nothing is taken, nothing given."""

    def turn(self, stage: AnyStagePlan) -> AbstractContextManager[bool]:
        """Nothing to wait for."""
        del stage
        return nullcontext(False)

    def publish(self, stage: AnyStagePlan) -> None:
        """Nobody to tell."""


def execute_run(
    plan: RunPlan,
    recorder: Recorder,
    folder: Path,
    *,
    shared: SharedStages | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    at_once: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> RunResult:
    """Run the stages of a plan in order; finished ones are not run again, one that was cut off goes on.

    `folder` gets a folder for each stage: checkpoints, feature table, result. Analyses, which cannot go on
    but begin anew, run within `at_once()`, where being told to stop may raise KeyboardInterrupt.

    Raises:
        Interrupted: `should_stop` said so; everything is saved.
        UserError: plugins, data or checkpoints do not fit.
        RunError: the run failed.
    """
    work = _Work(plan, recorder, folder, shared or Unshared(), should_stop, at_once)
    results = {stage.name: work.result(stage) for stage in plan.stages}
    return RunResult(results, values_of(plan, results))


def values_of(plan: RunPlan, results: Mapping[str, StageResult]) -> dict[str, float]:
    """What a run's stages come to, by the names that reports use.

    `split/name` is of the last stage that has a network to measure, `stage/name` of an analysis; where
    several stages measure, `stage/split/name` is of each.
    """
    measured = [stage.name for stage in plan.trained]
    values: dict[str, float] = {}
    for name in measured if len(measured) > 1 else ():
        values |= {f"{name}/{key}": value for key, value in results[name].values.items()}
    for stage in plan.stages:
        if isinstance(stage, AnalysisPlan):
            values |= results[stage.name].values
    return {**values, **results[measured[-1]].values} if measured else values


@attrs.define(eq=False)
class _Work:
    """A run under way."""

    plan: RunPlan
    recorder: Recorder
    folder: Path
    shared: SharedStages
    should_stop: Callable[[], bool]
    at_once: Callable[[], AbstractContextManager[None]]

    def result(self, stage: AnyStagePlan) -> StageResult:
        """What a stage has come to, or comes to now."""
        if (found := _read_result(self.folder / stage.name)) is not None:
            return found
        with self.shared.turn(stage) as had:
            if had and (found := _read_result(self.folder / stage.name)) is not None:
                return found
            self._prepare(stage)
            result = self._run(stage)
            folder = self.folder / stage.name
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / RESULT, json.dumps(result.to_json()).encode())
            self.shared.publish(stage)
            return result

    def _run(self, stage: AnyStagePlan) -> StageResult:
        if isinstance(stage, StagePlan):
            return self._train(stage)
        if isinstance(stage, ExtractPlan):
            return self._extract(stage)
        assert isinstance(stage, AnalysisPlan)
        return self._analyse(stage)

    def _prepare(self, stage: AnyStagePlan) -> None:
        """Threads, and arithmetic that is the same every time."""
        if isinstance(stage, NetworkPlan) and stage.spec.train.threads:
            torch.set_num_threads(stage.spec.train.threads)
        if torch.cuda.is_available():
            # Read when cuBLAS is first used, in this process; without it its sums differ from run to run.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.backends.cudnn.benchmark = False
            torch.use_deterministic_algorithms(True, warn_only=True)

    # ------------------------------------------------------------ the kinds of stages

    def _train(self, stage: StagePlan) -> StageResult:
        tables = {name: as_read(self._table(read.stage), read) for name, read in stage.spec.reads.items()}
        trainer = Trainer(stage, self.plan.seed, tables=tables, follow=self._while_packing(stage.name))
        self.recorder.graph(trainer.graph)
        self._begin(stage, trainer.network, trainer.remarks)
        store = CheckpointStore(self.folder / stage.name, self.recorder.say)
        return StageRun(trainer, self.recorder, store, self.should_stop).run()

    def _extract(self, stage: ExtractPlan) -> StageResult:
        extraction = Extraction(stage, self.plan.seed, follow=self._while_packing(stage.name))
        self.recorder.graph(extraction.graph)
        if extraction.network is not None:
            self._begin(stage, extraction.network, extraction.remarks)
        rows = [len(source) for source in extraction.sources.values()]
        before = dict(zip(extraction.sources, accumulate(rows, initial=0), strict=False))
        said = time.monotonic()

        def told(split: str, done: int, of_split: int) -> None:
            nonlocal said
            if self.should_stop():
                raise Interrupted
            done_of_all = before[split] + done
            self.recorder.progress(stage=stage.name, epoch=1, epochs=1, step=done_of_all, steps=sum(rows))
            if time.monotonic() - said >= _SAY_EVERY:
                said = time.monotonic()
                self.recorder.say(f"{stage.name}: {split}: {done} of {of_split} samples")

        about = {"stage": dict(stage.resolved), "seed": self.plan.seed}
        height, width = extraction.write(self.folder / stage.name / TABLE, about, told)
        self.recorder.say(f"{stage.name}: a table of {height} rows and {width} columns")
        return StageResult(0, 0, None, {})

    def _analyse(self, stage: AnalysisPlan) -> StageResult:
        self.recorder.progress(stage=stage.name, epoch=0, epochs=0, step=0, steps=0)  # it cannot say how far
        inputs = {}
        for name, read in stage.spec.reads.items():
            output = self._output(read.stage)
            if output.table is not None:
                output = attrs.evolve(output, table=as_read(output.table, read))
            inputs[name] = output
        with self.at_once():
            result = stage.analysis.analyse(inputs, workers=cores())
        for remark in result.remarks:
            self.recorder.say(f"{stage.name}: {remark}")
        _check_names(stage.name, result)
        if result.arrays:
            named = {f"{stage.name}/{name}": array for name, array in result.arrays.items()}
            self.recorder.arrays(stage=stage.name, arrays=named)
        values = {f"{stage.name}/{name}": float(value) for name, value in result.values.items()}
        if values:
            self.recorder.say(f"{stage.name}: " + ", ".join(f"{k} {v:.4g}" for k, v in values.items()))
        return StageResult(0, 0, None, values)

    # ------------------------------------------------------------ what earlier stages have left

    def _table(self, stage: str) -> FeatureTable:
        return read_table(self.folder / stage / TABLE, stage)

    def _output(self, stage: str) -> StageOutput:
        result = _read_result(self.folder / stage)
        assert result is not None, "stages run in order"
        has_table = (self.folder / stage / TABLE).exists()
        table = self._table(stage) if has_table else None
        spec = next(other.resolved for other in self.plan.stages if other.name == stage)
        return StageOutput(stage, result.values, self.recorder.arrays_of(stage), table, spec)

    def _begin(self, stage: NetworkPlan, network: FusedNetwork, remarks: tuple[str, ...]) -> None:
        """Say what there is to say of the first weights, and take those of earlier stages."""
        for remark in remarks:
            self.recorder.say(f"{stage.name}: {remark}")
        if parts := stage.spec.weights_from:
            initialise_from(network, stage.name, parts, self._weights, self.recorder.say)

    def _weights(self, stage: str) -> Mapping[str, Tensor]:
        folder = self.folder / stage
        parent = _read_result(folder)
        assert parent is not None, "stages run in order"
        assert parent.selected is not None, "it is a stage that trains"
        kept = CheckpointStore(folder, self.recorder.say).selected(parent.selected.file)
        weights: Mapping[str, Tensor] = kept["network"]
        return weights

    def _while_packing(self, stage: str) -> Follow:
        """Packing may take minutes before the first step: the log says how far it is; it can be stopped."""
        return partial(_follow, stage, self.recorder, self.should_stop, [-math.inf])


def _check_names(stage: str, result: AnalysisResult) -> None:
    """Refuse what could not be recorded.

    Raises:
        RunError: an analysis gives a value that is no number, or one under no plain name.
    """
    begin, hint = f"stage {stage}: its analysis gives", "this is a mistake of the plugin"
    for name in (*result.values, *result.arrays):
        if not isinstance(name, str) or not name or "/" in name:
            raise RunError(f"{begin} something the name {name!r}", hint=hint)
    for name, value in result.values.items():
        if not isinstance(value, Real):
            raise RunError(f"{begin} {name!r} as {type(value).__name__}, not a number", hint=hint)


def _follow(
    stage: str, recorder: Recorder, should_stop: Callable[[], bool], said: list[float], progress: Progress
) -> None:
    if should_stop():
        raise Interrupted
    if time.monotonic() - said[0] >= _SAY_EVERY:
        said[0] = time.monotonic()
        recorder.say(f"{stage}: {progress}")


def _read_result(folder: Path) -> StageResult | None:
    try:
        found = json.loads((folder / RESULT).read_text())
    except FileNotFoundError:
        return None
    selected = None if found["selected"] is None else Selected(**found["selected"])
    return StageResult(found["epochs"], found["steps"], selected, found["values"])
