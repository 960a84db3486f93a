"""Trackers see every row, and none of them can stop a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from mmspec.launch.mirror import MirroredRun, notices_of
from mmspec.plugins.api import RunInfo, Tracker, TrackerSession
from mmspec.records import RunDirectory, load_run

Heard = list[tuple[Any, ...]]


@attrs.frozen
class Listening(TrackerSession):
    heard: Heard

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.heard.append(("log", dict(values), step))

    def picture(self, name: str, svg: str) -> None:
        self.heard.append(("picture", name, svg))

    def result(self, result: Mapping[str, Any]) -> None:
        self.heard.append(("result", dict(result)))

    def artifact(self, name: str, files: Mapping[str, Path]) -> None:
        self.heard.append(("artifact", name, sorted(files)))
        assert all(path.is_file() for path in files.values())

    def finish(self, status: str, values: Mapping[str, float]) -> None:
        self.heard.append(("finish", status, dict(values)))


class Failing(Listening):
    def log(self, values: Mapping[str, float], step: int) -> None:
        raise ConnectionError("gone")


@attrs.frozen
class Listener(Tracker):
    heard: Heard
    session: type[Listening] = Listening
    starts: bool = True
    kept: tuple[Any, ...] = ()

    def start(self, run: RunInfo, **about: Any) -> TrackerSession:
        if not self.starts:
            raise OSError("no service")
        self.heard.append(("start", run.experiment, run.run_id, run.label, about["folder"].name))
        assert about["folder"].is_dir()
        assert (run.identity["id"], run.provenance["command"]) == (run.run_id, "mmspec run")
        return self.session(self.heard)

    def keeps(self) -> tuple[Any, ...]:
        return self.kept


@attrs.frozen
class Graph:
    name: str

    def to_json(self) -> dict[str, Any]:
        return {}


def make_run(path: Path, *stages: str) -> RunDirectory:
    spec = {
        "name": "digits",
        "seed": 0,
        "labels": {"variant": "guided"},
        "stages": [{"name": s} for s in stages],
    }
    identity = {"id": path.name, "spec_hash": "0"}
    return RunDirectory.create(
        path, spec=spec, identity=identity, sources={"a.toml": ""}, provenance={"command": "mmspec run"}
    )


def test_every_row_picture_and_result_is_mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmspec.records.directory.drawing", lambda graph: "<svg/>")
    heard: Heard = []
    run = MirroredRun(make_run(tmp_path / "run", "train"), {"one": Listener(heard)})
    assert heard == []
    run.graph(Graph("train"))
    run.row("step", stage="train", step=5, epoch=1, values={"train/loss": 1.0})
    run.row("epoch", stage="train", step=9, epoch=1, values={"val/accuracy": 0.5})
    run.end("finished", {"test/accuracy": 0.25})
    assert heard == [
        ("start", "digits", "run", "guided", "one"),
        ("picture", "graph", "<svg/>"),
        ("log", {"train/loss": 1.0, "epoch": 1.0}, 5),
        ("log", {"val/accuracy": 0.5, "epoch": 1.0}, 9),
        ("finish", "finished", {"test/accuracy": 0.25}),
    ]
    assert len(list(load_run(tmp_path / "run").rows())) == 2


def test_steps_of_later_stages_go_on_counting(tmp_path: Path) -> None:
    heard: Heard = []
    directory = make_run(tmp_path / "run", "first", "second")
    run = MirroredRun(directory, {"one": Listener(heard)})
    run.row("step", stage="first", step=7, epoch=1, values={"x": 1.0})
    resumed = MirroredRun(directory, {"one": Listener(heard)})
    resumed.row("step", stage="second", step=2, epoch=1, values={"x": 2.0})
    assert [row for row in heard if row[0] == "log"] == [
        ("log", {"first/x": 1.0, "epoch": 1.0}, 7),
        ("log", {"second/x": 2.0, "epoch": 1.0}, 9),
    ]


def test_a_tracker_that_fails_is_heard_of_once_and_disturbs_nobody(tmp_path: Path) -> None:
    heard: Heard = []
    trackers = {
        "bad": Listener(heard, starts=False),
        "worse": Listener(heard, session=Failing),
        "good": Listener(heard),
    }
    run = MirroredRun(make_run(tmp_path / "run", "train"), trackers)
    for step in (1, 2, 3):
        run.row("step", stage="train", step=step, epoch=1, values={"x": 1.0})
    run.end("finished", {})
    assert [event[2] for event in heard if event[0] == "log"] == [1, 2, 3]
    assert [event[0] for event in heard if event[0] == "finish"] == ["finish"]
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("tracker bad: mirroring stopped, the run goes on (OSError: no service)") == 1
    assert log.count("tracker worse: mirroring stopped, the run goes on (ConnectionError: gone)") == 1
    assert notices_of(tmp_path / "run").read_text().count("mirroring stopped") == 2
    assert len(list(load_run(tmp_path / "run").rows())) == 3


def test_a_run_that_ends_before_its_first_row_starts_no_tracker(tmp_path: Path) -> None:
    heard: Heard = []
    MirroredRun(make_run(tmp_path / "run", "train"), {"one": Listener(heard)}).end("failed", {})
    assert heard == []


def finish(directory: RunDirectory) -> dict[str, Any]:
    """Finish a run whose first stage selected a checkpoint."""
    folder = directory.checkpoints / "first"
    folder.mkdir(parents=True)
    (folder / "selected-7.pt").write_bytes(b"")
    selected = {"epoch": 1, "metric": "val/x", "value": 1.0, "file": "selected-7.pt"}
    stage = {"epochs": 1, "steps": 7, "values": {"x": 1.0}}
    stages = {"first": {**stage, "selected": selected}, "second": {**stage, "selected": None}}
    directory.finish({"values": {"x": 1.0}, "stages": stages})
    result = load_run(directory.path).result
    assert result is not None
    return dict(result)


def test_a_finished_run_hands_over_its_result_and_what_trackers_keep(tmp_path: Path) -> None:
    heard: Heard = []
    directory = make_run(tmp_path / "run", "first", "second")
    trackers = {"one": Listener(heard, kept=("best", "report")), "two": Listener(heard)}
    run = MirroredRun(directory, trackers)
    run.row("step", stage="first", step=7, epoch=1, values={"x": 1.0})
    result = finish(directory)
    heard.clear()
    run.end("finished", {"x": 1.0})

    read = ["identity.json", "metrics.jsonl", "provenance.json", "result.json", "source/a.toml", "spec.json"]
    read.append("stages.svg")
    assert heard == [
        ("result", result),
        ("result", result),
        ("artifact", "best", ["checkpoints/first/selected-7.pt"]),
        ("artifact", "report", read),
        ("finish", "finished", {"x": 1.0}),
        ("finish", "finished", {"x": 1.0}),
    ]


def test_a_run_that_did_not_finish_hands_over_nothing(tmp_path: Path) -> None:
    heard: Heard = []
    run = MirroredRun(make_run(tmp_path / "run", "train"), {"one": Listener(heard, kept=("best", "report"))})
    run.row("step", stage="train", step=1, epoch=1, values={"x": 1.0})
    heard.clear()
    run.end("interrupted", {})
    assert heard == [("finish", "interrupted", {})]
