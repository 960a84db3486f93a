"""metrics.jsonl: one row a line, appended as the run goes on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import cast

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import Kind, RecordedRow
from mmspec.system import sync

#: How JSON, as Python reads it, writes what is not finite.
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@lru_cache(maxsize=4096)
def _text(name: str) -> str:
    """A name as a JSON string; a run writes the same ones over and over."""
    return json.dumps(name, ensure_ascii=False)


def _digits(value: float) -> str:
    """A number as JSON, with all its digits."""
    text = repr(float(value))
    return _NOT_FINITE.get(text, text)


def as_line(kind: Kind, stage: str, step: int, epoch: int, values: Mapping[str, float]) -> str:
    """A row of metrics as a line of the file. Steps wait for it, so it builds nothing on the way."""
    numbers = ", ".join([f"{_text(name)}: {_digits(value)}" for name, value in values.items()])
    place = f'"stage": {_text(stage)}, "step": {step}, "epoch": {epoch}'
    return f'{{"kind": "{kind}", {place}, "values": {{{numbers}}}}}\n'


@attrs.frozen
class Row(RecordedRow):
    """A row of metrics as it stands in the file."""

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
    """metrics.jsonl as written by the one process that owns the run; open from the first row on."""

    path: Path
    _file: FileIO | None = attrs.field(default=None, init=False)

    def append(self, kind: Kind, stage: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Add a row. It survives the process's end; rows up to an epoch's end survive the machine's."""
        file = self._file or self._open()
        line = as_line(kind, stage, step, epoch, values).encode()
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            if kind == "epoch":
                os.fsync(file.fileno())
        except BaseException:
            self._close()  # what was written of the row is cut off before the next
            raise

    def _open(self) -> FileIO:
        _drop_torn_end(self.path)
        self._file = self.path.open("ab", buffering=0)  # a row is one write, and then the system has it
        weakref.finalize(self, self._file.close)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def rewind(self, stage: str, step: int, stages: Sequence[str]) -> None:
        """Drop the rows of `stage` beyond `step`, those of later `stages`, and a line that was torn."""
        self._close()
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


def read_rows(
    path: Path, kind: Kind | None = None, names: Collection[str] | None = None, stage: str | None = None
) -> Iterator[Row]:
    """The rows of this kind and stage, one at a time, with these values; a torn last line is passed over.

    Raises:
        RecordError: a line in the middle is damaged.
    """
    if not path.exists():
        return
    part = _Part(kind, stage, None if names is None else {name: f"{_text(name)}: " for name in names})
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                row = part.of_line(line)
            except ValueError as error:
                if not line.endswith("\n"):
                    return
                where = Location(str(path), number, 1)
                raise RecordError(Problem(f"this row is damaged: {error}", where)) from None
            if row is not None:
                yield row


#: A line as `as_line` writes it, with nothing escaped: kind, stage, step, epoch, and the text of the values.
_LINE = re.compile(
    r'\{"kind": "(step|epoch)", "stage": "([^"\\]*)", "step": ([0-9]+), "epoch": ([0-9]+), '
    r'"values": \{([^{}\\]*)\}\}\n'
)


@attrs.frozen
class _Part:
    """What is asked for of the rows: `names` has for each metric how a line begins its value."""

    kind: Kind | None
    stage: str | None
    names: Mapping[str, str] | None

    def of_line(self, line: str) -> Row | None:
        """The row of a line, with what is asked for; None without any of it. ValueError if it is no row.

        Of a line that is written as ours are, only what is asked for is read. Any other is parsed as a
        whole, which tells what is wrong with it.
        """
        written = _LINE.fullmatch(line)
        if written is None:
            return self._of_row(Row.from_line(line))
        kind, stage, step, epoch, values = written.groups()
        if self.kind not in (None, kind) or self.stage not in (None, stage):
            return None
        if self.names is None:
            return Row.from_line(line)
        try:
            kept = {name: _number(values, begin) for name, begin in self.names.items() if begin in values}
        except ValueError:
            return self._of_row(Row.from_line(line))
        return Row(cast(Kind, kind), stage, int(step), int(epoch), kept) if kept else None

    def _of_row(self, row: Row) -> Row | None:
        if self.kind not in (None, row.kind) or self.stage not in (None, row.stage):
            return None
        if self.names is None:
            return row
        kept = {name: value for name, value in row.values.items() if name in self.names}
        return attrs.evolve(row, values=kept) if kept else None


def _number(values: str, begin: str) -> float:
    """The number behind `begin`."""
    start = values.index(begin) + len(begin)
    end = values.find(",", start)
    return float(values[start:] if end < 0 else values[start:end])
