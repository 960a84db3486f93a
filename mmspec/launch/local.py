"""The launcher of this machine: a pool of subprocesses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

import attrs

from mmspec.launch.child import PARENT, THREAD_VARIABLES
from mmspec.plugins.api import Launcher, at_least, option
from mmspec.system import cores

Changed = Callable[[str, Literal["started", "retried", "finished", "failed", "interrupted"]], None]

INTERRUPTED = 130
#: Seconds between two looks at the processes.
_TICK = 0.05


@attrs.frozen(kw_only=True)
class LocalLauncher(Launcher):
    """Runs on this machine, each in a process of its own; what is killed is started again."""

    retries: int = option(
        "how often a run whose process was killed by a signal is started again",
        default=2,
        validator=at_least(0),
    )

    def launch(
        self, commands: Mapping[str, Sequence[str]], *, jobs: int, changed: Changed
    ) -> Mapping[str, int]:
        """Run the commands, `jobs` at a time. SIGINT or SIGTERM lets each end cleanly; a second SIGINT kills.

        The exit status of a run that was not started, or was asked to stop, is 130.
        """
        pool = _Pool(dict(commands), max(1, jobs), self.retries, changed)
        with _asking_to_stop(pool):
            pool.run()
        return {run: pool.statuses.get(run, INTERRUPTED) for run in commands}


@attrs.define(eq=False)
class _Pool:
    commands: dict[str, Sequence[str]]
    jobs: int
    retries: int
    changed: Changed
    statuses: dict[str, int] = attrs.field(factory=dict)
    active: dict[str, subprocess.Popen[bytes]] = attrs.field(factory=dict)
    tries: dict[str, int] = attrs.field(factory=dict)
    stopping: bool = False

    def run(self) -> None:
        """Start, watch and retry until nothing is left to do."""
        waiting = list(self.commands)
        try:
            while self.active or (waiting and not self.stopping):
                while waiting and len(self.active) < self.jobs and not self.stopping:
                    self.start(waiting.pop(0))
                for run in [run for run, process in self.active.items() if process.poll() is not None]:
                    self.ended(run, self.active.pop(run).returncode)
                time.sleep(_TICK)
        finally:
            self.send(signal.SIGKILL)  # nobody is left, unless `changed` failed

    def start(self, run: str) -> None:
        """Start one process in a group of its own, so that Ctrl-C in the terminal reaches us alone."""
        command = list(self.commands[run])
        self.tries[run] = self.tries.get(run, 0) + 1
        with (Path(command[-1]) / "log.txt").open("ab") as log:
            self.active[run] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                process_group=0,
            )
        if self.stopping:  # the signal came in between
            self.send(signal.SIGTERM)
        if self.tries[run] == 1:
            self.changed(run, "started")

    def environment(self) -> dict[str, str]:
        """Ours, with our pid, and an equal share of the cores unless the user has chosen otherwise."""
        share = str(max(1, cores() // self.jobs))
        return {**dict.fromkeys(THREAD_VARIABLES, share), **os.environ, PARENT: str(os.getpid())}

    def ended(self, run: str, status: int) -> None:
        """A process has ended: note how, or start it again."""
        if status < 0 and not self.stopping and self.tries[run] <= self.retries:
            self.changed(run, "retried")
            self.start(run)
            return
        if self.stopping and status < 0:
            status = INTERRUPTED
        self.statuses[run] = status
        if status == 0:
            self.changed(run, "finished")
        else:
            self.changed(run, "interrupted" if status == INTERRUPTED else "failed")

    def send(self, number: int) -> None:
        """Send a signal to every process; on SIGKILL to its whole group."""
        for process in list(self.active.values()):
            if process.poll() is None:
                if number == signal.SIGKILL:
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)


@contextmanager
def _asking_to_stop(pool: _Pool) -> Iterator[None]:
    """Within, SIGINT and SIGTERM stop the pool instead of this process. Only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: FrameType | None) -> None:
        again = pool.stopping and number == signal.SIGINT
        if number == signal.SIGINT and not again:
            sys.stderr.write("\nstopping as soon as all is saved; Ctrl-C again does not wait\n")
        pool.stopping = True
        pool.send(signal.SIGKILL if again else signal.SIGTERM)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
