from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmspec.errors import RecordError
from mmspec.records import lock

HOLD = """
import sys, time
from pathlib import Path
from mmspec.records import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_owner_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        assert lock.owner_of(path) == lock.Owner.this_process()
    assert not path.exists()
    assert lock.owner_of(path) is None


def test_a_live_owner_keeps_others_out_and_a_killed_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(RecordError, match=f"process {child.pid} on"), lock.held(path):
            pass
        child.kill()
        child.wait()
    assert path.exists()
    assert lock.owner_of(path) is None
    with lock.held(path):
        assert lock.owner_of(path) == lock.Owner.this_process()


def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": "long ago"}))
    with lock.held(path):
        assert lock.owner_of(path) == lock.Owner.this_process()


def test_another_host_counts_as_alive(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere.example", "started": "1"}))
    with pytest.raises(RecordError, match=r"remove .*lock"), lock.held(path):
        pass
    assert path.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "\0\0"])
def test_a_torn_lock_is_taken_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock"
    path.write_text(content)
    with lock.held(path):
        assert lock.owner_of(path) == lock.Owner.this_process()


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert lock.process_start(child.pid)
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert lock.process_start(child.pid) is None


def test_of_many_who_find_a_stale_lock_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 2**22, "host": socket.gethostname(), "started": "1"}))
    got, refused, everyone = [], [], threading.Barrier(8)
    done = threading.Barrier(8)

    def take() -> None:
        everyone.wait()
        try:
            with lock.held(path):
                got.append(1)
                done.wait()
        except RecordError:
            refused.append(1)
            done.wait()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)
