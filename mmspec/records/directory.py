"""The writing side of a run directory."""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import Kind, LabelledArray
from mmspec.records import lock
from mmspec.records.arrays import read_arrays, write_arrays
from mmspec.records.files import read_json, write_json, write_text
from mmspec.records.metrics import MetricsLog
from mmspec.records.read import read_progress
from mmspec.system import sync

#: Seconds between two writings of progress.json.
_PROGRESS_EVERY = 0.25


class DrawnGraph(Protocol):
    """A stage's training graph, as far as it is recorded."""

    @property
    def name(self) -> str:
        """The stage."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""


@attrs.define(eq=False)
class RunDirectory:
    """One run's directory, written to by the process that holds its lock.

    It is the recorder that the engine reports to: `row`, `rewind`, `arrays`, `graph`, `say`, `progress`.
    """

    path: Path
    spec: Mapping[str, Any]
    metrics: MetricsLog
    _progress: dict[str, Any] = attrs.field(factory=dict)
    _written: float = attrs.field(default=0.0, init=False)
    _earlier_seconds: float = attrs.field(default=0.0, init=False)
    _began: float = attrs.field(factory=time.monotonic, init=False)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        spec: Mapping[str, Any],
        identity: Mapping[str, Any],
        sources: Mapping[str, str],
        provenance: Mapping[str, Any],
    ) -> RunDirectory:
        """Make a run's directory, or open the one that is there.

        `sources` are the spec's files as they were written, by name. The directory appears whole.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{time.time_ns()}.tmp")
            (temporary / "source").mkdir(parents=True)
            for name, text in sources.items():
                write_text(temporary / "source" / name, text)
            write_json(temporary / "spec.json", dict(spec))
            write_json(temporary / "identity.json", dict(identity))
            write_json(temporary / "provenance.json", dict(provenance))
            if len(spec.get("stages", ())) > 1:
                write_text(temporary / "stages.svg", stage_drawing(spec))
            try:
                temporary.rename(path)
            except OSError:  # another process was faster
                shutil.rmtree(temporary)
            sync(path.parent)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open a run's directory to go on with it.

        Raises:
            RecordError: it is not one.
        """
        if not (path / "spec.json").is_file():
            raise RecordError(Problem("is not a run directory: it holds no spec.json", Location(str(path))))
        opened = cls(path, read_json(path / "spec.json"), MetricsLog(path / "metrics.jsonl"))
        opened._earlier_seconds = read_progress(path).get("seconds", 0.0)
        return opened

    @property
    def is_finished(self) -> bool:
        """Whether the result is written."""
        return (self.path / "result.json").exists()

    @property
    def checkpoints(self) -> Path:
        """The folder of the engine's checkpoints."""
        return self.path / "checkpoints"

    @property
    def stages(self) -> list[str]:
        """The stages' names, in order."""
        return [stage["name"] for stage in self.spec["stages"]]

    @property
    def seconds(self) -> float:
        """How long the run has worked, over all its processes."""
        return self._earlier_seconds + time.monotonic() - self._began

    def lock(self) -> AbstractContextManager[None]:
        """Hold the directory for this process; RecordError if another live one does."""
        return lock.held(self.path / "lock")

    # ------------------------------------------------------------ what the engine reports

    def row(self, kind: Kind, stage: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append a row of metrics."""
        self.metrics.append(kind, stage, step, epoch, values)
        if kind == "epoch":
            self._progress["values"] = dict(values)
            main = [f"{name} {value:.4g}" for name, value in values.items() if "." not in name]
            self.say(f"{stage}: epoch {epoch}, step {step}: {', '.join(main)}")

    def rewind(self, stage: str, step: int) -> None:
        """Drop the rows beyond `step` of `stage`, and those of later stages: they will come again."""
        self.metrics.rewind(stage, step, self.stages)

    def arrays(self, stage: str, arrays: Mapping[str, LabelledArray]) -> None:
        """Write what metrics leave at the end of a stage, by `split/name`."""
        write_arrays(self.path, stage, arrays)

    def arrays_of(self, stage: str) -> Mapping[str, LabelledArray]:
        """The arrays that an earlier stage has left, by name."""
        return read_arrays(self.path, stage)

    def graph(self, graph: DrawnGraph) -> None:
        """Write what was built, as data and as a picture."""
        path = self.path / "graph.json"
        graphs = read_json(path) if path.exists() else {"stages": {}}
        graphs["stages"][graph.name] = graph.to_json()
        write_json(path, graphs)
        write_text(self.picture(graph.name), drawing(graph))

    def picture(self, stage: str) -> Path:
        """Where the picture of a stage's graph stands."""
        return self.path / ("graph.svg" if len(self.stages) == 1 else f"graph-{stage}.svg")

    def say(self, message: str) -> None:
        """Write a line to the log, and to the terminal if there is one."""
        line = f"{_now()} {message}"
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if sys.stdout is not None and sys.stdout.isatty():
            sys.stdout.write(line + "\n")

    def progress(self, stage: str, epoch: int, epochs: int, step: int, steps: int) -> None:
        """How far the run is; written a few times a second at most.

        What an earlier stage has measured is not told of a later one.
        """
        if stage != self._progress.get("stage", stage):
            self._progress.pop("values", None)
        self._progress.update(stage=stage, epoch=epoch, epochs=epochs, step=step, steps=steps)
        if time.monotonic() - self._written >= _PROGRESS_EVERY or step >= steps:
            self._write_progress()

    # ------------------------------------------------------------ beginning and end

    def begin(self, **process: Any) -> None:
        """A process starts to work on the run: forget an earlier failure, note what it runs on."""
        (self.path / "failure.json").unlink(missing_ok=True)
        path = self.path / "provenance.json"
        provenance = read_json(path)
        if "started" in provenance:
            changed = {key: value for key, value in process.items() if provenance.get(key) != value}
            provenance.setdefault("resumed", []).append({"started": _now(), **changed})
        else:
            provenance.update(started=_now(), **process)
        write_json(path, provenance)
        self._began = time.monotonic()

    def note(self, **facts: Any) -> None:
        """Add to the provenance what is known only now."""
        path = self.path / "provenance.json"
        write_json(path, {**read_json(path), **facts})

    def interrupt(self) -> None:
        """A process stops before the end; another will go on."""
        self._write_progress()

    def fail(self, error: BaseException) -> None:
        """Record why the run failed."""
        text = "".join(traceback.format_exception(error))
        said = str(error) or type(error).__name__
        failure = {"error": said, "kind": type(error).__name__, "traceback": text, "time": _now()}
        write_json(self.path / "failure.json", failure)
        self.interrupt()

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result: from here on the run is finished."""
        identity = read_json(self.path / "identity.json")
        self.interrupt()
        whole = {
            "status": "finished",
            **result,
            "seconds": round(self.seconds, 3),
            "identity": identity["id"],
        }
        write_json(self.path / "result.json", whole)

    def _write_progress(self) -> None:
        self._written = time.monotonic()
        progress = {**self._progress, "seconds": round(self.seconds, 3)}
        write_json(self.path / "progress.json", progress, durable=False)


def drawing(graph: Any) -> str:
    """The SVG picture of a training graph."""
    from mmspec.graph.draw import as_svg

    return as_svg(graph)


def stage_drawing(spec: Mapping[str, Any]) -> str:
    """The SVG picture of the graph of a run's stages."""
    from mmspec.graph.stages import as_svg, stage_graph

    return as_svg(stage_graph(spec["stages"]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
