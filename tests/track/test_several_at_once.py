"""One run, mirrored to W&B, trackio and TensorBoard at once: the same numbers come back from all of them."""

from __future__ import annotations

import math
import struct

import pytest
from event_files import scalars

from mmspec.launch.mirror import MirroredRun
from mmspec.plugins.registry import default_registry
from mmspec.records import RunDirectory, load_run
from mmspec.report.runs.sources import read_sources
from mmspec.track.columns import to_rows
from mmspec.track.tensorboard import FINAL, TensorboardTracker
from mmspec.track.trackio.tracker import TrackioTracker
from mmspec.track.wandb.tracker import WandbTracker

STAGES = ("first", "second")
RESULT = {
    "values": {"test/accuracy": 0.1 + 0.2, "test/accuracy.color": 1 / 3, "test/u(color|grey)": math.nan},
    "stages": {
        "first": {"epochs": 2, "steps": 6, "selected": None, "values": {"val/accuracy": 0.5}},
        "second": {
            "epochs": 1,
            "steps": 3,
            "selected": {"epoch": 1, "metric": "val/accuracy", "value": 2 / 3},
            "values": {"test/accuracy": 0.1 + 0.2},
        },
    },
}


def work(directory: RunDirectory, trackers, *, until: str | None = None):
    """What a process does for a run: rows of both stages, until it is stopped or the run is finished."""
    run = MirroredRun(directory, trackers)
    for stage, epochs in zip(STAGES, (2, 1), strict=True):
        for step in range(1, 3 * epochs + 1):
            epoch = (step + 2) // 3
            values = {"train/loss": 1 / step, "train/s(color|grey)": math.inf if step == 2 else -0.25 * step}
            run.row("step", stage=stage, step=step, epoch=epoch, values=values)
            if step % 3 == 0:
                values = {"train/loss": math.pi / step, "val/accuracy": step / 7, "train/d_speed": math.nan}
                run.row("epoch", stage=stage, step=step, epoch=epoch, values=values)
        if stage == until:
            directory.interrupt()
            run.end("interrupted", {})
            return
    directory.finish(RESULT)
    run.end("finished", RESULT["values"])


@pytest.fixture
def recorded(user, tmp_path):
    """A run directory whose run was interrupted, did what it had done again, and came to its end."""
    spec = {
        "mmspec": 1, "name": "digits", "seed": 3, "labels": {"variant": "guided"},
        "stages": [{"name": stage, "balancing": {"use": "guided"}} for stage in STAGES],
    }  # fmt: skip
    identity = {"id": "guided-s3-0123abcd", "spec_hash": "0123", "code": {}, "data": {"train": "d1"}}
    provenance = {"command": "mmspec run digits.toml", "created": "2026-01-31T12:00:00+00:00"}
    path = tmp_path / "runs" / "digits" / identity["id"]
    directory = RunDirectory.create(path, spec=spec, identity=identity, sources={}, provenance=provenance)
    trackers = {
        "wandb": WandbTracker(mode="offline"),
        "trackio": TrackioTracker(folder=str(tmp_path / "trackio")),
        "tensorboard": TensorboardTracker(),
    }
    work(directory, trackers, until="first")
    again = RunDirectory.open(path)
    again.rewind("first", 0)
    work(again, trackers)
    return load_run(path)


def exact(values):
    """Numbers by their bits, since not-a-number equals nothing."""
    return {name: struct.pack(">d", value) for name, value in values.items()}


def shown(rows):
    return [(row.kind, row.stage, row.step, row.epoch, exact(row.values)) for row in rows]


def test_reports_read_the_same_run_from_everywhere(recorded, tmp_path):
    registry = default_registry()
    copies = {}
    for entry in (f"wandb-files://{recorded.path}/track/wandb", "trackio://digits?folder=trackio"):
        selection = read_sources(
            [entry], tmp_path / "none", beside=tmp_path, registry=registry, refresh=False
        )
        (copies[entry],) = selection.all_runs

    assert len(list(recorded.rows())) == 12
    for copy in copies.values():
        assert copy.status == recorded.status == "finished"
        assert (copy.spec, copy.identity) == (recorded.spec, recorded.identity)
        assert copy.provenance["command"] == recorded.provenance["command"]
        assert exact(copy.values) == exact(recorded.values)
        assert copy.stages == recorded.stages
        assert copy.seconds == recorded.seconds
        assert shown(copy.rows()) == shown(recorded.rows())
        assert shown(copy.rows("epoch", ["val/accuracy"], "second")) == shown(
            recorded.rows("epoch", ["val/accuracy"], "second")
        )


def test_tensorboard_has_the_same_numbers_in_32_bits(recorded):
    logged = scalars(recorded.path / "track" / "tensorboard")
    final = {name.removeprefix(FINAL): value for name, value in logged[-1][1].items()}

    def rounded(values):
        return {name: struct.pack(">f", value) for name, value in values.items()}

    assert rounded(final) == rounded(recorded.values)
    rows = list(to_rows(logged[:-1], STAGES))
    assert [(row.kind, row.stage, row.step, row.epoch) for row in rows] == [
        (row.kind, row.stage, row.step, row.epoch) for row in recorded.rows()
    ]
    assert [rounded(row.values) for row in rows] == [rounded(row.values) for row in recorded.rows()]


def test_of_the_copies_of_a_run_a_report_counts_one(recorded, tmp_path):
    wanted = ["digits", f"wandb-files://{recorded.path}/track/wandb", "trackio://digits?folder=trackio"]
    selection = read_sources(
        wanted, tmp_path / "runs", beside=tmp_path, registry=default_registry(), refresh=False
    )

    (run,) = selection.all_runs
    assert run.address == str(recorded.path)
