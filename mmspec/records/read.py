"""The reading side of run directories."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import Any

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import Kind, LabelledArray, RecordedRun, Status
from mmspec.records import shape
from mmspec.records.arrays import read_array
from mmspec.records.files import read_json, read_json_if_there
from mmspec.records.lock import owner_of
from mmspec.records.metrics import Row, read_rows


@attrs.frozen(eq=False, slots=False)
class RunRecord(RecordedRun):
    """A run directory. Rows, provenance and the like are read when asked for.

    `common` holds what the provenance of runs that were found together has in common: diffs are long.
    """

    path: Path
    common: dict[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def address(self) -> str:
        """The directory."""
        return str(self.path)

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """Command, code, packages, machine."""
        return _shared_parts(_read(self.path / "provenance.json", shape.PROVENANCE), self.common)

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
        return read_rows(self.path / "metrics.jsonl", kind, names, stage)

    def table_size(self, stage: str) -> tuple[int, int] | None:
        """Rows and columns of the feature table that a stage has written; None if there is none to read."""
        import numpy as np

        try:
            path = self.path / "checkpoints" / stage / "table" / "values.npy"
            rows, columns = np.load(path, mmap_mode="r", allow_pickle=False).shape
        except (OSError, ValueError, EOFError):
            return None
        return int(rows), int(columns)

    def array(self, name: str) -> LabelledArray | None:
        """An array by `split/name` of the last stage that has one of this name; None in unfinished runs.

        `stage/split/name` is that of one stage, as with values, and `stage/name` that of an analysis.
        """
        stages = [str(stage["name"]) for stage in self.spec["stages"]] if self.result else []
        first, _, rest = name.partition("/")
        if first in stages and "/" in rest:
            return read_array(self.path, first, rest)
        found = (read_array(self.path, stage, name) for stage in reversed(stages))
        return next((array for array in found if array is not None), None)


@attrs.frozen
class Found:
    """The runs under a folder, and what is wrong with those that cannot be read."""

    runs: tuple[RunRecord, ...]
    problems: tuple[Problem, ...] = ()


def find_runs(root: Path) -> Found:
    """All runs under `root` (a run, an experiment's folder, or the folder of experiments), by path."""
    runs: list[RunRecord] = []
    problems: list[Problem] = []
    known: dict[str, Any] = {}
    common: dict[str, Any] = {}
    for path in run_folders(root):
        try:
            runs.append(_load(path, known, common))
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
    return _load(path, {}, {})


def _load(path: Path, known: dict[str, Any], common: dict[str, Any]) -> RunRecord:
    """The run in this directory. What it shares with runs that were read before, it takes from `known`."""
    spec = _shared_parts(_read(path / "spec.json", shape.SPEC), known)
    identity = _shared_parts(_read(path / "identity.json", shape.IDENTITY), known)
    result = read_json_if_there(path / "result.json")
    if result is None:
        return RunRecord(_status_of_unfinished(path), spec, identity, None, path, common)
    shape.require(path / "result.json", result, shape.RESULT)
    return RunRecord("finished", spec, identity, _lean(result), path, common)


def _shared_parts(content: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """`content` with tables and lists that equal one in `known` taken from there.

    Runs of one experiment differ in few keys, so a thousand of them hold little more than one.
    """
    return {
        key: _shared(value, known) if isinstance(value, dict | list) else value
        for key, value in content.items()
    }


def _shared(value: Any, known: dict[str, Any]) -> Any:
    text = repr(value)  # tells true from 1, and 1 from 1.0
    if text not in known:
        if isinstance(value, dict):
            value = _shared_parts(value, known)
        elif isinstance(value, list):
            value = [_shared(item, known) for item in value]
        known[text] = value
    return known[text]


def _lean(result: dict[str, Any]) -> dict[str, Any]:
    """The result with each metric's name once in memory, and once the values that it repeats."""
    values = {intern(name): value for name, value in result["values"].items()}
    return {intern(name): _named(part, values) for name, part in result.items()}


def _named(part: Any, values: dict[str, Any]) -> Any:
    if not isinstance(part, dict):
        return part
    if part == values and list(part) == list(values):
        return values
    return {intern(name): _named(inner, values) for name, inner in part.items()}


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
    return "finished" if (path / "result.json").exists() else _status_of_unfinished(path)


def _status_of_unfinished(path: Path) -> Status:
    if owner_of(path / "lock"):
        return "running"
    return "failed" if (path / "failure.json").exists() else "unfinished"


def run_folders(root: Path) -> Iterator[Path]:
    """Run directories at most two levels below `root`, in order; half-made ones begin with a dot."""
    level = [str(root)]
    for _ in range(3):
        below: list[str] = []
        for folder in level:
            if os.path.exists(os.path.join(folder, "spec.json")):  # noqa: PTH110, PTH118 - of thousands
                yield Path(folder)
            else:
                below += _folders_in(folder)
        level = below


def _folders_in(folder: str) -> list[str]:
    """The folders in one, by name."""
    try:
        with os.scandir(folder) as entries:
            found = [(e.name, e.path) for e in entries if not e.name.startswith(".") and _is_folder(e)]
    except OSError:
        return []
    return [path for _, path in sorted(found)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one. The entry itself raises for a link that leads to itself."""
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()
