"""Uploading what W&B recorded on this machine, by W&B's own `wandb sync`, so that nothing is lost or doubled.

`wandb sync` begins at a file's first row whatever is in W&B already, and calls a file uploaded although the
server may have understood nothing. So W&B is asked what it has. Rows that are there are left out of what is
uploaded. A segment counts as uploaded when W&B knows its last row and, of the last one, how the run ended.
That makes any cut harmless: the next call goes on from what W&B has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import Problem, RecordError
from mmspec.track.layout import RESULT_KEY, STATUS_KEY
from mmspec.track.wandb.address import Address
from mmspec.track.wandb.file import Segment, read_segment
from mmspec.track.wandb.folders import everything_under
from mmspec.track.wandb.reach import answers
from mmspec.track.wandb.segments import (
    RecordedSegment,
    note_uploaded,
    pending,
    segments,
    without_rows,
)
from mmspec.track.wandb.service import AwayError, Service, server_address

#: Seconds that an upload may take: at least, and for each byte. A dead server is noticed sooner.
LEAST, PER_BYTE = 60.0, 1 / 50_000
#: Seconds between two looks at whether the server still answers, and for each answer; how often it may not.
LOOK_EVERY, ANSWER_WITHIN, MISSES = 3.0, 2.0, 2
#: Seconds for which W&B's process may outlive ours when that is killed, and go on uploading.
AFTERLIFE = 3.0
#: Seconds until W&B is asked again whether it has all that was uploaded.
PAUSES = (1.0, 2.0, 4.0)
_AGAIN = "nothing is lost: the same command goes on from what is up"
#: `wandb`, which ends when the process that started it does (Linux: PR_SET_PDEATHSIG).
_WANDB = (
    "import ctypes, runpy, sys\n"
    "if sys.platform.startswith('linux'): ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n"
    "runpy.run_module('wandb', run_name='__main__', alter_sys=True)"
)


@attrs.frozen
class Standing:
    """What W&B has of a run."""

    step: int
    summary: Mapping[str, Any]


def upload_all(folder: Path, say: Callable[[str], None]) -> bool:
    """Upload the segments in a tracker's folder that are not up yet; whether there were any.

    Raises:
        RecordError: there is no way to the server, or it does not take them; a later call goes on.
    """
    waiting = pending(folder)
    if not waiting:
        return False
    newest = segments(folder)[-1]
    recorded = {segment.name: read_segment(segment.file) for segment in waiting}
    first = recorded[waiting[0].name]
    sent = False
    with _alone(folder) as scratch:
        service = Service(Address(first.entity, first.project), folder / "cache")
        standing = Standing(*service.standing(first.run_id))
        for segment in waiting:
            whole = partial(_holds, segment, recorded[segment.name], is_last=segment == newest)
            if segment.is_offline or not whole(standing):
                _upload(segment, folder, scratch, standing.step)
                standing = _confirmed(service, first.run_id, segment, whole)
                sent = True
            note_uploaded(folder, segment)
    if sent:
        say(f"W&B: uploaded {first.run_id} up to step {standing.step}")
    return sent


def _holds(segment: RecordedSegment, recorded: Segment, standing: Standing, *, is_last: bool) -> bool:
    """Whether all of a segment is in W&B; how the run ended stands in the last one."""
    if standing.step < segment.last_step():
        return False
    keys = (STATUS_KEY, RESULT_KEY) if is_last else ()
    return all(standing.summary.get(key) == recorded.summary.get(key) for key in keys)


def _confirmed(
    service: Service, run_id: str, segment: RecordedSegment, whole: Callable[[Standing], bool]
) -> Standing:
    """What W&B has after an upload; it may take a moment until it shows.

    Raises:
        AwayError: it has not taken all of the segment.
    """
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        standing = Standing(*service.standing(run_id))
        if whole(standing):
            return standing
    what = f"W&B has not taken all of {segment.name}: it has steps up to {standing.step}"
    raise AwayError(Problem(f"{what} of {segment.last_step()}", hint=_AGAIN))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """A folder for what is uploaded, gone afterwards; what a killed upload has left is waited for."""
    left = list(folder.glob("sync-*"))
    if left:
        time.sleep(AFTERLIFE)
        for old in left:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="sync-", dir=folder, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


def _upload(segment: RecordedSegment, folder: Path, scratch: Path, upto: int) -> None:
    """Upload what lies behind step `upto` of a segment: a copy of it without the rows before."""
    copy = scratch / segment.name
    copy.mkdir()
    without_rows(segment.file, copy / segment.file.name, upto)
    (copy / "files").symlink_to(segment.file.parent / "files")
    arguments = ["sync", "--include-online", "--include-synced", str(copy)]
    with everything_under(folder) as ours:
        environment = {**os.environ, **ours, "WANDB_SILENT": "false", "WANDB_CONSOLE": "off"}
    environment.pop("WANDB_SERVICE", None)  # a process of W&B's of its own, which ends with it
    process = subprocess.Popen(
        [sys.executable, "-c", _WANDB, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=scratch, env=environment, start_new_session=True,
    )  # fmt: skip
    size = sum(file.stat().st_size for file in segment.file.parent.rglob("*") if file.is_file())
    try:
        said = _wait(process, server_address(folder / "cache"), LEAST + size * PER_BYTE)
    finally:
        _end(process)
    if process.returncode or not list(copy.glob("*.synced")):
        raise RecordError(Problem(f"W&B could not upload {segment.file.parent}: {_last_line(said)}"))


def _wait(process: subprocess.Popen[str], server: str, limit: float) -> str:
    """What the process says until it ends.

    Raises:
        AwayError: the server is gone meanwhile, or it takes longer than `limit` seconds.
    """
    misses, until = 0, time.monotonic() + limit
    while time.monotonic() < until:
        try:
            return process.communicate(timeout=LOOK_EVERY)[0]
        except subprocess.TimeoutExpired:
            misses = 0 if answers(server, ANSWER_WITHIN) else misses + 1
        if misses >= MISSES:
            raise AwayError(Problem(f"{server} does not answer any more", hint=_AGAIN))
    raise AwayError(Problem(f"the upload took more than {limit:.0f} s", hint=_AGAIN))


def _end(process: subprocess.Popen[str]) -> None:
    """End the process, and those that it started in sessions of their own."""
    if process.poll() is not None:
        return
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    started = [int(child) for children in tasks for child in children.read_text().split()]
    process.kill()
    for child in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.communicate()


def _last_line(said: str) -> str:
    lines = [line.removeprefix("wandb:").strip() for line in said.splitlines()]
    return next((line for line in reversed(lines) if line not in ("", "ERROR")), "it does not say why")
