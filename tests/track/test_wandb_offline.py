"""The real client without a server: everything is recorded here, under the tracker's folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from offline_runs import history, read_offline

from mmspec.track.wandb.session import WandbSession
from mmspec.track.wandb.tracker import WandbTracker

RUN = """
import signal, sys, time
from pathlib import Path
from mmspec.plugins.api import RunInfo
from mmspec.track.wandb.tracker import WandbTracker

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
run = RunInfo(experiment="digits", run_id="r-s0-1", label="", config={}, identity={}, provenance={})
session = WandbTracker(mode=sys.argv[2]).start(run, folder=Path(sys.argv[1]), say=print)
first, last, pause = map(float, sys.argv[3:6])
try:
    for step in range(int(first), int(last)):
        session.log({"train/loss": step / 2}, step)
        time.sleep(pause)
except SystemExit:
    session.finish("interrupted", {})
    raise
session.finish("finished", {"test/accuracy": 0.5})
print("ended")
"""


def run(folder, *args):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*"))


def test_a_run_is_recorded_whole(start, said, user, tmp_path):
    environment = dict(os.environ)
    session = start(mode="offline", tags=("a", "b"), notes="why", entity="lab")
    session.picture("graph", "<svg>picture</svg>")
    for step in range(3):
        session.log({"train/loss": 1.0 - step, "val/accuracy.color": step / 4}, step)
    session.log({"val/accuracy": 0.75}, 2)
    session.finish("finished", {"test/accuracy": 0.5, "test/u(color|grey)": 0.25})

    (segment,) = segments(tmp_path / "track")
    records = read_offline(segment)
    first = next(record["run"] for record in records if record["type"] == "run")
    rows = history(records)
    summary = {}
    for record in records:
        if record["type"] == "summary":
            summary.update(record["summary"]["update"])
    assert (first["project"], first["entity"], first["run_id"]) == ("digits", "lab", "guided-s0-0123abcd")
    assert (first["run_group"], first["job_type"]) == ("digits/guided", "train")
    assert (first["tags"], first["notes"]) == (["a", "b"], "why")
    assert first["config"]["update"]["stages"]["train"]["balancing"] == {"use": "guided"}
    assert [row["_step"] for row in rows] == [0, 1, 2]
    assert [row["train/loss"] for row in rows] == [1.0, 0.0, -1.0]
    assert rows[2]["val/accuracy"] == 0.75
    assert summary["test/accuracy"] == 0.5
    assert summary["status"] == "finished"
    (picture,) = segment.glob("files/media/html/graph*.html")
    assert "<svg>picture</svg>" in picture.read_text()
    assert said.only.startswith("W&B: recorded offline (mode is offline); upload with: mmspec runs sync g")
    os.environ.pop("WANDB_SERVICE", None)
    environment.pop("WANDB_SERVICE", None)
    assert os.environ == environment
    assert not list(user.rglob("*")), "W&B wrote outside the tracker's folder"


def test_without_a_key_auto_is_offline_and_says_how_to_log_in(start, said):
    start().finish("finished", {})

    assert "no API key" in said.only
    assert "wandb login" in said.only
    assert "mmspec runs sync" in said.only


def test_rows_of_an_earlier_step_are_left_out(start, tmp_path):
    session = start(mode="offline")
    for step in (0, 5, 3, 6):
        session.log({"a": step}, step)
    session.finish("finished", {})

    rows = history(read_offline(*segments(tmp_path / "track")))
    assert [row["_step"] for row in rows] == [0, 5, 6]


@pytest.mark.parametrize("wanted", ["offline", "disabled"])
def test_auto_follows_wandb_mode(start, monkeypatch, tmp_path, wanted):
    monkeypatch.setenv("WANDB_MODE", wanted)
    start().finish("finished", {})

    assert len(segments(tmp_path / "track")) == (wanted == "offline")


def test_a_folder_that_cannot_be_written_is_said(start, said, tmp_path):
    (tmp_path / "file").write_text("")
    session = start(folder=tmp_path / "file" / "track")
    session.log({"a": 1.0}, 0)
    session.picture("graph", "<svg/>")
    session.finish("finished", {})

    assert "this run is not mirrored: NotADirectoryError" in said.only


def test_disabled_does_not_import_wandb(tmp_path):
    code = RUN + "\nassert 'wandb' not in sys.modules and 'torch' not in sys.modules"
    arguments = [str(tmp_path / "track"), "disabled", "0", "3", "0"]
    out = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)  # noqa: PLW1510

    assert (out.returncode, out.stdout, out.stderr) == (0, "ended\n", "")
    assert not (tmp_path / "track").exists()


def test_random_numbers_of_the_run_are_not_touched(start):
    before = random.getstate(), np.random.get_state()[1].copy()
    session = start(mode="offline")
    session.log({"a": 1.0}, 0)
    session.finish("finished", {})

    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()


def test_a_killed_w_and_b_process_is_said_once(user, tmp_path):
    with run(tmp_path, "offline", 0, 100, 0.01) as process:
        process.stdout.readline()
        (core,) = [p for p in psutil.Process(process.pid).children() if "wandb-core" in p.name()]
        core.kill()
        said, ended = process.stdout.read().splitlines()
        assert process.wait(timeout=20) == 0

    assert said.startswith("W&B: mirroring stopped, the run goes on (Connection")
    assert ended == "ended"


def test_an_error_switches_off(said, tmp_path):
    class Run:
        logged, summary = 0, {}

        def log(self, row, step):
            self.logged += 1
            raise ValueError("no\nroom")

    wandb_run = Run()
    session = WandbSession(wandb_run, said, folder=tmp_path, upload="sync it", first=0)
    session.log({"a": 1.0}, 0)
    session.log({"a": 1.0}, 1)
    session.finish("finished", {})

    assert wandb_run.logged == 1
    assert said.only == (
        "W&B: mirroring stopped, the run goes on (ValueError: no room); "
        "upload what was recorded with: sync it"
    )


def test_a_run_that_goes_on_begins_after_what_was_recorded(start, tmp_path):
    for first, end in ((1, 8), (4, 10)):
        session = start(mode="offline")
        for step in range(first, end):
            session.log({"a": float(step)}, step)
        session.finish("interrupted", {})
        time.sleep(1.1)  # segments are named by the second

    parts = [[row["_step"] for row in history(read_offline(part))] for part in segments(tmp_path / "track")]
    assert parts == [[1, 2, 3, 4, 5, 6, 7], [8, 9]]


def test_a_terminal_is_never_asked_for_a_key(user, tmp_path):
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "track"), "online", "0", "3", "0"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.wait(timeout=30) == 0
        text = os.read(ours, 4096).decode()
        assert "recorded offline (no API key" in text
        assert text.rstrip().endswith("ended")
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)


def test_sigterm_ends_the_run_with_all_its_rows(user, tmp_path):
    with run(tmp_path, "offline", 0, 1000, 0.05) as process:
        assert "recorded offline" in process.stdout.readline()
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143

    records = read_offline(*segments(tmp_path))
    assert len(history(records)) >= 5
    assert any(
        record.get("summary", {}).get("update", {}).get("status") == "interrupted" for record in records
    )
    assert records[-1]["type"] == "exit"


@pytest.mark.slow
def test_a_killed_run_keeps_its_rows_and_goes_on_under_its_id(user, tmp_path):
    with run(tmp_path, "offline", 0, 1000, 0.1) as process:
        process.stdout.readline()
        time.sleep(4)
        process.kill()
    with run(tmp_path, "offline", 10, 60, 0) as process:  # goes on from a checkpoint
        assert process.wait(timeout=20) == 0

    first, second = (read_offline(segment) for segment in segments(tmp_path))
    steps = [row["_step"] for row in history(first)]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 20, "more than about a second of rows was lost"
    rest = [row["_step"] for row in history(second)]
    assert rest == list(range(rest[0], 60))
    assert rest[0] == len(steps), "a step must not be in both parts, nor in none"
    ids = [next(r["run"]["run_id"] for r in records if r["type"] == "run") for records in (first, second)]
    assert ids == ["r-s0-1", "r-s0-1"]


def test_the_entry_point_names_the_tracker():
    from importlib.metadata import entry_points

    (found,) = [point for point in entry_points(group="mmspec.tracker") if point.name == "wandb"]
    assert found.load() is WandbTracker
