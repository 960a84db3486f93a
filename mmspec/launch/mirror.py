"""The recorder of a run that is mirrored to trackers. No tracker can stop a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import attrs

from mmspec.launch.kept import kept_files
from mmspec.plugins.api import RunInfo, Tracker, TrackerSession
from mmspec.plugins.recorded import Kind, LabelledArray, RecordedRow
from mmspec.records import RunDirectory, RunRecord, load_run
from mmspec.records.directory import DrawnGraph
from mmspec.track.columns import to_columns

T = TypeVar("T")


def notices_of(path: Path) -> Path:
    """The file with what the trackers of the run in this directory have said."""
    return path / "track" / "notices.txt"


def _told(path: Path) -> Path:
    """The file that says that the trackers know how the run in this directory finished."""
    return path / "track" / "finished"


@attrs.define(eq=False)
class MirroredRun:
    """Records to a run directory and repeats every row to trackers, which start with the first report.

    Trackers see one axis of steps: a later stage goes on counting where the one before it ended.
    """

    directory: RunDirectory
    trackers: Mapping[str, Tracker]
    _sessions: dict[str, TrackerSession] | None = attrs.field(default=None, init=False)
    _offsets: dict[str, int] = attrs.field(factory=dict, init=False)

    def row(self, kind: Kind, *, stage: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append a row, and mirror it."""
        self.directory.row(kind, stage, step, epoch, values)
        if not self.trackers:
            return
        if stage not in self._offsets:
            self._offsets[stage] = self._steps_before(stage)
        at = self._offsets[stage] + step
        row = RecordedRow(kind, stage, step, epoch, values)
        columns = to_columns(row, self.directory.stages)
        self._tell(lambda session: session.log(columns, at))

    def rewind(self, *, stage: str, step: int) -> None:
        """Drop rows; what a tracker has seen of them stays there."""
        self.directory.rewind(stage, step)

    def arrays(self, *, stage: str, arrays: Mapping[str, LabelledArray]) -> None:
        """Write arrays; trackers take none."""
        self.directory.arrays(stage, arrays)

    def arrays_of(self, stage: str) -> Mapping[str, LabelledArray]:
        """The arrays that an earlier stage has left, by name."""
        return self.directory.arrays_of(stage)

    def graph(self, graph: DrawnGraph) -> None:
        """Record a training graph and mirror its picture."""
        self.directory.graph(graph)
        svg = self.directory.picture(graph.name).read_text(encoding="utf-8")
        self._tell(lambda session: session.picture(self.directory.picture(graph.name).stem, svg))

    def say(self, message: str) -> None:
        """Write a line to the log."""
        self.directory.say(message)

    def progress(self, *, stage: str, epoch: int, epochs: int, step: int, steps: int) -> None:
        """How far the run is."""
        self.directory.progress(stage, epoch, epochs, step, steps)

    def end(self, status: Literal["finished", "failed", "interrupted"], values: Mapping[str, float]) -> None:
        """Tell trackers that have started that the process ends; of a finished run, all that came out."""
        if not self._sessions:
            return
        if status == "finished":
            self._hand_over(load_run(self.directory.path))
        self._tell(lambda session: session.finish(status, values))
        if status == "finished":
            _told(self.directory.path).touch()

    def end_late(self) -> None:
        """Tell trackers that the run finished, where its process was killed before it could."""
        if not self.trackers or _told(self.directory.path).exists():
            return
        self._tell(lambda _: None)
        self.end("finished", load_run(self.directory.path).values)

    def _hand_over(self, run: RunRecord) -> None:
        """Give trackers the result, and the files that they want to keep."""
        result = run.result
        if result is not None:
            self._tell(lambda session: session.result(result))
        assert self._sessions is not None
        for name, session in list(self._sessions.items()):
            self._guard(name, partial(self._keep, self.trackers[name], session, run))

    def _keep(self, tracker: Tracker, session: TrackerSession, run: RunRecord) -> None:
        for name in tracker.keeps():
            if files := kept_files(run, name):
                session.artifact(name, files)

    def _steps_before(self, stage: str) -> int:
        """Steps that the stages before this one have taken, from their rows."""
        last: dict[str, int] = {}
        for row in load_run(self.directory.path).rows():
            last[row.stage] = max(last.get(row.stage, 0), row.step)
        earlier = self.directory.stages[: self.directory.stages.index(stage)]
        return sum(last.get(name, 0) for name in earlier)

    def _tell(self, act: Callable[[TrackerSession], None]) -> None:
        """Let each tracker act; one that fails is heard of once and left alone from then on."""
        if self._sessions is None:
            self._sessions = {}
            notices_of(self.directory.path).unlink(missing_ok=True)
            for name, tracker in self.trackers.items():
                self._guard(name, partial(self._start, name, tracker))
        for name, session in list(self._sessions.items()):
            self._guard(name, partial(act, session))

    def _start(self, name: str, tracker: Tracker) -> None:
        assert self._sessions is not None
        run = load_run(self.directory.path)
        folder = self.directory.path.absolute() / "track" / Path(name).name
        folder.mkdir(parents=True, exist_ok=True)
        info = RunInfo(
            experiment=run.experiment,
            run_id=run.id,
            label=", ".join(map(str, run.labels.values())),
            config=run.spec,
            identity=run.identity,
            provenance=run.provenance,
        )
        self._sessions[name] = tracker.start(info, folder=folder, say=self._notice)

    def _notice(self, message: str) -> None:
        """Log what a tracker says, and keep it for the user, who reads no log while all is well."""
        self.say(message)
        with notices_of(self.directory.path).open("a", encoding="utf-8") as file:
            file.write(message + "\n")

    def _guard(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            assert self._sessions is not None
            self._sessions.pop(name, None)
            said = f"{type(error).__name__}: {error}"
            self._notice(f"tracker {name}: mirroring stopped, the run goes on ({said})")
