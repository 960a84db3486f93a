"""Runs a prepared run again and again, killing it with SIGKILL at random moments, until it has finished.

Started by test_kill.py as `python kill_and_resume.py RUN_DIR KILLS SEED`. Children are forked, torch already
imported, so that the moments fall into the run and not into its imports. Prints how often it killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from mmspec.launch.execute import execute


def start(path: Path) -> int:
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = execute(path)
        finally:
            os._exit(code)
    return pid


def main() -> int:
    import mmspec.engine.run  # noqa: F401 - imported before forking

    path, kills, draws = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    killed = 0
    while killed < kills:
        pid = start(path)
        time.sleep(draws.uniform(0.02, 0.7))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif os.WEXITSTATUS(status):
            return os.WEXITSTATUS(status)
        else:
            break
    _, status = os.waitpid(start(path), 0)
    print(killed)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
