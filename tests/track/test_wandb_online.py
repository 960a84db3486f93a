"""The real client with servers on loopback: one that answers (a test double), and all sorts that do not."""

from __future__ import annotations

import socket
import time

import pytest
from offline_runs import history, read_offline

from mmspec.track.wandb import tracker as tracker_module
from mmspec.track.wandb.reach import answers, credentials


@pytest.fixture
def black_hole(user, monkeypatch):
    """A server that lets everybody connect and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("WANDB_BASE_URL", url)
        monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
        yield url


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_run_online(start, said, server):
    session = start(tags=("demo",))
    session.picture("graph", "<svg/>")
    for step in range(4):
        session.log({"train/loss": 1.0 / (step + 1)}, step)
    session.finish("finished", {"test/accuracy": 0.5})

    run = server.runs["guided-s0-0123abcd"]
    assert said.only == f"W&B: {server.url}/tester/digits/runs/guided-s0-0123abcd"
    assert (run.bucket["project"], run.bucket["groupName"]) == ("digits", "digits/guided")
    assert (run.bucket["jobType"], run.bucket["tags"]) == ("train", ["demo"])
    assert run.config["stages"]["train"]["balancing"] == {"use": "guided"}
    assert [(row["_step"], row["train/loss"]) for row in run.history] == [
        (0, 1),
        (1, 1 / 2),
        (2, 1 / 3),
        (3, 1 / 4),
    ]
    assert (run.summary["test/accuracy"], run.summary["status"]) == (0.5, "finished")
    assert run.exit_code == 0
    assert any(name.startswith("media/html/graph") for name in run.files)


def test_a_resumed_run_goes_on_in_the_same_run(start, server):
    session = start()
    for step in range(5):
        session.log({"a": step}, step)
    session.finish("interrupted", {})
    session = start()
    for step in range(3, 8):  # rows after the last checkpoint are computed again
        session.log({"a": step}, step)
    session.finish("finished", {"test/accuracy": 0.5})

    (run,) = server.runs.values()
    assert [row["_step"] for row in run.history] == list(range(8))
    assert run.exit_code == 0


@pytest.mark.slow
def test_parts_recorded_offline_are_uploaded_as_one_run(start, said, server, tmp_path):
    start(mode="offline").finish("interrupted", {})  # before the first row
    time.sleep(1.1)  # parts are named by the second
    for first, last in ((0, 5), (3, 8), (8, 10)):  # the second goes on from a checkpoint at step 3
        session = start(mode="offline")
        session.picture("graph", "<svg/>")
        for step in range(first, last):
            session.log({"a": step}, step)
        session.log({"b": last - 1}, last - 1)
        session.finish("interrupted" if last < 10 else "finished", {})
        time.sleep(1.1)
    assert tracker_module.WandbTracker().sync(tmp_path / "track", say=said)

    (run,) = server.runs.values()
    assert [row["_step"] for row in run.history if "graph" in row] == [0]
    assert [(row["_step"], row["a"]) for row in run.history] == [(i, i) for i in range(10)]
    assert [row["b"] for row in run.history if "b" in row] == [4, 7, 9]
    assert run.summary["status"] == "finished"


@pytest.mark.parametrize(("status", "code"), [("failed", 1), ("interrupted", 130)])
def test_how_a_run_ended_is_known(start, server, status, code):
    start().finish(status, {})

    (run,) = server.runs.values()
    assert (run.exit_code, run.summary["status"]) == (code, status)


def test_a_server_that_dies_does_not_hold_up_the_end(start, said, server, monkeypatch, tmp_path):
    monkeypatch.setattr(tracker_module, "FINISH_TIMEOUT", 2.0)
    session = start()
    session.log({"a": 0.0}, 0)
    server.stop()
    began = time.monotonic()
    for step in range(1, 500):
        session.log({"a": 1.0}, step)
    logged = time.monotonic() - began
    session.finish("finished", {"test/accuracy": 0.5})

    assert logged < 2
    assert time.monotonic() - began < 8
    assert "mirroring stopped" in said.lines[1]
    assert "mmspec runs sync" in said.lines[1]
    (segment,) = tmp_path.glob("track/wandb/run-*")
    assert len(history(read_offline(segment))) == 500


def test_a_refused_connection_is_offline_at_once(start, said, user, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", closed_port())
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    began = time.monotonic()
    session = start()
    session.finish("finished", {})

    assert time.monotonic() - began < 5
    assert "recorded offline (no connection to http://127.0.0.1:" in said.only


def test_a_silent_server_is_offline_after_the_probe(start, said, black_hole):
    began = time.monotonic()
    session = start()
    session.finish("finished", {})

    assert time.monotonic() - began < 6
    assert f"recorded offline (no connection to {black_hole})" in said.only


def test_online_against_a_silent_server_falls_back(start, said, black_hole, monkeypatch, tmp_path):
    monkeypatch.setattr(tracker_module, "INIT_TIMEOUT", 1.0)
    session = start(mode="online")
    session.log({"a": 1.0}, 7)
    session.finish("finished", {})

    assert "recorded offline (CommError" in said.only
    (segment,) = tmp_path.glob("track/wandb/offline-run-*")
    assert [row["_step"] for row in history(read_offline(segment))] == [7]


def test_a_malformed_key_is_offline(start, said, server, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "short")
    start().finish("finished", {})

    assert "recorded offline (AuthenticationError" in said.only
    assert not server.runs


def test_places_of_a_key(user, monkeypatch):
    class Settings:
        api_key = None

    address = "https://wandb.example.org/base"
    assert credentials(address, Settings()) is None
    Settings.api_key = "from settings"
    assert credentials(address, Settings()) == {"api_key": "from settings"}
    (user / ".netrc").write_text("machine wandb.example.org\nlogin user\npassword from-netrc\n")
    assert credentials(address, Settings()) == {"api_key": "from-netrc"}
    (user / ".netrc").write_text("machine {{ broken")
    assert credentials(address, Settings()) == {"api_key": "from settings"}
    monkeypatch.setenv("WANDB_IDENTITY_TOKEN_FILE", "token")
    assert credentials(address, Settings()) == {}
    monkeypatch.setenv("WANDB_API_KEY", "from environment")
    assert credentials(address, Settings()) == {"api_key": "from environment"}


def test_the_probe(server, black_hole, monkeypatch):
    assert answers(server.url, 2.0)
    assert not answers(closed_port(), 2.0)
    assert not answers(black_hole, 0.3)
    assert not answers("no address", 2.0)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    assert answers("http://wandb.invalid", 2.0), "a proxy answers for the servers behind it"
