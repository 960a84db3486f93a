"""The reading side of run directories."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.records import shape
from mmspec.records.files import read_json
from mmspec.records.lock import owner_of
from mmspec.records.metrics import Kind, Row, read_rows

Status = Literal["finished", "running", "failed", "unfinished"]


@attrs.frozen(eq=False, slots=False)
class RunRecord:
    """What a run has recorded so far. Rows, provenance and the like are read when asked for."""

    path: Path
    status: Status
    spec: Mapping[str, Any]
    identity: Mapping[str, Any]
    result: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """The run's id, which is its folder's name."""
        return str(self.identity["id"])

    @property
    def is_smoke(self) -> bool:
        """Whether it is a smoke run, on stand-ins: its numbers mean nothing."""
        return bool(self.identity.get("smoke"))

    @property
    def experiment(self) -> str:
        """The name of the spec."""
        return str(self.spec["name"])

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.spec["seed"])

    @property
    def labels(self) -> Mapping[str, Any]:
        """What tells the run from its siblings: `variant`, and each swept key."""
        labels: Mapping[str, Any] = self.spec["labels"]
        return labels

    @property
    def label(self) -> str:
        """The labels for a reader, without the seed."""
        return ", ".join(map(str, self.labels.values())) or self.experiment

    @property
    def values(self) -> Mapping[str, float]:
        """The final metrics by name; empty unless the run is finished."""
        values: Mapping[str, float] = self.result["values"] if self.result else {}
        return values

    @property
    def stages(self) -> Mapping[str, Mapping[str, Any]]:
        """Per stage: epochs, steps, the selected checkpoint and the values at it; empty unless finished."""
        stages: Mapping[str, Mapping[str, Any]] = self.result["stages"] if self.result else {}
        return stages

    @property
    def seconds(self) -> float | None:
        """How long the run took; None unless finished."""
        return float(self.result["seconds"]) if self.result else None

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
        self,
        kind: Kind | None = None,
        names: Collection[str] | None = None,
        stage: str | None = None,
    ) -> Iterator[Row]:
        """The rows of metrics, one at a time, of this kind and stage, with the values of these names."""
        for row in read_rows(self.path / "metrics.jsonl"):
            if kind not in (None, row.kind) or stage not in (None, row.stage):
                continue
            if names is None:
                yield row
            elif kept := {name: value for name, value in row.values.items() if name in names}:
                yield attrs.evolve(row, values=kept)


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
    return RunRecord(path, status_of(path), spec, identity, result)


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
