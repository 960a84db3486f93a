"""One run as W&B sees it: rows, pictures and the result, none of which can stop the run."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Literal

from mmspec.plugins.api import TrackerSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import wandb

Status = Literal["finished", "failed", "interrupted"]
#: What W&B is told as the exit status of the run; all but 0 show as failed there.
_EXIT_CODES: dict[Status, int] = {"finished": 0, "failed": 1, "interrupted": 130}


def reason(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ")


def restart_service() -> None:
    """Let the process that W&B runs beside ours go; the next run starts another."""
    import wandb

    with contextlib.suppress(Exception, SystemExit):  # W&B leaves Python if that process had failed
        wandb.teardown()


class NoSession(TrackerSession):
    """A tracker that is switched off."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def finish(self, status: Status, values: Mapping[str, float]) -> None:
        """Do nothing."""


class LastStep:
    """The last step whose row is complete, in a file that outlives a kill; -1 when there is none.

    `wandb sync` renumbers a row whose step an earlier part of the run has already. So what is recorded
    offline must begin after all that was recorded before.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> int:
        """The step on file."""
        return int(self._file.read_bytes() or -1) if self._file.exists() else -1

    def write(self, step: int) -> None:
        """Put a step on file: one write of fixed width, so that a kill leaves the old one or the new one."""
        file = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, b"%20d" % step, 0)
        finally:
            os.close(file)


class WandbSession(TrackerSession):
    """A W&B run that has begun. At the first error it says so, and ignores all that follows.

    `first` is the first step that W&B does not have yet; `upload` the command that uploads what is here.
    """

    def __init__(
        self, run: wandb.Run, say: Callable[[str], None], *, upload: str, first: int, last: LastStep
    ) -> None:
        self._run = run
        self._say = say
        self._upload = upload
        self._on = True
        self._step = first
        self._logged = False
        self._last = last

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log a row at `step`; rows of one step are merged, rows of an earlier step are known already."""
        if step >= self._step:
            self._try(lambda: self._log({name: float(value) for name, value in values.items()}, step))

    def picture(self, name: str, svg: str) -> None:
        """Show an SVG as a panel; a run that goes on has it already."""

        def log_picture() -> None:
            import wandb

            self._log({name: wandb.Html(svg, inject=False)}, self._step)

        if self._step == 0:
            self._try(log_picture)

    def finish(self, status: Status, values: Mapping[str, float]) -> None:
        """Put the result in the summary and upload what is left, within the time limit of `_settings`."""

        def finish_run() -> None:
            self._run.summary.update({**values, "status": status})
            if self._logged:
                self._last.write(self._step)
            self._run.finish(exit_code=_EXIT_CODES[status])

        self._try(finish_run)
        self._on = False

    def _log(self, row: dict[str, Any], step: int) -> None:
        self._run.log(row, step=step)
        if step > self._step:  # W&B writes a row when the next one begins
            self._last.write(self._step)
        self._step, self._logged = step, True

    def _try(self, act: Callable[[], None]) -> None:
        if not self._on:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            self._on = False
            if isinstance(error, ConnectionError):
                restart_service()
            self._say(
                f"W&B: mirroring stopped, the run goes on ({reason(error)}); "
                f"upload what was recorded with: {self._upload}"
            )
