"""Servers that answer, but wrongly: no run waits for them for more than seconds, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from offline_runs import history, read_offline
from wandb_server import Fault

from mmspec.track.wandb import tracker as tracker_module

#: Those that the client waits for take as long as the limits, and its process to go.
KINDS = [
    pytest.param("429", marks=pytest.mark.slow),
    "500",
    pytest.param("hang", marks=pytest.mark.slow),
    "nonsense",
    "errors",
    pytest.param("cut", marks=pytest.mark.slow),
]


@pytest.fixture
def short(monkeypatch):
    """Short limits."""
    monkeypatch.setattr(tracker_module, "PROBE_TIMEOUT", 0.5)
    monkeypatch.setattr(tracker_module, "INIT_TIMEOUT", 1.0)
    monkeypatch.setattr(tracker_module, "FINISH_TIMEOUT", 1.0)


def rows(folder: Path) -> list[int]:
    """The steps on this machine, whatever went online."""
    found = [history(read_offline(segment)) for segment in sorted(folder.glob("wandb/*run-*"))]
    return [row["_step"] for part in found for row in part]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_cannot_begin_a_run(start, said, server, short, tmp_path, kind):
    server.fault = Fault(kind, "UpsertBucket")
    began = time.monotonic()
    session = start()
    for step in range(20):
        session.log({"a": float(step)}, step)
    session.finish("finished", {"test/accuracy": 0.5})

    assert time.monotonic() - began < 8
    assert said.only.startswith("W&B: recorded offline (")
    assert "Error: " in said.only
    assert "mmspec runs sync guided-s0-0123abcd" in said.only
    assert rows(tmp_path / "track") == list(range(20))


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_takes_no_rows(start, said, server, short, tmp_path, kind):
    session = start()
    server.fault = Fault(kind, "file_stream")
    began = time.monotonic()
    for step in range(500):
        session.log({"a": float(step)}, step)
    logged = time.monotonic() - began
    session.finish("finished", {"test/accuracy": 0.5})

    assert logged < 2
    assert time.monotonic() - began < 6
    assert len(said.lines) <= 2
    assert all("mmspec runs sync" in line for line in said.lines[1:])
    assert rows(tmp_path / "track") == list(range(500))


@pytest.mark.parametrize("kind", ["500", "hang", "die"])
def test_a_server_that_takes_no_artifact(start, said, server, short, tmp_path, kind):
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(b"weights")
    session = start(artifacts=("best",))
    session.log({"a": 1.0}, 0)
    server.fault = Fault(kind, "CreateArtifact")
    began = time.monotonic()
    session.artifact("best", {"model.pt": checkpoint})
    session.finish("finished", {"test/accuracy": 0.5})

    assert time.monotonic() - began < 6
    assert "TimeoutError" in said.lines[1]
    assert checkpoint.read_bytes() == b"weights"


RUN = """
import sys, time
from pathlib import Path
from mmspec.plugins.api import RunInfo
from mmspec.track.wandb import tracker
tracker.INIT_TIMEOUT = tracker.FINISH_TIMEOUT = 1.0
run = RunInfo(experiment="digits", run_id="r-s0-1", label="", config={}, identity={}, provenance={})
say = lambda line: print(line, flush=True)
session = tracker.WandbTracker().start(run, folder=Path(sys.argv[1]), say=say)
for step in range(100):
    session.log({"train/loss": step / 2}, step)
print("logged", flush=True)
sys.stdin.readline()
session.finish("finished", {"test/accuracy": 0.5})
print("ended", time.time(), flush=True)
"""


@pytest.mark.parametrize("kind", ["die", *(pytest.param(k, marks=pytest.mark.slow) for k in ("hang", "500"))])
def test_the_process_of_a_run_ends_soon_after_it(server, tmp_path, kind):
    command = [sys.executable, "-c", RUN, str(tmp_path / "track")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        assert process.stdout.readline() == "logged\n"
        server.fault = Fault(kind)
        said, ended = process.communicate("\n", timeout=30)[0].splitlines()
        gone = time.time()

    assert said.startswith("W&B: mirroring stopped, the run goes on (TimeoutError")
    assert process.returncode == 0
    assert gone - float(ended.split()[1]) < 4, "W&B must not hold up the end of the process"


def test_a_folder_that_can_be_imported_is_not_w_and_b(tmp_path, user):
    """A folder ./wandb, as W&B leaves it, is a package without contents where wandb is not installed."""
    (tmp_path / "wandb").mkdir()
    code = (
        "import sys, importlib.machinery as m\n"
        "class Hidden(m.PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        return m.PathFinder.find_spec(name, ['.'], target) if name == 'wandb' else None\n"
        "sys.meta_path.insert(0, Hidden)\n" + RUN.replace("sys.stdin.readline()\n", "")
    )
    command = [sys.executable, "-c", code, str(tmp_path / "track")]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    said, *rest = out.stdout.splitlines()
    assert said == "W&B: this run is not mirrored: ImportError: the package wandb is not installed"
    assert rest[0] == "logged"


def test_nothing_is_written_outside_the_folder(start, server, user, tmp_path):
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(b"weights")
    for mode in ("auto", "offline"):
        session = start(mode=mode, artifacts=("best", "report"))
        session.picture("graph", "<svg/>")
        session.log({"a": 1.0}, 1)
        session.artifact("best", {"model.pt": checkpoint})
        session.artifact("report", {"spec.json": checkpoint})
        session.finish("finished", {})

    assert not list(user.rglob("*"))
    assert sorted(artifact.type for artifact in server.artifacts.values()) == ["model", "run"]
