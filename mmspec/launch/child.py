"""What a process that executes a run does about signals, parent, threads and memory. Without torch."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import attrs

#: Set by a launcher: the process that must not be outlived.
PARENT = "MMSPEC_PARENT"
#: What numerical libraries read when they are imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def set_threads(threads: int | None) -> None:
    """Tell numerical libraries how many threads to use; before they are imported."""
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def keep_freed_memory() -> None:
    """Tell glibc not to give back to the system what is freed: the next training step needs it again.

    Else a step of large feature maps maps and zeroes hundreds of megabytes anew; `benchmarks/precision.py`
    measures what that costs. The peak is as before. Elsewhere than with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        # Setting either fixes both; older versions refuse more than 32 MiB for the second.
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        if not libc.mallopt(_M_MMAP_THRESHOLD, 2**30):
            libc.mallopt(_M_MMAP_THRESHOLD, 2**25)


def follow_parent() -> None:
    """End this process, cleanly, when the launcher that started it is gone, however it went.

    Linux only; elsewhere a launcher that is killed leaves its runs behind, which finish by themselves.
    """
    parent = os.environ.pop(PARENT, None)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):  # it was gone before we asked
        os.kill(os.getpid(), signal.SIGTERM)


@attrs.define(eq=False)
class StopRequest:
    """Whether SIGTERM or SIGINT has come."""

    has_come: bool = False
    waits: bool = True

    def __call__(self) -> bool:
        """Whether the process should stop at the next good moment."""
        return self.has_come

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, any moment is good: the signal, also one that has come before, is a KeyboardInterrupt."""
        self.waits = False
        try:
            if self.has_come:
                raise KeyboardInterrupt
            yield
        finally:
            self.waits = True


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Within, the first SIGTERM or SIGINT asks the run to stop cleanly; the second SIGINT does not wait."""
    request = StopRequest()

    def ask(number: int, _: FrameType | None) -> None:
        again, request.has_come = request.has_come, True
        if not request.waits or (again and number == signal.SIGINT):
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
