"""The reading side of run directories."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import Kind, LabelledArray, RecordedRun, Status
from mmspec.records import shape
from mmspec.records.arrays import read_array
from mmspec.records.files import read_json
from mmspec.records.lock import owner_of
from mmspec.records.metrics import Row, read_rows


@attrs.frozen(eq=False, slots=False)
class RunRecord(RecordedRun):
    """A run directory. Rows, provenance and the like are read when asked for."""

    path: Path

    @property
    def address(self) -> str:
        """The directory."""
        return str(self.path)

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """Command, code, packages, machine."""
        return _read(self.path / "provenance.json", shape.PROVENANCE)

    @cached_property
    def failure(self) -> Mapping[str, Any] | None:
        """Error, traceback and time, if the last process that worked on the run failed."""
        path = self.path / "failure.json"
        return _read(path, shape.FAILURE) if path.exists() else None

    def progress(self) -> Mapping[str, Any]:
        """How far the run was when it last said so: stage, epoch, epochs, step, steps, values, seconds."""
        return read_progress(self.path)

    def rows(
        self, kind: Kind | None = None, names: Collection[str] | None = None, stage: str | None = None
    ) -> Iterator[Row]:
        """The rows of metrics, one at a time, of this kind and stage, with the values of these names."""
        for row in read_rows(self.path / "metrics.jsonl"):
            if kind not in (None, row.kind) or stage not in (None, row.stage):
                continue
            if names is None:
                yield row
            elif kept := {name: value for name, value in row.values.items() if name in names}:
                yield attrs.evolve(row, values=kept)

    def array(self, name: str) -> LabelledArray | None:
        """An array of the last stage, by `split/name`; None unless the run is finished and has it."""
        return read_array(self.path, self.spec["stages"][-1]["name"], name) if self.result else None


@attrs.frozen
class Found:
    """The runs under a folder, and what is wrong with those that cannot be read."""

    runs: tuple[RunRecord, ...]
    problems: tuple[Problem, ...] = ()


def find_runs(root: Path) -> Found:
    """All runs under `root` (a run, an experiment's folder, or the folder of experiments), by path."""
    runs: list[RunRecord] = []
    problems: list[Problem] = []
    for path in _run_folders(root):
        try:
            runs.append(load_run(path))
        except RecordError as error:
            problems += error.problems
    return Found(tuple(runs), tuple(problems))


def load_run(path: Path) -> RunRecord:
    """What the run in this directory has recorded.

    Raises:
        RecordError: it is no run directory, or a damaged one.
    """
    path = Path(path)
    if not (path / "spec.json").exists():
        raise RecordError(Problem("is not a run directory: it holds no spec.json", Location(str(path))))
    spec = _read(path / "spec.json", shape.SPEC)
    identity = _read(path / "identity.json", shape.IDENTITY)
    result = _read(path / "result.json", shape.RESULT) if (path / "result.json").exists() else None
    return RunRecord(status_of(path), spec, identity, result, path)


def read_progress(path: Path) -> Mapping[str, Any]:
    """How far the run in this directory is; empty before it has said so, or if that is damaged."""
    try:
        return _read(path / "progress.json", shape.PROGRESS)
    except RecordError:
        return {}


def _read(path: Path, expected: shape.Shape) -> dict[str, Any]:
    value = read_json(path)
    shape.require(path, value, expected)
    return value


def status_of(path: Path) -> Status:
    """The state a run is in."""
    if (path / "result.json").exists():
        return "finished"
    if owner_of(path / "lock"):
        return "running"
    return "failed" if (path / "failure.json").exists() else "unfinished"


def _run_folders(root: Path) -> Iterator[Path]:
    """Run directories at most two levels below `root`, in order; half-made ones begin with a dot."""
    level = [Path(root)]
    for _ in range(3):
        below: list[Path] = []
        for folder in level:
            if (folder / "spec.json").exists():
                yield folder
            else:
                below += _folders_in(folder)
        level = below


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(
            entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError:
        return []
