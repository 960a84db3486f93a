"""metrics.jsonl: one row a line, appended as the run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import RecordedRow
from mmspec.system import sync


@attrs.frozen
class Row(RecordedRow):
    """A row of metrics as it stands in the file."""

    def to_line(self) -> str:
        """The row as a line of metrics.jsonl."""
        return json.dumps(attrs.asdict(self, recurse=False), ensure_ascii=False, default=dict) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Row:
        """The row of a line; ValueError if it is none."""
        try:
            said = json.loads(line)
            if said["kind"] not in ("step", "epoch") or not isinstance(said["stage"], str):
                raise ValueError("it names no kind and stage")
            values = {str(name): float(value) for name, value in said["values"].items()}
            return cls(said["kind"], said["stage"], int(said["step"]), int(said["epoch"]), values)
        except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a row of metrics: {error!r}") from None


@attrs.define(eq=False)
class MetricsLog:
    """metrics.jsonl as written by the one process that owns the run."""

    path: Path
    _is_whole: bool = attrs.field(default=False, init=False)

    def append(self, row: Row) -> None:
        """Add a row. It survives the process's end; rows up to an epoch's end survive the machine's."""
        if not self._is_whole:
            _drop_torn_end(self.path)
            self._is_whole = True
        with self.path.open("a", encoding="utf-8") as file:
            file.write(row.to_line())
            if row.kind == "epoch":
                file.flush()
                os.fsync(file.fileno())

    def rewind(self, stage: str, step: int, stages: Sequence[str]) -> None:
        """Drop the rows of `stage` beyond `step`, those of later `stages`, and a line that was torn."""
        if not self.path.exists():
            return
        later = stages[stages.index(stage) + 1 :]
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with (
            self.path.open(encoding="utf-8", errors="replace") as old,
            temporary.open("w", encoding="utf-8") as new,
        ):
            for line in old:
                try:
                    row = Row.from_line(line)
                except ValueError:
                    continue
                if row.stage not in later and not (row.stage == stage and row.step > step):
                    new.write(line if line.endswith("\n") else line + "\n")
            new.flush()
            os.fsync(new.fileno())
        temporary.replace(self.path)
        sync(self.path.parent)


def _drop_torn_end(path: Path) -> None:
    """Cut off a last line that has no end, so that the next row starts a line of its own."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        start = max(0, end - 2**20)
        file.seek(start)
        file.truncate(start + file.read().rfind(b"\n") + 1)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows, one at a time; a torn last line is passed over.

    Raises:
        RecordError: a line in the middle is damaged.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                row = Row.from_line(line)
            except ValueError as error:
                if not line.endswith("\n"):
                    return
                where = Location(str(path), number, 1)
                raise RecordError(Problem(f"this row is damaged: {error}", where)) from None
            yield row
