"""Runs of run directories, recorded in W&B: by its real client, or put into the test double as they are."""

from __future__ import annotations

import json
import time
from pathlib import Path

from wandb_writing import Run

from mmspec.plugins.api import RunInfo
from mmspec.track.columns import to_columns
from mmspec.track.layout import to_config, to_summary
from mmspec.track.wandb.file import read_segment
from mmspec.track.wandb.names import wandb_id
from mmspec.track.wandb.tracker import WandbTracker


def info_of(run):
    """What a tracker is told of a run."""
    return RunInfo(
        experiment=run.experiment,
        run_id=run.id,
        label=run.label,
        config=run.spec,
        identity=run.identity,
        provenance=run.provenance,
    )


def columns_of(run):
    """The rows of a run as trackers see them: (step over all stages, columns)."""
    stages = [stage["name"] for stage in run.spec["stages"]]
    before, last = 0, {}
    for row in run.rows():
        if row.stage not in last:
            before = sum(last.values())
        last[row.stage] = row.step
        yield before + row.step, to_columns(row, stages)


def hold(server, run, *, entity="lab", project="digits", tags=(), created=None):
    """Put a run into the double, as if it had been recorded there."""
    held = Run(wandb_id(run.id))
    config = {key: {"value": value} for key, value in to_config(info_of(run)).items()}
    held.bucket = {
        "entity": entity, "project": project, "config": json.dumps(config), "jobType": "train",
        "groupName": f"{run.experiment}/{run.label}", "tags": list(tags), "displayName": run.id,
    }  # fmt: skip
    status = "finished" if run.status == "finished" else "running"
    held.summary = json.loads(json.dumps(to_summary(status, run.values, run.result)))
    held.state = status
    held.created = created or held.created
    held.history = [{**columns, "_step": step} for step, columns in columns_of(run)]
    server.runs[held.name] = held
    return held


def record(run, folder: Path, *, mode, status="finished", until=None, since=0):
    """Record a run by mmspec's tracker and W&B's client; of its rows, those from `since` to `until`."""
    folder = folder / run.id
    folder.mkdir(parents=True, exist_ok=True)
    tracker = WandbTracker(entity="lab", project="digits", mode=mode)
    session = tracker.start(info_of(run), folder=folder, say=lambda _: None)
    for step, columns in columns_of(run):
        if step >= since and (until is None or step < until):
            session.log(columns, step)
    if status == "finished":
        session.result(run.result)
    session.finish(status, run.values if status == "finished" else {})
    if mode == "offline":
        _wait_for_end(folder)


def _wait_for_end(folder: Path) -> None:
    """The client returns from its end a moment before the file is whole."""
    until = time.monotonic() + 10
    while any(read_segment(file).exit_code is None for file in folder.rglob("*.wandb")):
        assert time.monotonic() < until
        time.sleep(0.02)


def facts(rows):
    """Rows as plain values, so that rows of different records compare."""
    return [(row.kind, row.stage, row.step, row.epoch, dict(row.values)) for row in rows]
