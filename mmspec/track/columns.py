"""Rows of metrics as the columns of a tracker, and back.

Trackers know neither kinds of rows nor stages, and merge rows of one step. So that nothing is lost:

- what an epoch's row says of training (its mean loss, say) is called `epoch/train/…`, since `train/…` is
  what single steps say;
- where a run has several stages, names begin with the stage's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from mmspec.plugins.recorded import Kind, RecordedRow

#: The column with the epoch of a row.
EPOCH = "epoch"
_TRAIN = "train/"
_OF_EPOCH = "epoch/"


def to_columns(row: RecordedRow, stages: Sequence[str]) -> dict[str, float]:
    """The row's values by the names of their columns, and its epoch; `stages` are those of the run."""
    prefix = f"{row.stage}/" if len(stages) > 1 else ""
    named = {prefix + _column(row.kind, name): value for name, value in row.values.items()}
    return {**named, EPOCH: float(row.epoch)}


def from_columns(columns: Mapping[str, float], step: int, stages: Sequence[str]) -> Iterator[RecordedRow]:
    """The rows whose columns a tracker merged at `step`: for each stage, that of the step, and the epoch's.

    Columns of other names (a tracker's own) are passed over. `step` is the tracker's: over all stages.
    """
    epoch = int(columns.get(EPOCH, 0))
    found: dict[tuple[str, Kind], dict[str, float]] = {}
    for column, value in columns.items():
        stage, name = _of_stage(column, stages)
        if stage is None or name == EPOCH or "/" not in name:
            continue
        kind: Kind = "step" if name.startswith(_TRAIN) else "epoch"
        found.setdefault((stage, kind), {})[name.removeprefix(_OF_EPOCH)] = value
    for (stage, kind), values in found.items():
        yield RecordedRow(kind, stage, step, epoch, values)


def to_rows(
    history: Iterable[tuple[int, Mapping[str, Any]]],
    stages: Sequence[str],
    kind: Kind | None = None,
    names: Collection[str] | None = None,
    stage: str | None = None,
) -> Iterator[RecordedRow]:
    """The rows of a run from a tracker's `history`: (step, columns) in the order of steps.

    Steps count within their stage again. Only rows of this kind and stage, with the values of these names.
    """
    ends: dict[str, int] = {}
    before: dict[str, int] = {}
    for step, columns in history:
        numbers = {name: number for name, said in columns.items() if (number := as_number(said)) is not None}
        for row in sorted(from_columns(numbers, step, stages), key=lambda row: _place(row, stages)):
            ends[row.stage] = step
            if row.stage not in before:
                earlier = stages[: stages.index(row.stage)]
                before[row.stage] = max((ends[name] for name in earlier if name in ends), default=0)
            if kind not in (None, row.kind) or stage not in (None, row.stage):
                continue
            values = {name: value for name, value in row.values.items() if names is None or name in names}
            if values:
                yield attrs.evolve(row, step=step - before[row.stage], values=values)


def total_steps(result: Mapping[str, Any]) -> int:
    """The last step of a finished run on a tracker's axis, from its result."""
    return sum(int(stage["steps"]) for stage in result["stages"].values())


def as_number(value: Any) -> float | None:
    """A logged value as a number, None if it is none; JSON has words for those it does not know."""
    if isinstance(value, int | float):
        return float(value)
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else None


def _place(row: RecordedRow, stages: Sequence[str]) -> tuple[int, bool]:
    """Within one step of a tracker, stages come in order, and a step's row before its epoch's."""
    return stages.index(row.stage), row.kind == "epoch"


def _column(kind: Kind, name: str) -> str:
    return _OF_EPOCH + name if kind == "epoch" and name.startswith(_TRAIN) else name


def _of_stage(column: str, stages: Sequence[str]) -> tuple[str | None, str]:
    """The stage of a column, and its name within that."""
    if len(stages) == 1:
        return stages[0], column
    for stage in stages:
        if column.startswith(f"{stage}/"):
            return stage, column.removeprefix(f"{stage}/")
    return None, column
