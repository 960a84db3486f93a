"""Does a tracker keep its promises?"""

from __future__ import annotations

import os
import random
from pathlib import Path

from mmspec.plugins.api import RunInfo, Tracker, TrackerSession
from mmspec.testing.claims import claim, works
from mmspec.testing.options import check_options


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
        works("finish()", session.finish, "finished", {"test/accuracy": 0.5})
        works("log() after finish()", session.log, {"train/loss": 0.0}, 6)
    claim(
        random.getstate() == drawn, "the tracker draws from Python's random state, which belongs to the run"
    )
    changed = {name for name in before if os.environ.get(name) != before[name]}
    claim(not changed, f"the tracker leaves other values in the environment: {sorted(changed)}")


def _start(plugin: Tracker, folder: Path, said: list[str]) -> TrackerSession:
    run = RunInfo(
        experiment="conformance",
        run_id="conformance-s0-00000000",
        label="one",
        config={"mmspec": 1, "stages": [{"name": "train", "train": {"epochs": 1}}]},
        identity={"id": "conformance-s0-00000000", "spec_hash": "0", "code": {}, "data": {}},
        provenance={},
    )
    return plugin.start(run, folder=folder, say=said.append)


def _no_folder(tmp_path: Path) -> Path:
    """A folder that nobody can make, root included: it would stand in a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "track"
