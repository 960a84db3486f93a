"""Work spread over processes that report as they finish, and end with whoever started them."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

import attrs

from mmspec.errors import Problem, RunError

T = TypeVar("T")
R = TypeVar("R")

#: Seconds after which `spread` comes back with nothing.
_TICK = 0.25


@attrs.frozen
class Done(Generic[T, R]):
    """What became of a task: a result, or the error that it ended in."""

    task: T
    result: R | Exception

    def get(self) -> R:
        """The result; an error is raised."""
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def spread(do: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[Done[T, R] | None]:
    """`do(task)` for every task, by `jobs` processes, in whatever order they finish; by this one if it is 1.

    None comes now and then while there is nothing to report. Ending the iteration ends the processes.

    Raises:
        RunError: a process died.
    """
    if jobs <= 1:
        for task in tasks:
            yield Done(task, _outcome(do, task))
        return
    with _processes(do, jobs) as processes:
        waiting, busy = list(reversed(tasks)), {}
        for connection in processes:
            if waiting:
                busy[connection] = _give(connection, waiting.pop())
        while busy:
            ready = [each for each in wait(list(busy), timeout=_TICK) if isinstance(each, Connection)]
            for connection in ready:
                task, result = busy.pop(connection), _answer(connection, processes[connection])
                if waiting:
                    busy[connection] = _give(connection, waiting.pop())
                yield Done(task, result)
            if not ready:
                yield None


def _give(connection: Connection, task: T) -> T:
    with suppress(BrokenPipeError):  # it died: its answer will say so
        connection.send(task)
    return task


def _answer(connection: Connection, process: BaseProcess) -> R | Exception:
    try:
        answer: R | Exception = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        code = process.exitcode or 0
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        raise RunError(
            Problem(f"a process that was reading data died ({how})", hint="was there too little memory?")
        ) from None
    return answer


@contextmanager
def _processes(do: Callable[[T], R], jobs: int) -> Iterator[dict[Connection, BaseProcess]]:
    """Processes by the connection to each.

    Forked where that is safe: it is quick, and asks nothing of the script or notebook we run in.
    """
    forking = sys.platform.startswith("linux")
    context: Any = multiprocessing.get_context("fork" if forking else None)
    processes: dict[Connection, BaseProcess] = {}
    try:
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            inherited = (ours, *processes) if forking else ()
            process = context.Process(target=_serve, args=(do, theirs, inherited), daemon=True)
            process.start()
            theirs.close()
            processes[ours] = process
        yield processes
    finally:
        for connection, process in processes.items():
            connection.close()
            process.terminate()
            process.join()


def _serve(do: Callable[[T], R], connection: Connection, inherited: Sequence[Connection]) -> None:
    """Answer tasks until whoever gives them is gone, which closes the connection if nobody else holds it."""
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if "torch" in sys.modules:  # its pool of threads did not come along
        sys.modules["torch"].set_num_threads(1)
    with suppress(EOFError, OSError):
        while True:
            connection.send(_outcome(do, connection.recv()))


def _outcome(do: Callable[[T], R], task: T) -> R | Exception:
    try:
        return do(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        error.add_note(traceback.format_exc())
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, made a moment ago
        except Exception:  # noqa: BLE001 - it may hold anything
            return RuntimeError(traceback.format_exc())
        return error
