"""`mmspec run` and `mmspec execute` as real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

from mmspec.records import find_runs, load_run
from mmspec.records.lock import owner_of, process_start

Lab = tuple[Any, str]
Shell = Any
WAITING = ("--set", "balancing.use=toy_waits", "--variant", "none", "--seed", "0")


@contextmanager
def training(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """`mmspec run` with its one run in the first step, where it waits until `hold` is removed."""
    (shell.folder / "hold").touch()
    with shell.start("run", "tiny.toml", *WAITING) as process:
        try:
            wait_for((shell.folder / "training").exists, process)
            yield process
        finally:
            (shell.folder / "hold").unlink(missing_ok=True)


def test_a_run_prints_a_table_and_what_to_do_next(lab: Lab) -> None:
    shell, out = lab
    assert "[2/2] finished" in out
    assert "none, seed 0    finished" in out
    assert "val/accuracy" in out
    assert out.endswith("next: mmspec report reports/tiny.toml\n")
    assert "\x1b[" not in out
    assert [run.status for run in find_runs(shell.folder / "runs").runs] == ["finished", "finished"]


def test_a_run_directory_is_complete(lab: Lab) -> None:
    run = find_runs(lab[0].folder / "runs").runs[0]
    names = {path.name for path in run.path.iterdir()}
    assert names >= {
        "spec.json", "source", "identity.json", "graph.json", "graph.svg", "provenance.json",
        "metrics.jsonl", "checkpoints", "log.txt", "result.json",
    }  # fmt: skip
    assert "lock" not in names
    assert (run.path / "source" / "tiny.toml").read_text() == (lab[0].folder / "tiny.toml").read_text()
    assert run.provenance["command"] == "mmspec run tiny.toml --seed 0"
    assert run.provenance["threads"] == 1
    assert {"torch", "numpy", "mmspec"} <= set(run.provenance["packages"])
    assert [row.epoch for row in run.rows("epoch")] == [1]


def test_finished_runs_are_not_run_again(lab: Lab) -> None:
    shell, _ = lab
    before = {run.path: (run.path / "result.json").stat().st_mtime_ns for run in _runs(shell.folder)}
    code, out, _ = shell("run", "tiny.toml", "--seed", "0")
    assert code == 0
    assert out.startswith("2 of 2 runs are finished already")
    code, out, _ = shell("execute", str(next(iter(before))))
    assert (code, out) == (0, "")
    assert before == {path: (path / "result.json").stat().st_mtime_ns for path in before}


def test_dry_run_lists_and_makes_nothing(lab: Lab) -> None:
    shell, _ = lab
    code, out, _ = shell("run", "tiny.toml", "--dry-run")
    assert code == 0
    states = ["finished", "new", "finished", "new"]
    assert [line.split()[3] for line in out.splitlines()[1:]] == states
    assert len(_runs(shell.folder)) == 2


def test_a_run_of_other_code_is_stale_and_not_reused(lab: Lab, tmp_path: Path) -> None:
    shell, _ = lab
    shutil.copytree(shell.folder / "runs", tmp_path / "runs")
    run = next(run for run in _runs(tmp_path) if run.labels["variant"] == "none")
    identity = dict(run.identity) | {"id": "none-s0-00000000"}
    (run.path / "identity.json").write_text(json.dumps(identity))
    run.path.rename(run.path.with_name("none-s0-00000000"))
    arguments = ("--seed", "0", "--variant", "none", "--runs", str(tmp_path / "runs"), "--dry-run")
    _, out, err = shell("run", "tiny.toml", *arguments)
    assert "stale" in err
    assert "none-s0-00000000" in err
    assert "new" in out


def test_execute_refuses_a_run_whose_code_has_changed(lab: Lab, tmp_path: Path) -> None:
    shell, _ = lab
    path = tmp_path / _runs(shell.folder)[0].path.name
    shutil.copytree(_runs(shell.folder)[0].path, path)
    (path / "result.json").unlink()
    identity = json.loads((path / "identity.json").read_text())
    identity["code"]["objective/cross_entropy"]["source_hash"] = "0"
    identity["id"] = "other"
    (path / "identity.json").write_text(json.dumps(identity))
    code, _, _ = shell("execute", str(path))
    assert code == 2
    run = load_run(path)
    assert run.status == "failed"
    assert run.failure is not None
    assert "code has changed since this run was prepared: objective/cross_entropy" in run.failure["error"]


def test_a_failed_run_exits_with_1_and_does_not_stop_the_other(shell: Shell) -> None:
    spec = (shell.folder / "tiny.toml").read_text()
    (shell.folder / "tiny.toml").write_text(
        spec.replace('name = "none"', 'name = "none"\nbalancing = "toy_fails"')
    )
    code, out, err = shell("run", "tiny.toml", "--seed", "0", "--jobs", "1")
    assert code == 1
    assert "failed: none, seed 0: out of luck (runs/tiny/none-s0-" in out
    assert "guided, seed 0  finished" in out
    assert "1 of 2 runs failed" in err
    assert "Traceback" not in out + err
    failed = next(run for run in _runs(shell.folder) if run.status == "failed")
    code, out, _ = shell("runs", "show", failed.id)
    assert code == 0
    assert "out of luck" in out
    assert failed.failure is not None
    assert "ZeroDivisionError" in failed.failure["traceback"]


def test_an_interrupted_run_exits_with_130_and_goes_on(shell: Shell) -> None:
    with training(shell) as process:
        [run] = _runs(shell.folder)
        assert run.status == "running"
        code, _, err = shell("runs", "remove", run.id, "--yes")
        assert code == 2
        assert "is running" in err
        code, _, err = shell("run", "tiny.toml", *WAITING)
        assert code == 2
        assert "another process is working on" in err
        process.send_signal(signal.SIGINT)
        time.sleep(2)  # until the run has been told
        (shell.folder / "hold").unlink()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: none, seed 0" in out
    assert "the same command goes on from here" in err
    assert "Traceback" not in out + err
    [run] = _runs(shell.folder)
    assert run.status == "unfinished"
    code, out, err = shell("run", "tiny.toml", *WAITING)
    assert code == 0, out + err
    [run] = _runs(shell.folder)
    assert run.status == "finished"
    assert len(run.provenance["resumed"]) == 1
    steps = [row.step for row in run.rows()]
    assert steps == sorted(steps)


@pytest.mark.slow
def test_a_killed_command_leaves_no_process_behind(shell: Shell) -> None:
    with training(shell) as process:
        [run] = _runs(shell.folder)
        owner = owner_of(run.path / "lock")
        assert owner is not None
        process.kill()
        process.communicate()
        assert process_start(owner.pid) == owner.started
    wait_for(lambda: process_start(owner.pid) != owner.started)
    assert load_run(run.path).status == "unfinished"


@pytest.mark.slow
def test_a_killed_run_is_retried(shell: Shell) -> None:
    with training(shell) as process:
        [run] = _runs(shell.folder)
        owner = owner_of(run.path / "lock")
        assert owner is not None
        os.kill(owner.pid, signal.SIGKILL)
        (shell.folder / "hold").unlink()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert "killed, started again: none, seed 0" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "7"], "seeds of this spec: 0, 1"),
        (["--variant", "gided"], "variants of this spec: none, guided"),
        (["--set", "balancing.alhpa=1", "--variant", "guided"], "alpha"),
        (["--set", "fusion.at=['conv9']"], "conv1, conv2, conv3, conv4"),
    ],
)
def test_mistakes_are_found_before_anything_is_made(shell: Shell, arguments: list[str], said: str) -> None:
    code, _, err = shell("run", "tiny.toml", *arguments)
    assert code == 2
    assert said in err
    assert not (shell.folder / "runs").exists()


def _runs(folder: Path) -> list:
    return list(find_runs(folder / "runs").runs)
