"""Does a tracker keep its promises?"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from mmspec.errors import RecordError
from mmspec.plugins.api import Kept, RunInfo, Tracker, TrackerSession
from mmspec.testing.claims import claim, works
from mmspec.testing.options import check_options

_ID = "conformance-s0-00000000"
_RESULT = {
    "status": "finished",
    "values": {"test/accuracy": 0.5, "test/nan": float("nan")},
    "stages": {"train": {"epochs": 1, "steps": 5, "selected": None, "values": {"test/accuracy": 0.5}}},
    "seconds": 1.0,
    "identity": _ID,
}


def check_tracker(plugin: Tracker, tmp_path: Path) -> None:
    """Check a tracker with a short run and with a folder that cannot be written, without network."""
    check_options(plugin)
    before, drawn = dict(os.environ), random.getstate()
    said: list[str] = []
    for folder in (tmp_path / "track", tmp_path / "track", _no_folder(tmp_path)):
        session = works("start()", _start, plugin, folder, said)
        claim(isinstance(session, TrackerSession), "start() must give a TrackerSession")
        works("picture()", session.picture, "graph", "<svg xmlns='http://www.w3.org/2000/svg'/>")
        for step in (1, 2, 2, 5):
            works("log()", session.log, {"train/loss": 1.0 / step, "train/nan": float("nan")}, step)
        works("result()", session.result, _RESULT)
        _check_kept(plugin, session, tmp_path / "run")
        works("finish()", session.finish, "finished", _RESULT["values"])
        works("log() after finish()", session.log, {"train/loss": 0.0}, 6)
    _check_sync(plugin, tmp_path, said)
    claim(all(isinstance(line, str) for line in said), "what the tracker says must be text")
    claim(
        random.getstate() == drawn, "the tracker draws from Python's random state, which belongs to the run"
    )
    changed = {name for name in before if os.environ.get(name) != before[name]}
    claim(not changed, f"the tracker leaves other values in the environment: {sorted(changed)}")


def _check_kept(plugin: Tracker, session: TrackerSession, run: Path) -> None:
    """It takes the files that it keeps, and leaves them as they are."""
    kept = works("keeps()", lambda: list(plugin.keeps()))
    unknown = sorted(set(map(str, kept)) - set(get_args(Kept)))
    claim(not unknown, f"keeps() gives {unknown}, which are not among {list(get_args(Kept))}")
    files = {"spec.json": run / "spec.json", "checkpoints/train/best.pt": run / "checkpoints/train/best.pt"}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    for name in kept:
        works("artifact()", session.artifact, name, files)
        claim(_intact(files), "artifact() must leave the files as they are")


def _intact(files: Mapping[str, Path]) -> bool:
    return all(path.is_file() and path.read_bytes() == path.name.encode() for path in files.values())


def _check_sync(plugin: Tracker, tmp_path: Path, said: list[str]) -> None:
    """Without network it uploads nothing, or says so by a RecordError; with nothing recorded it is idle."""
    for folder, idle in ((tmp_path / "nothing", True), (tmp_path / "track", False)):
        uploaded = works("sync()", _sync, plugin, folder, said)
        if isinstance(uploaded, RecordError):
            claim(not idle, "sync() must not fail where nothing is recorded")
            continue
        claim(isinstance(uploaded, bool), "sync() must say whether there was anything: True or False")
        claim(not (idle and uploaded), "sync() says that it uploaded something where nothing is recorded")


def _sync(plugin: Tracker, folder: Path, said: list[str]) -> bool | RecordError:
    try:
        return plugin.sync(folder, say=said.append)
    except RecordError as error:
        return error


def _start(plugin: Tracker, folder: Path, said: list[str]) -> TrackerSession:
    run = RunInfo(
        experiment="conformance",
        run_id=_ID,
        label="one",
        config={"mmspec": 1, "stages": [{"name": "train", "train": {"epochs": 1}}]},
        identity={"id": _ID, "spec_hash": "0", "code": {}, "data": {}},
        provenance={"command": "mmspec run", "git": None},
    )
    return plugin.start(run, folder=folder, say=said.append)


def _no_folder(tmp_path: Path) -> Path:
    """A folder that nobody can make, root included: it would stand in a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "track"
