"""One run as W&B sees it: rows, pictures, files and the result, none of which can stop the run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mmspec.track.guard import GuardedSession
from mmspec.track.layout import to_summary
from mmspec.track.wandb.folders import everything_under
from mmspec.track.wandb.names import ARTIFACT_TYPES, artifact_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import wandb

    from mmspec.plugins.api import Kept
    from mmspec.track.layout import Ended

#: What W&B is told as the exit status of the run; all but 0 show as failed there.
_EXIT_CODES: dict[Ended, int] = {"finished": 0, "failed": 1, "interrupted": 130}


def restart_service() -> None:
    """Let the process that W&B runs beside ours go; the next run starts another."""
    import wandb

    with contextlib.suppress(Exception, SystemExit):  # W&B leaves Python if that process had failed
        wandb.teardown()


class WandbSession(GuardedSession):
    """A W&B run that has begun.

    `folder` is where W&B writes; `upload` is the command that uploads it; `first` is the first step that is
    not recorded yet.
    """

    def __init__(
        self, run: wandb.Run, say: Callable[[str], None], *, folder: Path, upload: str, first: int
    ) -> None:
        super().__init__("W&B", say, advice=f"upload what was recorded with: {upload}")
        self._run = run
        self._folder = folder
        self._step = first
        self._result: Mapping[str, Any] | None = None
        self._try(lambda: run.summary.update(to_summary("running", {})))

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

    def result(self, result: Mapping[str, Any]) -> None:
        """Keep the result until `finish`."""
        self._result = result

    def artifact(self, name: Kept, files: Mapping[str, Path]) -> None:
        """Log files as an artifact; what is recorded offline goes up with the rest."""

        def log_artifact() -> None:
            import wandb

            artifact = wandb.Artifact(artifact_name(self._run.id, name), type=ARTIFACT_TYPES[name])
            for inside, path in files.items():
                # Checkpoints are large and stay as they are: W&B need not copy them. The log may go on.
                policy: Any = "immutable" if name == "best" else "mutable"
                artifact.add_file(str(path), name=inside, policy=policy, skip_cache=True)
            self._run.log_artifact(artifact)

        with everything_under(self._folder):
            self._try(log_artifact)

    def finish(self, status: Ended, values: Mapping[str, float]) -> None:
        """Put the result in the summary and upload what is left, within the time limit of the settings."""

        def finish_run() -> None:
            self._run.summary.update(to_summary(status, values, self._result))
            self._run.finish(exit_code=_EXIT_CODES[status])

        self._end(finish_run)

    def _log(self, row: dict[str, Any], step: int) -> None:
        self._run.log(row, step=step)
        self._step = step

    def _stop(self, error: Exception) -> None:
        if isinstance(error, ConnectionError):
            restart_service()
