"""One run as W&B sees it: rows, pictures and the result, none of which can stop the run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from mmspec.plugins.api import TrackerSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


class WandbSession(TrackerSession):
    """A W&B run that has begun. At the first error it says so, and ignores all that follows."""

    def __init__(self, run: wandb.Run, say: Callable[[str], None], upload: str) -> None:
        self._run = run
        self._say = say
        self._upload = upload
        self._on = True
        self._step = run.starting_step  # above 0 when an online run is resumed

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Log a row at `step`; rows of one step are merged, rows of an earlier step are known already."""
        if step >= self._step:
            self._step = step
            self._try(
                lambda: self._run.log({name: float(value) for name, value in values.items()}, step=step)
            )

    def picture(self, name: str, svg: str) -> None:
        """Show an SVG as a panel."""

        def log_picture() -> None:
            import wandb

            self._run.log({name: wandb.Html(svg, inject=False)}, step=self._step)

        self._try(log_picture)

    def finish(self, status: Status, values: Mapping[str, float]) -> None:
        """Put the result in the summary and upload what is left, within the time limit of `_settings`."""

        def finish_run() -> None:
            self._run.summary.update({**values, "status": status})
            self._run.finish(exit_code=_EXIT_CODES[status])

        self._try(finish_run)
        self._on = False

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
