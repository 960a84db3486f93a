"""Stages that runs share: what one has finished, another with an equal stage takes instead of working again.

    RUNS/.stages/<id>/
        about.json      the stage, and the run that finished it
        stage/          what it left in the run's folder of the stage: result, selected weights, feature table
        arrays/         its arrays
        rows.jsonl      its rows of metrics
    RUNS/.stages/<id>.lock      the run that works on it; others wait

The id covers spec, code, data and parents. Files are links to those of the run, where the file system has
links, so they take no room. The whole folder may be deleted at any time: runs keep what is theirs.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmspec.engine.loop import Interrupted
from mmspec.engine.recorder import Recorder
from mmspec.engine.run import RESULT, SharedStages, Unshared
from mmspec.errors import RecordError
from mmspec.graph import build_graph
from mmspec.graph.identity import stage_ids
from mmspec.plugins.plan import AnyStagePlan, NetworkPlan, RunPlan
from mmspec.records import RunDirectory
from mmspec.records.arrays import stage_arrays
from mmspec.records.files import read_json
from mmspec.records.lock import held
from mmspec.records.metrics import as_line, read_rows
from mmspec.records.stages import FOLDER
from mmspec.system import write_whole

#: Seconds between two looks at a stage that another run works on.
_LOOK_EVERY = 0.5


def shared_stages(
    plan: RunPlan, directory: RunDirectory, recorder: Recorder, should_stop: Callable[[], bool]
) -> SharedStages:
    """What a run shares with those beside it; nothing where it has one stage, or lies alone."""
    if len(plan.stages) < 2 or directory.path.absolute().parent.name != plan.experiment:
        return Unshared()
    identity = read_json(directory.path / "identity.json")
    ids = stage_ids(plan, identity["data"], smoke=identity.get("smoke", False))
    return SharedFolder(directory, recorder, ids, should_stop)


class SharedFolder(SharedStages):
    """The stages in `.stages` beside the folders of experiments; `ids` are those of this run's stages."""

    def __init__(
        self,
        directory: RunDirectory,
        recorder: Recorder,
        ids: Mapping[str, str],
        should_stop: Callable[[], bool],
    ) -> None:
        self._directory, self._recorder, self._ids = directory, recorder, ids
        self._root = directory.path.absolute().parents[1] / FOLDER
        self._should_stop = should_stop

    @contextmanager
    def turn(self, stage: AnyStagePlan) -> Iterator[bool]:
        """Wait until no other run works on the stage; take what is there."""
        with ExitStack() as stack:
            try:
                self._root.mkdir(exist_ok=True)
                self._wait(stage, stack)
            except OSError as error:
                self._recorder.say(f"{stage.name}: not shared with other runs: {error}")
                yield False
                return
            yield self._take(stage)

    def publish(self, stage: AnyStagePlan) -> None:
        """Link what the stage has left; what cannot be written is not shared."""
        folder = self._root / self._ids[stage.name]
        making = self._root / f".{folder.name}.{os.getpid()}"
        try:
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            _link(self._directory.checkpoints / stage.name, making / "stage", but="step-*.pt")
            _link(stage_arrays(self._directory.path, stage.name), making / "arrays")
            rows = read_rows(self._directory.metrics.path, None, None, stage.name)
            content = "".join(as_line(r.kind, r.stage, r.step, r.epoch, r.values) for r in rows)
            write_whole(making / "rows.jsonl", content.encode())
            about = {"stage": stage.name, "run": self._directory.path.name}
            write_whole(making / "about.json", json.dumps(about).encode())
            making.rename(folder)
        except OSError as error:
            if not folder.exists():  # else another run was first, with the same content
                self._recorder.say(f"{stage.name}: not shared with other runs: {error}")
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _wait(self, stage: AnyStagePlan, stack: ExitStack) -> None:
        said = False
        while True:
            try:
                stack.enter_context(held(self._root / f"{self._ids[stage.name]}.lock"))
            except RecordError:
                if not said:
                    self._recorder.say(f"{stage.name}: another run works on the same stage; waiting for it")
                said = True
                if self._should_stop():
                    raise Interrupted from None
                time.sleep(_LOOK_EVERY)
            else:
                return

    def _take(self, stage: AnyStagePlan) -> bool:
        """Link into this run what another has left of the stage, its result last; whether there was any."""
        folder = self._root / self._ids[stage.name]
        if not (folder / "about.json").exists():
            return False
        about = read_json(folder / "about.json")
        self._recorder.say(f"{stage.name}: taken from {about['run']}, which had the same stage")
        if isinstance(stage, NetworkPlan):
            self._recorder.graph(build_graph(stage))
        self._recorder.rewind(stage=stage.name, step=-1)
        for row in read_rows(folder / "rows.jsonl"):
            self._recorder.row(row.kind, stage=row.stage, step=row.step, epoch=row.epoch, values=row.values)
        own = self._directory.checkpoints / stage.name
        shutil.rmtree(own, ignore_errors=True)
        _link(folder / "arrays", stage_arrays(self._directory.path, stage.name))
        _link(folder / "stage", own, but=RESULT)
        own.mkdir(parents=True, exist_ok=True)
        _link_file(folder / "stage" / RESULT, own / RESULT)
        return True


def _link(source: Path, target: Path, *, but: str = "") -> None:
    """The files of a folder, if it is there, also under `target`: the same files, or copies."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and not (but and path.match(but)):
            new = target / path.relative_to(source)
            new.parent.mkdir(parents=True, exist_ok=True)
            _link_file(path, new)


def _link_file(path: Path, new: Path) -> None:
    new.unlink(missing_ok=True)
    try:
        os.link(path, new)
    except OSError:  # another file system, or one without links
        shutil.copy2(path, new)
