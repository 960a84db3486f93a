"""trackio's database holds every row of a run once, and reports read the run back from there."""

from __future__ import annotations

import math
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from waiting import wait_for

from mmspec.errors import RecordError
from mmspec.plugins.api import RunInfo
from mmspec.track.trackio.source import TrackioSource
from mmspec.track.trackio.tracker import TrackioTracker

SPEC = {"mmspec": 1, "name": "digits", "seed": 0, "labels": {"variant": "a"}, "stages": [{"name": "train"}]}
IDENTITY = {"id": "digits-s0-01", "spec_hash": "01"}
RESULT = {
    "status": "finished",
    "values": {"test/accuracy": 0.1 + 0.2, "test/u(a|b)": math.nan},
    "stages": {"train": {"epochs": 1, "steps": 7, "selected": None, "values": {"test/accuracy": 0.1 + 0.2}}},
    "seconds": 1.5,
    "identity": "digits-s0-01",
}

RUN = """
import sys, time
from pathlib import Path
from mmspec.plugins.api import RunInfo
from mmspec.track.trackio.tracker import TrackioTracker

spec = {"name": "digits", "seed": 0, "labels": {}, "stages": [{"name": "train"}]}
identity = {"id": "digits-s0-01", "spec_hash": "01"}
about = {"experiment": "digits", "run_id": "digits-s0-01", "label": "", "provenance": {}}
run = RunInfo(config=spec, identity=identity, **about)
tracker = TrackioTracker(folder=sys.argv[1])
session = tracker.start(run, folder=Path(sys.argv[1]) / "own", say=lambda line: None)
for step in range(int(sys.argv[2]), int(sys.argv[3])):
    session.log({"train/loss": step / 2, "epoch": 1}, step)
time.sleep(float(sys.argv[4]))
print("logged", flush=True)
time.sleep(float(sys.argv[5]))
session.finish("finished", {"test/accuracy": 0.5})
"""


@pytest.fixture
def begin(tmp_path, said):
    def start(run_id="digits-s0-01", **options):
        run = RunInfo(
            experiment="digits", run_id=run_id, label="a", config=SPEC, identity={**IDENTITY, "id": run_id},
            provenance={"command": "mmspec run ä.toml", "created": "2026-01-31T12:00:00+00:00"},
        )  # fmt: skip
        tracker = TrackioTracker(**{"folder": str(tmp_path / "store"), **options})
        return tracker.start(run, folder=tmp_path / "own", say=said)

    return start


@pytest.fixture
def read(tmp_path):
    def runs(address="//digits?folder=store", say=pytest.fail):
        return TrackioSource().read(address, beside=tmp_path, cache=tmp_path, refresh=False, say=say)

    return runs


def has_rows(read):
    """Whether a session's own thread has written what it was given."""
    with suppress(RecordError):  # nothing of it is there yet
        return any(list(run.rows()) for run in read(say=lambda _: None))


def test_a_run_comes_back_as_it_was(begin, read, tmp_path, said):
    session = begin()
    session.picture("graph", "<svg/>")
    session.log({"train/loss": 1 / 3, "epoch": 1}, 5)
    session.log({"train/loss": math.nan, "train/d": -math.inf, "epoch": 1}, 7)
    session.log({"epoch/train/loss": 0.5, "val/u(a|b)": math.inf, "epoch": 1}, 7)
    session.log({"train/loss": 9.0, "epoch": 1}, 6)
    session.result(RESULT)
    session.finish("finished", RESULT["values"])
    session.log({"train/loss": 9.0, "epoch": 1}, 9)

    (run,) = read()
    assert (run.status, run.spec, run.identity) == ("finished", SPEC, IDENTITY)
    assert run.provenance["command"] == "mmspec run ä.toml"
    assert run.values["test/accuracy"] == 0.1 + 0.2
    assert math.isnan(run.values["test/u(a|b)"])
    assert (run.seconds, run.stages["train"]["steps"]) == (1.5, 7)
    assert [(row.kind, row.step, row.epoch) for row in run.rows()] == [
        ("step", 5, 1), ("step", 7, 1), ("epoch", 7, 1),
    ]  # fmt: skip
    (epoch,) = run.rows("epoch")
    assert epoch.values == {"train/loss": 0.5, "val/u(a|b)": math.inf}
    steps = list(run.rows("step"))
    assert steps[0].values == {"train/loss": 1 / 3}
    assert math.isnan(steps[1].values["train/loss"])
    assert said.only == (
        f"trackio: look at this run with: TRACKIO_DIR={tmp_path}/store trackio show --project digits"
    )
    assert not (tmp_path / "own").exists()


def test_the_dashboard_has_groups_and_final_metrics(begin, tmp_path):
    from mmspec.track.trackio.store import open_store

    session = begin()
    session.log({"train/loss": 1.0, "epoch": 1}, 5)
    session.finish("finished", {"test/accuracy": 0.5})

    with open_store(tmp_path / "store") as storage:
        config = storage.get_run_config("digits", run_id="digits-s0-01")
        logs = storage.get_logs("digits", run_id="digits-s0-01")
        assert storage.get_runs("digits") == ["digits-s0-01"]
    assert (config["_Group"], config["_Created"]) == ("digits/a", "2026-01-31T12:00:00+00:00")
    assert config["stages"]["train"] == {"name": "train"}
    assert logs[-1]["final/test/accuracy"] == 0.5


def test_a_process_that_only_ends_a_run_adds_its_result_once(begin, read, tmp_path):
    from mmspec.track.trackio.store import open_store

    begin().log({"train/loss": 1.0, "epoch": 1}, 5)
    wait_for(lambda: has_rows(read))
    for _ in range(2):
        again = begin()
        again.result(RESULT)
        again.finish("finished", RESULT["values"])

    (run,) = read()
    assert (run.status, run.seconds) == ("finished", 1.5)
    assert [row.step for row in run.rows()] == [5]
    with open_store(tmp_path / "store") as storage:
        logs = storage.get_logs("digits", run_id="digits-s0-01")
    assert [row["step"] for row in logs if "final/test/accuracy" in row] == [7]


@pytest.mark.parametrize(("status", "read_as"), [("failed", "failed"), ("interrupted", "unfinished")])
def test_a_run_that_has_not_finished_has_no_values(begin, read, status, read_as):
    session = begin()
    session.log({"train/loss": 1.0, "epoch": 1}, 5)
    session.finish(status, {})

    (run,) = read()
    assert (run.status, run.values) == (read_as, {})


def test_a_run_at_work_is_running_until_it_is_silent_for_long(begin, read, monkeypatch):
    session = begin()
    session.log({"train/loss": 1.0, "epoch": 1}, 5)
    wait_for(lambda: has_rows(read))

    assert [run.status for run in read()] == ["running"]
    monkeypatch.setattr("mmspec.track.trackio.source.LIVELY", 0.0)
    assert [run.status for run in read()] == ["unfinished"]


def test_a_killed_run_keeps_its_rows_and_goes_on_without_doubling_them(read, tmp_path):
    def run(*args):
        arguments = [sys.executable, "-c", RUN, str(tmp_path / "store"), *map(str, args)]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)

    with run(0, 50, 3, 60) as process:  # three seconds are more than trackio takes to write
        assert process.stdout.readline() == "logged\n"
        process.send_signal(signal.SIGKILL)
    (killed,) = read()
    assert [row.step for row in killed.rows()] == list(range(50))
    with run(30, 60, 0, 0) as process:  # goes on from a checkpoint
        assert process.wait(timeout=60) == 0

    (whole,) = read()
    assert [row.step for row in whole.rows()] == list(range(60))
    assert [row.values["train/loss"] for row in whole.rows()] == [step / 2 for step in range(60)]


def test_a_database_in_use_never_holds_up_the_run(begin, said, tmp_path, monkeypatch):
    monkeypatch.setattr("mmspec.track.trackio.tracker.FINISH_TIMEOUT", 0.3)
    begin("digits-s0-00").finish("finished", {})
    said.lines.clear()
    holder = sqlite3.connect(tmp_path / "store" / "digits.db")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        session = begin()
        began = time.monotonic()
        session.log({"train/loss": 1.0, "epoch": 1}, 0)
        assert time.monotonic() - began < 0.2
        time.sleep(0.7)
        session.finish("finished", {})
        assert time.monotonic() - began < 3
    finally:
        holder.rollback()
        holder.close()
    session._thread.join(10)

    assert "mirroring stopped, the run goes on (TimeoutError: its database is in use" in said.lines[-1]


def test_rows_that_could_not_be_written_are_tried_again(begin, read, said, monkeypatch):
    monkeypatch.setattr("mmspec.track.trackio.tracker.INTERVAL", 0.05)
    session = begin()
    write, tried = session._write, []

    def fails_twice(rows):
        tried.append(rows)
        if rows and len(tried) < 3:
            raise OSError("Could not acquire database lock")
        write(rows)

    monkeypatch.setattr(session, "_write", fails_twice)
    session.log({"train/loss": 1.0, "epoch": 1}, 5)
    time.sleep(0.5)
    session.finish("finished", {})

    assert [row.step for run in read() for row in run.rows()] == [5]
    assert len(said.lines) == 1


def test_an_error_that_stays_is_said_once(begin, said, monkeypatch):
    monkeypatch.setattr("mmspec.track.trackio.tracker.INTERVAL", 0.02)
    session = begin()
    monkeypatch.setattr(session, "_write", lambda rows: 1 / 0)
    session._thread.join(5)
    session.log({"a": 1.0}, 0)
    session.log({"a": 1.0}, 1)
    session.finish("finished", {})

    assert said.lines[1:] == [
        "trackio: mirroring stopped, the run goes on (ZeroDivisionError: division by zero)"
    ]


def test_a_folder_that_cannot_be_written_is_said(begin, said, tmp_path):
    (tmp_path / "file").write_text("")
    session = begin(folder=str(tmp_path / "file" / "store"))
    session.log({"a": 1.0}, 0)
    session.finish("finished", {})

    assert said.only.startswith("trackio: this run is not mirrored: NotADirectoryError")


def test_a_name_that_trackio_keeps_for_itself_is_said(begin, said):
    begin(project="registry-models").finish("finished", {})

    assert said.only.startswith(
        "trackio: this run is not mirrored: ValueError: Project name 'registry-models'"
    )


def test_a_network_s_file_system_is_refused(begin, said, monkeypatch):
    monkeypatch.setattr("trackio.utils.is_network_filesystem", lambda path: True)
    begin().finish("finished", {})

    assert "set `folder` to a local disk" in said.only


def test_without_the_package_the_run_goes_on(begin, said, read, monkeypatch):
    monkeypatch.setattr("mmspec.track.optional.find_spec", lambda name: None)
    begin().finish("finished", {})

    assert 'pip install "mmspec[trackio]"' in said.only
    (problem,) = TrackioTracker().check()
    assert "trackio is not installed" in problem.what
    with pytest.raises(RecordError, match="trackio is not installed"):
        read()


def test_nothing_is_asked_of_a_network(begin, read, monkeypatch):
    def no_connection(*args):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", no_connection)
    before = threading.active_count()
    session = begin()
    session.log({"train/loss": 1.0, "epoch": 1}, 5)
    session.finish("finished", {})

    assert len(read()) == 1
    assert threading.active_count() == before


def test_runs_of_others_and_damaged_ones_are_passed_over_and_said(begin, read, tmp_path):
    from mmspec.track.trackio.store import open_store

    session = begin()
    session.finish("finished", {})
    with open_store(tmp_path / "store") as storage:
        storage.bulk_log("digits", "mine", [{"loss": 1.0}], config={"lr": 0.1}, run_id="r1")
        config = storage.get_run_config("digits", run_id="digits-s0-01")
        record = config["mmspec_run"]["record"].replace('"seed": 0', '"seed": "x"')
        storage.bulk_log(
            "digits", "bad", [{"loss": 1.0}], run_id="r2",
            config={**config, "mmspec_run": {**config["mmspec_run"], "record": record}},
        )  # fmt: skip
    heard: list[str] = []

    assert [run.id for run in read(say=heard.append)] == ["digits-s0-01"]
    assert "trackio://digits/r2: is damaged: seed" in heard[0]
    assert heard[1] == "trackio://digits: passed over 1 runs that mmspec did not record"


@pytest.mark.parametrize("address", ["", "//", "digits", "//digits/run", "//digits?folder=", "//digits#x"])
def test_an_address_without_a_project_is_refused(address):
    with pytest.raises(RecordError, match="no address of a trackio project"):
        TrackioSource().check_address(address)


def test_a_project_that_is_not_there_names_those_that_are(begin, read):
    begin().finish("finished", {})

    with pytest.raises(RecordError, match='did you mean "digits"'):
        read("//digit?folder=store")
    with pytest.raises(RecordError, match="there are none"):
        read("//digit?folder=elsewhere")


def test_trackio_keeps_runs_where_it_does_by_itself(begin, read, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "usual"))
    begin(folder=None).finish("finished", {})

    assert (tmp_path / "usual" / "digits.db").exists()
    assert len(read("//digits")) == 1
