from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_for

from mmspec.launch.local import LocalLauncher
from mmspec.records.lock import process_start

Make = Callable[[str, str], list[str]]

#: A launcher in a process of its own, over the scripts given; prints the statuses.
LAUNCH = """
import json, sys
from mmspec.launch.local import LocalLauncher
commands = {name: [sys.executable, "-c", script, folder] for name, script, folder in json.loads(sys.argv[1])}
statuses = LocalLauncher().launch(
    commands, jobs=int(sys.argv[2]), changed=lambda *event: print(*event, flush=True)
)
print(json.dumps(statuses))
sys.exit(130 if 130 in statuses.values() else 0)
"""
#: A run that follows its parent, says its pid, and ends cleanly on SIGTERM.
FOLLOWER = """
import os, sys, time
from pathlib import Path
from mmspec.launch import child
child.follow_parent()
with child.stop_on_signal() as stop:
    Path(sys.argv[1], "pid").write_text(str(os.getpid()))
    while not stop():
        time.sleep(0.01)
Path(sys.argv[1], "clean").touch()
sys.exit(130)
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_command(name: str, script: str) -> list[str]:
        folder = tmp_path / name
        folder.mkdir()
        return [sys.executable, "-c", script, str(folder)]

    return make_command


def test_one_failure_does_not_stop_the_others(make: Make) -> None:
    scripts = {"a": "pass", "b": "raise SystemExit(1)", "c": "pass"}
    events: list[tuple[str, str]] = []
    statuses = LocalLauncher().launch(
        {name: make(name, script) for name, script in scripts.items()},
        jobs=1,
        changed=lambda *event: events.append(event),
    )
    assert statuses == {"a": 0, "b": 1, "c": 0}
    assert events == [
        ("a", "started"),
        ("a", "finished"),
        ("b", "started"),
        ("b", "failed"),
        ("c", "started"),
        ("c", "finished"),
    ]


def test_no_more_than_jobs_at_a_time_and_no_less(make: Make) -> None:
    commands = {str(i): make(str(i), "import time; time.sleep(0.3)") for i in range(4)}
    active, most = 0, 0

    def changed(_: str, event: str) -> None:
        nonlocal active, most
        active += 1 if event == "started" else -1
        most = max(most, active)

    LocalLauncher().launch(commands, jobs=2, changed=changed)
    assert most == 2


def test_a_killed_run_is_started_again(make: Make, tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
tries = Path(sys.argv[1], "tries")
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
if len(tries.read_text()) < 3:
    os.kill(os.getpid(), 9)
"""
    events: list[str] = []
    commands = {"run": make("run", script)}
    statuses = LocalLauncher().launch(commands, jobs=1, changed=lambda _, event: events.append(event))
    assert statuses == {"run": 0}
    assert events == ["started", "retried", "retried", "finished"]
    assert (tmp_path / "run" / "tries").read_text() == "xxx"


def test_a_run_that_is_always_killed_fails_in_the_end(make: Make) -> None:
    events: list[str] = []
    commands = {"run": make("run", "import os; os.kill(os.getpid(), 9)")}
    statuses = LocalLauncher(retries=1).launch(commands, jobs=1, changed=lambda _, e: events.append(e))
    assert statuses == {"run": -signal.SIGKILL}
    assert events == ["started", "retried", "failed"]


def test_what_a_run_prints_is_in_its_log(make: Make, tmp_path: Path) -> None:
    commands = {"run": make("run", "import sys; print('out'); print('err', file=sys.stderr)")}
    LocalLauncher().launch(commands, jobs=1, changed=lambda *_: None)
    assert set((tmp_path / "run" / "log.txt").read_text().split()) == {"out", "err"}


def test_runs_share_the_cores_unless_the_user_decides(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmspec.launch.local.cores", lambda: 8)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    script = "import os; raise SystemExit(int(os.environ['OMP_NUM_THREADS'] + os.environ['MKL_NUM_THREADS']))"
    assert LocalLauncher().launch({"run": make("run", script)}, jobs=2, changed=lambda *_: None) == {
        "run": 45
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_runs_end_cleanly_and_starts_no_more(tmp_path: Path, number: signal.Signals) -> None:
    with _launcher(tmp_path, {"a": FOLLOWER, "b": FOLLOWER, "c": FOLLOWER}, jobs=2) as launcher:
        wait_for(lambda: len(list(tmp_path.glob("*/pid"))) == 2)
        launcher.send_signal(number)
        out, _ = launcher.communicate(timeout=20)
        assert launcher.returncode == 130
    assert out.splitlines()[-1] == '{"a": 130, "b": 130, "c": 130}'
    assert len(list(tmp_path.glob("*/clean"))) == 2
    assert not (tmp_path / "c" / "pid").exists()


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    stubborn = FOLLOWER.replace("while not stop()", "while True")
    with _launcher(tmp_path, {"a": stubborn}, jobs=1) as launcher:
        wait_for(lambda: list(tmp_path.glob("*/pid")))
        launcher.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert launcher.poll() is None
        launcher.send_signal(signal.SIGINT)
        launcher.communicate(timeout=20)
        assert launcher.returncode == 130


def test_a_killed_launcher_leaves_no_orphans(tmp_path: Path) -> None:
    with _launcher(tmp_path, {"a": FOLLOWER, "b": FOLLOWER}, jobs=2) as launcher:
        wait_for(lambda: [path.read_text() != "" for path in tmp_path.glob("*/pid")] == [True, True])
        launcher.kill()
        launcher.communicate(timeout=20)
    pids = [int(path.read_text()) for path in tmp_path.glob("*/pid")]
    wait_for(lambda: not any(process_start(pid) for pid in pids))
    assert len(list(tmp_path.glob("*/clean"))) == 2


def _launcher(folder: Path, scripts: dict[str, str], *, jobs: int) -> subprocess.Popen[str]:
    import json

    for name in scripts:
        (folder / name).mkdir()
    table = json.dumps([[name, script, str(folder / name)] for name, script in scripts.items()])
    command = [sys.executable, "-c", LAUNCH, table, str(jobs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
