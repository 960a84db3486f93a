"""The loop over one stage.

    go on from the last checkpoint, if there is one
    until all epochs are done, or train.stop is satisfied:
        for each batch of the epoch's rest:
            decision = strategy.decide()
            output   = network(batch, decision)
            loss     = strategy.loss(objective(output))
            backward
            strategy.after_backward(); training metrics likewise
            optimizer.step(); schedule.after_step()
            every log_every steps: a row of step metrics
            every checkpoint_every steps, and when told to stop: a checkpoint
        train metrics; evaluation of the splits measured each epoch; schedule.after_epoch()
        a row of epoch metrics
        better than all before by [select]: keep the weights
        a checkpoint
    take the selected weights; measure everything on every split

The part from `decide` to `after_step` is `Trainer.step`, what follows an epoch is `Trainer.end_epoch`; a run
driven by hand calls the same two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from mmspec.engine.checkpoint import CheckpointStore
from mmspec.engine.recorder import Recorder
from mmspec.engine.trainer import Trainer
from mmspec.errors import RunError
from mmspec.plugins.recorded import LabelledArray


class Interrupted(Exception):  # noqa: N818 - not an error: the run goes on when it is started again
    """The run was told to stop and has saved where it stands."""


@attrs.frozen
class Selected:
    """The epoch whose weights are the model, the value that chose it, and what was measured then.

    `metric` None: nothing chose, these are the last weights.
    """

    epoch: int
    metric: str | None
    value: float | None
    file: str
    values: Mapping[str, float]


@attrs.frozen
class StageResult:
    """What a finished stage comes to. `values` are of the selected weights; None without any."""

    epochs: int
    steps: int
    selected: Selected | None
    values: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return attrs.asdict(self)


@attrs.define
class _Course:
    """How a stage has gone so far, beside the trainer's own state."""

    selected: Selected | None = None
    reached: int = 0
    values: dict[str, float] = attrs.field(factory=dict)
    frozen: dict[str, str] = attrs.field(factory=dict)


class StageRun:
    """One stage under way: a trainer with records and checkpoints."""

    def __init__(
        self, trainer: Trainer, recorder: Recorder, store: CheckpointStore, should_stop: Callable[[], bool]
    ) -> None:
        self._trainer = trainer
        self._spec = trainer.plan.spec
        self._name = trainer.plan.name
        self._recorder = recorder
        self._store = store
        self._should_stop = should_stop
        self._course = _Course()

    def run(self) -> StageResult:
        """Train to the end and measure.

        Raises:
            Interrupted: `should_stop` said so; a checkpoint is saved.
            RunError: the loss is no longer a number, or something changed what is frozen.
        """
        self._resume()
        while self._trainer.epoch <= self._spec.train.epochs and not self._stopped():
            self._train_epoch()
            self._end_epoch()
            if self._should_stop():
                raise Interrupted
        return self._measure()

    def _train_epoch(self) -> None:
        trainer, train = self._trainer, self._spec.train
        for batch in trainer.batches():
            result = trainer.step(batch)
            if trainer.steps % train.log_every == 0:
                self._row("step", trainer.step_values(result))
                self._progress()
            if trainer.position < trainer.steps_per_epoch:  # the epoch's own checkpoint follows the last step
                stop = self._should_stop()
                if stop or (train.checkpoint_every and trainer.steps % train.checkpoint_every == 0):
                    self._checkpoint()
                if stop:
                    raise Interrupted

    def _end_epoch(self) -> None:
        epoch = self._trainer.epoch
        values = self._trainer.end_epoch()
        loss = values["train/loss"]
        if math.isnan(loss):
            raise RunError(
                f"the training loss of epoch {epoch} is not a number", hint="a smaller optimizer.lr may help"
            )
        self._row("epoch", values, epoch)
        self._select(epoch, values)
        self._course.values = values
        if (stop := self._spec.train.stop) is not None:
            self._course.reached += self._value(stop.metric, values) >= stop.reaches
        self._checkpoint()
        self._progress(epoch)

    def _select(self, epoch: int, values: dict[str, float]) -> None:
        """Keep these weights if they are better than all before."""
        select, best = self._spec.select, self._course.selected
        if select is None:
            return
        value = self._value(select.metric, values)
        if best is not None and best.value is not None:
            better = value > best.value if select.mode == "max" else value < best.value
            if not better:
                return
        measured = {k: v for k, v in values.items() if k.split("/")[0] in self._trainer.each_epoch}
        self._course.selected = Selected(epoch, select.metric, value, self._keep(), measured)

    def _keep(self) -> str:
        state = self._trainer.state_dict()
        return self._store.keep({key: state[key] for key in ("network", "strategy")}, self._trainer.steps)

    def _value(self, metric: str, values: Mapping[str, float]) -> float:
        if metric not in values:
            known = ", ".join(sorted(values))
            raise RunError(f"there is no metric {metric!r} after an epoch", hint=f"there are: {known}")
        return values[metric]

    def _stopped(self) -> bool:
        stop = self._spec.train.stop
        return stop is not None and self._course.reached >= stop.epochs

    def _measure(self) -> StageResult:
        """Everything, on every split, with the selected weights; without [select], with the last."""
        trainer, selected = self._trainer, self._course.selected
        self._check_frozen()
        values = {name: value for name, value in self._course.values.items() if name.startswith("train/")}
        if selected is None:
            selected = Selected(trainer.epoch - 1, None, None, self._keep(), {})
        else:
            trainer.load_weights(self._store.selected(selected.file))
        values |= selected.values
        splits = self._spec.evaluate.splits or tuple(trainer.plan.splits)
        known = {name.split("/")[0] for name in selected.values}
        if trainer.measures_more_at_the_end:  # on every split, though what is known of one stays as it is
            known = set()
        values |= trainer.measure(
            splits, streamed=[split for split in splits if split not in known], keep=self._keep_arrays
        )
        values |= selected.values
        return StageResult(trainer.epoch - 1, trainer.steps, selected, values)

    def _check_frozen(self) -> None:
        before = self._course.frozen
        if before:
            self._trainer.frozen.check(before)
            self._recorder.say(f"{self._name}: {len(before)} frozen tensors are as they were")

    # ------------------------------------------------------------ records and checkpoints

    def _keep_arrays(self, arrays: Mapping[str, LabelledArray]) -> None:
        self._recorder.arrays(stage=self._name, arrays=arrays)

    def _resume(self) -> None:
        state = self._store.last()
        if state is not None:
            self._trainer.load_state_dict(state["trainer"])
            course = state["course"]
            selected = course["selected"]
            self._course = _Course(
                Selected(**selected) if selected else None,
                course["reached"],
                course["values"],
                course["frozen"],
            )
            self._recorder.say(f"{self._name}: goes on after step {self._trainer.steps}")
        else:
            self._course.frozen = self._trainer.frozen.digests()
        self._recorder.rewind(stage=self._name, step=self._trainer.steps)
        self._progress()

    def _checkpoint(self) -> None:
        state = {"trainer": self._trainer.state_dict(), "course": attrs.asdict(self._course)}
        self._store.save(state, self._trainer.steps)

    def _row(self, kind: Any, values: Mapping[str, float], epoch: int | None = None) -> None:
        t = self._trainer
        self._recorder.row(kind, stage=self._name, step=t.steps, epoch=epoch or t.epoch, values=values)

    def _progress(self, epoch: int | None = None) -> None:
        t = self._trainer
        steps = t.steps_per_epoch
        step = steps if epoch else t.position
        epochs = self._spec.train.epochs
        self._recorder.progress(
            stage=self._name, epoch=epoch or t.epoch, epochs=epochs, step=step, steps=steps
        )
