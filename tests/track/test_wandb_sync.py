"""`mmspec runs sync`, the real client and the test double: once, in order, resumable, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
from click.testing import CliRunner
from wandb_server import Fault
from wandb_writing import contents

from mmspec.cli import cli
from mmspec.plugins.api import RunInfo
from mmspec.records import RunDirectory
from mmspec.records.lock import held
from mmspec.track.layout import from_config, from_summary
from mmspec.track.wandb import service as wandb_service
from mmspec.track.wandb import sync as wandb_sync
from mmspec.track.wandb import tracker as tracker_module
from mmspec.track.wandb.segments import segments, uploaded
from mmspec.track.wandb.session import restart_service
from mmspec.track.wandb.tracker import WandbTracker

RUN = "guided-s0-0123abcd"
RESULT = {
    "status": "finished",
    "values": {"test/accuracy": 0.5},
    "stages": {},
    "seconds": 1.0,
    "identity": RUN,
}


@pytest.fixture
def runs(tmp_path, user, monkeypatch):
    """A folder of run directories; waits are short."""
    monkeypatch.setattr(wandb_sync, "LOOK_EVERY", 0.3)
    monkeypatch.setattr(wandb_sync, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(wandb_sync, "AFTERLIFE", 2.5)
    monkeypatch.setattr(wandb_sync, "PAUSES", (0.1,))
    monkeypatch.setattr(wandb_service, "PAUSE", 0.1)
    return tmp_path / "runs"


def make(runs: Path, name: str = RUN) -> RunDirectory:
    track = [{"use": "wandb", "project": None, "artifacts": ["best"]}]
    spec = {"name": "digits", "seed": 0, "labels": {}, "stages": [{"name": "train"}], "track": track}
    identity = {"id": name, "spec_hash": "0"}
    return RunDirectory.create(
        runs / "digits" / name, spec=spec, identity=identity, sources={}, provenance={"command": "mmspec run"}
    )


def record(
    directory: RunDirectory, first: int, last: int, *, mode: str = "offline", ends: str = "interrupted"
):
    """A process works on the run from `first` to before `last`."""
    info = RunInfo(
        experiment="digits", run_id=directory.path.name, label="", config=directory.spec,
        identity={"id": directory.path.name, "spec_hash": "0"}, provenance={"command": "mmspec run"},
    )  # fmt: skip
    began = time.monotonic()
    said: list[str] = []
    folder = directory.path / "track" / "wandb"
    session = WandbTracker(mode=mode).start(info, folder=folder, say=said.append)
    for step in range(first, last):
        session.log({"train/loss": float(step)}, step)
    if ends == "finished":
        session.result(RESULT)
        checkpoint = directory.path / "model.pt"
        checkpoint.write_bytes(b"weights" * 100)
        session.artifact("best", {"train/model.pt": checkpoint})
    session.finish(ends, RESULT["values"] if ends == "finished" else {})
    time.sleep(max(0.0, 1.1 - (time.monotonic() - began)))  # segments are named by the second
    return said


def sync(runs: Path, *patterns: str):
    return CliRunner().invoke(cli, ["runs", "sync", *patterns, "--runs", str(runs)])


def whole(server, rows: int, name: str = RUN) -> bool:
    run = server.runs[name]
    assert run.gaps == 0
    steps = [row["_step"] for row in run.history]
    assert steps == list(range(rows))
    return True


def test_parts_of_a_run_go_up_once_in_order_with_their_artifact(runs, server):
    directory = make(runs)
    record(directory, 0, 50)
    record(directory, 40, 90, ends="finished")

    first, requests = sync(runs), len(server.requests)
    second = sync(runs)

    assert (first.exit_code, first.output) == (0, f"W&B: uploaded {RUN} up to step 89\n")
    assert (second.exit_code, second.output) == (0, "nothing to upload\n")
    assert len(server.requests) == requests, "nobody is asked about what is known to be up"
    assert whole(server, 90)
    run = server.runs[RUN]
    assert [row["train/loss"] for row in run.history] == list(range(90))
    assert from_summary(run.summary, running=False) == ("finished", RESULT)
    assert from_config(run.config).spec == directory.spec
    assert run.exit_code == 0
    (artifact,) = server.artifacts.values()
    assert (artifact.name, artifact.type, artifact.state) == (f"{RUN}-best", "model", "COMMITTED")
    assert contents(server, artifact) == {"train/model.pt": b"weights" * 100}
    assert (server.unknown, server.unknown_fields) == ([], set())
    assert not list(directory.path.glob("track/wandb/sync-*"))


@pytest.mark.parametrize("after", [0, 1])
def test_a_server_that_dies_meanwhile_is_said_and_the_next_call_goes_on(runs, server, after):
    record(make(runs), 0, 3000, ends="finished")
    server.fault = Fault("die", "file_stream", after)

    cut = sync(runs)
    server.restart()
    again = sync(runs)

    assert cut.exit_code == 2
    assert "does not answer any more" in cut.output
    assert "nothing is lost" in cut.output
    assert (again.exit_code, again.output) == (0, f"W&B: uploaded {RUN} up to step 2999\n")
    assert whole(server, 3000)
    assert server.runs[RUN].summary["status"] == "finished"


@pytest.mark.parametrize("there", [1, 1234])
def test_an_upload_goes_on_behind_the_rows_that_are_there(runs, server, there):
    directory = make(runs)
    record(directory, 0, 2000, ends="finished")
    sync(runs)
    (directory.path / "track/wandb/uploaded.json").unlink()  # as if cut off in the middle
    del server.runs[RUN].history[there:]
    server.runs[RUN].summary = {}

    assert sync(runs).exit_code == 0
    assert whole(server, 2000)
    assert server.runs[RUN].summary["status"] == "finished"


@pytest.mark.parametrize("fault", [Fault("nonsense", "file_stream"), Fault("errors", "UpsertBucket")])
def test_a_server_that_takes_nothing_is_not_believed(runs, server, fault):
    directory = make(runs)
    record(directory, 0, 20, ends="finished")
    server.fault = fault
    refused = sync(runs)
    server.fault = None

    assert refused.exit_code == 2
    assert "W&B has not taken all of offline-run-" in refused.output or "could not upload" in refused.output
    assert not uploaded(directory.path / "track" / "wandb")
    assert sync(runs).exit_code == 0
    assert whole(server, 20)


@pytest.mark.parametrize("kind", ["500", *(pytest.param(k, marks=pytest.mark.slow) for k in ("429", "hang"))])
def test_a_server_that_takes_no_data_is_given_up(runs, server, kind, monkeypatch):
    monkeypatch.setattr(wandb_sync, "LEAST", 2.0)
    record(make(runs), 0, 20)
    server.fault = Fault(kind, "file_stream")
    began = time.monotonic()
    given_up = sync(runs)
    took = time.monotonic() - began
    server.fault = None

    assert given_up.exit_code == 2
    assert "the upload took more than" in given_up.output
    assert took < 12
    assert sync(runs).exit_code == 0
    assert whole(server, 20)


def test_answers_that_are_lost_double_nothing(runs, server):
    record(make(runs), 0, 200, ends="finished")
    server.fault = Fault("lost", "file_stream")
    Timer(1.5, setattr, (server, "fault", None)).start()

    assert sync(runs).exit_code == 0
    assert whole(server, 200)


def test_a_part_that_a_dying_server_cut_off_goes_up(runs, server, monkeypatch):
    monkeypatch.setattr(tracker_module, "FINISH_TIMEOUT", 1.0)
    directory = make(runs)
    server.fault = Fault("die", "file_stream", 1)
    said = record(directory, 0, 500, mode="auto", ends="finished")
    restart_service()
    server.restart()

    assert said[1].endswith(f"upload what was recorded with: mmspec runs sync {RUN} --runs {runs}")
    assert sync(runs, RUN).output == f"W&B: uploaded {RUN} up to step 499\n"
    assert whole(server, 500)
    assert server.runs[RUN].summary["status"] == "finished"


def test_what_went_online_whole_is_not_uploaded_again(runs, server):
    record(make(runs), 0, 20, mode="auto", ends="finished")
    posts = server.count("file_stream")

    assert sync(runs).output == "nothing to upload\n"
    assert server.count("file_stream") == posts


def test_what_a_server_took_without_understanding_it_goes_up(runs, server):
    directory = make(runs)
    server.fault = Fault("nonsense", "file_stream")
    said = record(directory, 0, 20, mode="auto", ends="finished")
    server.fault = None

    assert len(said) == 1, "the client does not notice"
    assert not server.runs[RUN].history
    assert sync(runs).output == f"W&B: uploaded {RUN} up to step 19\n"
    assert whole(server, 20)


@pytest.mark.parametrize("mode", ["auto", "offline"])
def test_how_a_run_finished_goes_up_when_its_process_was_killed_before_it_said_so(runs, server, mode):
    directory = make(runs)
    record(directory, 1, 20, mode=mode)
    directory.finish({"values": {"test/accuracy": 0.5}, "stages": {}})

    assert sync(runs).exit_code == 0
    assert sync(runs).output == "nothing to upload\n"
    run = server.runs[RUN]
    assert from_summary(run.summary, running=False)[0] == "finished"
    assert (run.summary["test/accuracy"], run.exit_code) == (0.5, 0)
    assert [row["_step"] for row in run.history if "train/loss" in row] == list(range(1, 20))


def test_parts_of_the_same_second_are_two(runs, server):
    directory = make(runs)
    folder = directory.path / "track" / "wandb"
    info = RunInfo(experiment="digits", run_id=RUN, label="", config={}, identity={}, provenance={})
    for first, last in ((0, 5), (3, 9)):
        session = WandbTracker(mode="offline").start(info, folder=folder, say=print)
        for step in range(first, last):
            session.log({"a": float(step)}, step)
        session.finish("interrupted", {})

    restart_service()

    assert [segment.last_step() for segment in segments(folder)] == [4, 8]


def test_a_run_goes_on_offline_while_an_earlier_part_is_not_up(runs, server):
    directory = make(runs)
    record(directory, 0, 10)
    said = record(directory, 10, 20, mode="auto", ends="finished")

    assert "recorded offline (an earlier part of the run is not in W&B yet)" in said[0]
    assert [segment.is_offline for segment in segments(directory.path / "track" / "wandb")] == [True, True]
    assert sync(runs).exit_code == 0
    assert whole(server, 20)


def test_without_a_key_it_is_one_error(runs):
    for name in (RUN, "none-s0-0123abcd"):
        record(make(runs, name), 0, 2)

    refused = sync(runs)

    assert refused.exit_code == 2
    assert refused.output.count("no API key for") == 1
    assert "`wandb login` stores one" in refused.output


def test_without_a_server_it_is_one_error(runs, server):
    record(make(runs), 0, 2)
    server.stop()

    refused = sync(runs)

    assert refused.exit_code == 2
    assert refused.output.count("no connection to") == 1


def test_a_running_run_is_left_alone(runs, server):
    directory = make(runs)
    record(directory, 0, 2)
    with held(directory.path / "lock"):
        assert sync(runs).output == f"{RUN}: running, left alone\nnothing to upload\n"
    assert not server.runs


def test_nothing_to_do_needs_no_key_and_no_torch(runs):
    make(runs)
    code = (
        "import sys; from mmspec.cli import cli; "
        f"cli(['runs', 'sync', '--runs', {str(runs)!r}], standalone_mode=False); "
        "assert not {'torch', 'wandb'} & set(sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (out.returncode, out.stdout, out.stderr) == (0, "nothing to upload\n", "")


def test_a_pattern_that_no_run_matches_is_an_error(runs):
    make(runs)
    assert "matches other-*" in sync(runs, "other-*").output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_call_that_is_killed_goes_on_at_the_next(runs, server, number):
    directory = make(runs)
    record(directory, 0, 3000, ends="finished")
    server.fault = Fault("500", "file_stream", 1)  # the first part is taken, the rest is tried for ever
    command = [sys.executable, "-m", "mmspec", "runs", "sync", "--runs", str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while server.count("file_stream") < 3:
            time.sleep(0.05)
        os.kill(process.pid, number)
        process.wait(timeout=20)
    server.fault = None

    assert sync(runs).exit_code == 0
    assert whole(server, 3000)
    assert json.loads((directory.path / "track/wandb/uploaded.json").read_text())["segments"]
    assert not list(directory.path.glob("track/wandb/sync-*"))
