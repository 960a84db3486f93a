"""Rows of metrics as the columns of a tracker, and back.

Trackers know neither kinds of rows nor stages, and merge rows of one step. So that nothing is lost:

- what an epoch's row says of training (its mean loss, say) is called `epoch/train/…`, since `train/…` is
  what single steps say;
- where a run has several stages, names begin with the stage's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
