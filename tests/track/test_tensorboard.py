"""Event files hold every row, in what TensorBoard shows of them."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys

import pytest
from event_files import read_events, scalars, texts

from mmspec.plugins.api import RunInfo
from mmspec.track.tensorboard import TensorboardTracker, settings

SPEC = {
    "name": "digits",
    "seed": 0,
    "stages": [{"name": "train", "balancing": {"use": "guided", "alpha": 0.1}, "split": None, "at": [1, 2]}],
    "track": [{"use": "tensorboard"}],
}

RUN = """
import sys, time
from pathlib import Path
from mmspec.plugins.api import RunInfo
from mmspec.track.tensorboard import TensorboardTracker

run = RunInfo(experiment="digits", run_id="r-s0-1", label="", config={}, identity={}, provenance={})
session = TensorboardTracker().start(run, folder=Path(sys.argv[1]), say=print)
for step in range(int(sys.argv[2]), int(sys.argv[3])):
    session.log({"train/loss": step / 2}, step)
print("logged", flush=True)
time.sleep(float(sys.argv[4]))
session.finish("finished", {})
"""


@pytest.fixture
def begin(tmp_path, said):
    run = RunInfo(
        experiment="digits", run_id="digits-s0-01", label="", config=SPEC, identity={"id": "digits-s0-01"},
        provenance={"command": "mmspec run ä.toml"},
    )  # fmt: skip

    def start(track=tmp_path / "track", **options):
        return TensorboardTracker(**options).start(run, folder=track, say=said)

    return start


def test_rows_texts_and_the_result(begin, tmp_path, said):
    session = begin()
    session.log({"train/loss": 0.25, "epoch": 1}, 5)
    session.log({"train/loss": math.nan, "val/u(a|b)": -math.inf}, 7)
    session.log({"train/loss": 9.0}, 6)
    session.finish("finished", {"test/accuracy": 0.5})
    session.log({"train/loss": 1.0}, 8)

    rows = scalars(tmp_path / "track")
    assert [step for step, _ in rows] == [5, 7, 7], "a step backwards is passed over, as is what comes later"
    assert rows[0][1] == {"train/loss": 0.25, "epoch": 1.0}
    assert math.isnan(rows[1][1]["train/loss"])
    assert rows[1][1]["val/u(a|b)"] == -math.inf
    assert rows[2][1] == {"final/test/accuracy": 0.5}
    assert json.loads(texts(tmp_path / "track")["spec/text_summary"]) == SPEC
    assert "ä.toml" in texts(tmp_path / "track")["provenance/text_summary"]
    tags = [value.tag for event in read_events(tmp_path / "track") for value in event.summary.value]
    assert "_hparams_/session_start_info" in tags
    assert said.lines == []


def test_a_process_that_only_ends_a_run_takes_nothing_back(begin, tmp_path):
    session = begin()
    session.log({"train/loss": 0.25, "epoch": 1}, 5)
    again = begin()
    again.result({"stages": {"first": {"steps": 5}, "second": {"steps": 2}}})
    again.finish("finished", {"test/accuracy": 0.5})
    session.finish("interrupted", {})

    assert scalars(tmp_path / "track") == [
        (5, {"train/loss": 0.25, "epoch": 1.0}), (7, {"final/test/accuracy": 0.5}),
    ]  # fmt: skip


def test_settings_are_those_of_the_spec():
    assert settings(SPEC) == {
        "name": "digits", "seed": 0, "balancing.use": "guided", "balancing.alpha": 0.1, "at": "[1, 2]",
    }  # fmt: skip
    two = {"name": "x", "stages": [{"name": "a", "lr": 1.0}, {"name": "b", "lr": 2.0}]}
    assert settings(two)["stages.b.lr"] == 2.0


def test_a_folder_for_all_experiments(begin, tmp_path):
    begin(folder=str(tmp_path / "tb")).finish("failed", {})

    assert list((tmp_path / "tb" / "digits" / "digits-s0-01").glob("events.out.tfevents.*"))


def test_a_folder_that_cannot_be_written_is_said(begin, tmp_path, said):
    (tmp_path / "file").write_text("")
    session = begin(tmp_path / "file" / "track")
    session.log({"a": 1.0}, 0)
    session.finish("finished", {})

    assert said.only.startswith("TensorBoard: this run is not mirrored: NotADirectoryError")


def test_a_full_disk_is_said_once(begin, said, monkeypatch):
    session = begin()

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    session._file.close()
    session._file = Full()
    session.log({"a": 1.0}, 0)
    session.log({"a": 1.0}, 1)
    session.finish("finished", {})

    assert said.only == (
        "TensorBoard: mirroring stopped, the run goes on (OSError: [Errno 28] No space left on device)"
    )


def test_without_the_package_the_run_goes_on(begin, said, monkeypatch):
    monkeypatch.setattr("mmspec.track.optional.find_spec", lambda name: None)
    begin().finish("finished", {})

    assert 'pip install "mmspec[tensorboard]"' in said.only
    (problem,) = TensorboardTracker().check()
    assert "tensorboardX" in problem.what


def test_a_killed_run_keeps_its_rows_and_goes_on_without_doubling_them(tmp_path):
    def run(*args):
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), *map(str, args)], stdout=subprocess.PIPE, text=True
        )

    with run(0, 50, 60) as process:
        assert process.stdout.readline() == "logged\n"
        process.send_signal(signal.SIGKILL)
    assert [step for step, _ in scalars(tmp_path)] == list(range(50)), "a row was lost"
    with run(30, 60, 0) as process:  # goes on from a checkpoint
        assert process.wait(timeout=60) == 0

    rows = [(step, values) for step, values in scalars(tmp_path)]
    assert [step for step, _ in rows] == list(range(60))
    assert [values["train/loss"] for _, values in rows] == [step / 2 for step in range(60)]
