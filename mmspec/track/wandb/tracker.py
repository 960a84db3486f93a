"""The Weights & Biases tracker: each run is mirrored to W&B, live where that is possible, offline else.

Nothing here may stop or hold up a run. W&B is asked for nothing it could wait for: a key must be there
before `wandb.init` (which would otherwise ask for one on a terminal, for ever), the server must answer
a connection, and both the beginning and the end of a run have a time limit. What cannot go online is
recorded in the tracker's folder, and the user is told once how to upload it.

`wandb` is imported by nobody but functions.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from mmspec.plugins.api import Kept, RunInfo, Tracker, TrackerSession, option
from mmspec.track.guard import NoSession, reason
from mmspec.track.layout import to_config
from mmspec.track.wandb.folders import everything_under
from mmspec.track.wandb.names import LONGEST_NAME, wandb_id
from mmspec.track.wandb.reach import answers, credentials
from mmspec.track.wandb.segments import last_step, wait_for_a_name
from mmspec.track.wandb.session import WandbSession, restart_service

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import wandb

Mode = Literal["auto", "online", "offline", "disabled"]

#: Seconds: to connect to the server, to begin a run online, and to upload the rest at its end. W&B's service
#: begins a run in one or two; what is not up at the end goes up by `mmspec runs sync`.
PROBE_TIMEOUT, INIT_TIMEOUT, FINISH_TIMEOUT = 2.0, 10.0, 10.0


@attrs.frozen(kw_only=True)
class WandbTracker(Tracker):
    """Weights & Biases; runs that differ in the seed only form a group. Offline without key or network."""

    project: str | None = option("the W&B project; absent: the experiment's name", default=None)
    entity: str | None = option("the W&B user or team; absent: your default entity", default=None)
    mode: Mode = option(
        "auto: WANDB_MODE if set, else online where there are a key and a server; online: do not test the "
        "connection first; offline: upload later with `mmspec runs sync`; disabled: do nothing",
        default="auto",
    )
    group: str | None = option("the group in W&B; absent: experiment and labels", default=None)
    job_type: str = option("the kind of job in W&B", default="train")
    tags: tuple[str, ...] = option("tags of the run in W&B", default=())
    notes: str | None = option("a description of the run in W&B", default=None)
    artifacts: tuple[Kept, ...] = option(
        "what W&B keeps of a finished run: best (the selected checkpoint of each stage), report (the files "
        "that a report reads)",
        default=(),
    )

    def start(self, run: RunInfo, *, folder: Path, say: Callable[[str], None]) -> TrackerSession:
        """Begin the run in W&B, or go on with it: the same `run_id` is the same W&B run."""
        mode = _mode(self.mode)
        if mode == "disabled":
            return NoSession()
        label = f"{run.experiment}/{run.label}" if run.label else run.experiment
        asked = {
            "project": self.project or run.experiment,
            "entity": self.entity,
            "id": wandb_id(run.run_id),
            "name": run.run_id[:LONGEST_NAME],
            "group": (self.group or label)[:LONGEST_NAME],
            "job_type": self.job_type,
            "tags": list(self.tags) or None,
            "notes": self.notes,
            "config": to_config(run),
            "resume": "allow",
        }
        upload = _upload_command(run.run_id, folder.absolute())
        try:
            return _begin(asked, mode, folder.absolute(), upload, say)
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            say(f"W&B: this run is not mirrored: {reason(error)}")
            return NoSession()

    def keeps(self) -> Collection[Kept]:
        """What `artifacts` asks for."""
        return () if _mode(self.mode) == "disabled" else self.artifacts

    def sync(self, folder: Path, *, say: Callable[[str], None]) -> bool:
        """Upload the segments that are not up yet, in order."""
        from mmspec.track.wandb.sync import upload_all

        if "wandb" in sys.modules:  # what this process recorded is on file once W&B's own has ended
            restart_service()
        return upload_all(folder.absolute(), say)


def _mode(wanted: Mode) -> str:
    """The mode that counts: `auto` gives way to WANDB_MODE, as users of W&B expect."""
    from_environment = os.environ.get("WANDB_MODE", "")
    if wanted == "auto" and from_environment in ("online", "offline", "disabled"):
        return from_environment
    return wanted


def _upload_command(run_id: str, folder: Path) -> str:
    """What a user types to upload the run; a tracker's folder is ROOT/EXPERIMENT/RUN/track/NAME."""
    root = folder.parents[3] if len(folder.parents) > 3 else folder
    where = "" if root == Path("runs").absolute() else f" --runs {shlex.quote(str(root))}"
    return f"mmspec runs sync {shlex.quote(run_id)}{where}"


def _begin(
    run: dict[str, Any], mode: str, folder: Path, upload: str, say: Callable[[str], None]
) -> TrackerSession:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):  # W&B would move to the temporary directory without a word
        pass
    with everything_under(folder):
        import wandb

        if not hasattr(wandb, "init"):  # a folder ./wandb, as W&B leaves it, can be imported too
            raise ImportError("the package wandb is not installed")
        wait_for_a_name(folder)
        last = last_step(folder)
        obstacle = "mode is offline"
        if mode != "offline":
            live, obstacle = _go_online(run, folder, last, probe=mode == "auto")
            if live is not None:
                say(f"W&B: {live.url}")
                return WandbSession(live, say, folder=folder, upload=upload, first=live.starting_step)
        recorded = wandb.init(**run, settings=run_settings(folder, mode="offline"))
    say(f"W&B: recorded offline ({obstacle}); upload with: {upload}")
    return WandbSession(recorded, say, folder=folder, upload=upload, first=last + 1)


def _go_online(run: dict[str, Any], folder: Path, last: int, *, probe: bool) -> tuple[wandb.Run | None, str]:
    """The run, begun online; else what stands in the way. `last` is the last step on this machine."""
    import wandb

    key, obstacle = way_online(wandb.setup().settings, probe=probe)
    if obstacle:
        return None, obstacle
    try:
        live = wandb.init(**run, settings=run_settings(folder, mode="online", **key))
        if live.starting_step > last:
            return live, ""
        # W&B takes rows in order only: those that are missing there would be left out for ever.
        live.finish(exit_code=1)
        shutil.rmtree(live.settings.sync_dir, ignore_errors=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, offline still works
        restart_service()  # it would go on trying, and let nobody else have the run's id
        return None, reason(error)
    return None, "an earlier part of the run is not in W&B yet"


def way_online(settings: wandb.Settings, *, probe: bool) -> tuple[dict[str, str], str]:
    """How to log in without being asked, and what stands in the way of going online ("" if nothing)."""
    server = settings.base_url
    if "finish_timeout" not in type(settings).model_fields:
        return {}, "this version of wandb can wait for its server for ever; a newer one cannot"
    key = credentials(server, settings)
    if key is None:
        return {}, f"no API key for {server}; `wandb login` stores one"
    if probe and not answers(server, PROBE_TIMEOUT):
        return {}, f"no connection to {server}"
    return key, ""


def run_settings(folder: Path, **chosen: Any) -> wandb.Settings:
    """Settings that bound every wait and print nothing, as far as this version of W&B knows them."""
    import wandb

    wanted = {
        "root_dir": str(folder),
        "silent": True,
        "console": "off",
        "reinit": "create_new",  # leave a run alone that a notebook may have open
        "init_timeout": INIT_TIMEOUT,
        "finish_timeout": FINISH_TIMEOUT,
        "finish_timeout_raises": True,
        "x_transaction_log_flush_interval": 1.0,  # the default loses the last 15 s when killed
        **chosen,
    }
    return wandb.Settings(**{k: v for k, v in wanted.items() if k in wandb.Settings.model_fields})
