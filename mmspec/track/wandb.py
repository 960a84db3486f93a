"""The Weights & Biases tracker: each run is mirrored to W&B, live where that is possible, offline else.

Nothing here may stop or hold up a run. W&B is asked for nothing it could wait for: a key must be there
before `wandb.init` (which would otherwise ask for one on a terminal, for ever), the server must answer
a connection, and both the beginning and the end of a run have a time limit. What cannot go online is
recorded in the tracker's folder, and the user is told once how to upload it.

`wandb` is imported by nobody but the functions of this module.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from typing import TYPE_CHECKING, Any, Literal

import attrs

from mmspec.plugins.api import RunInfo, Tracker, TrackerSession, option
from mmspec.track.reach import answers, credentials
from mmspec.track.session import LastStep, NoSession, WandbSession, reason, restart_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import wandb

Mode = Literal["auto", "online", "offline", "disabled"]

#: Seconds: to connect to the server, to begin a run online, and to upload the rest at its end.
PROBE_TIMEOUT, INIT_TIMEOUT, FINISH_TIMEOUT = 2.0, 20.0, 60.0
#: W&B refuses longer names, and these signs in the id of a run.
_LONGEST_NAME = 128
_NOT_IN_ID = re.compile(r"[/\\#?%:\s]+")


@attrs.frozen(kw_only=True)
class WandbTracker(Tracker):
    """Weights & Biases; runs that differ in the seed only form a group. Offline without key or network."""

    project: str | None = option("the W&B project; absent: the experiment's name", default=None)
    entity: str | None = option("the W&B user or team; absent: your default entity", default=None)
    mode: Mode = option(
        "auto: WANDB_MODE if set, else online where there are a key and a server; online: do not test the "
        "connection first; offline: upload later with `wandb sync`; disabled: do nothing",
        default="auto",
    )
    tags: tuple[str, ...] = option("tags of the run in W&B", default=())
    notes: str | None = option("a description of the run in W&B", default=None)

    def start(self, run: RunInfo, *, folder: Path, say: Callable[[str], None]) -> TrackerSession:
        """Begin the run in W&B, or go on with it: the same `run_id` is the same W&B run."""
        mode = _mode(self.mode)
        if mode == "disabled":
            return NoSession()
        group = f"{run.experiment}/{run.label}" if run.label else run.experiment
        asked = {
            "project": self.project or run.experiment,
            "entity": self.entity,
            "id": _NOT_IN_ID.sub("-", run.run_id),
            "name": run.run_id[:_LONGEST_NAME],
            "group": group[:_LONGEST_NAME],
            "job_type": "train",
            "tags": list(self.tags) or None,
            "notes": self.notes,
            "config": named_stages(run.config),
            "resume": "allow",
        }
        try:
            return _begin(asked, mode, folder.absolute(), say)
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            say(f"W&B: this run is not mirrored: {reason(error)}")
            return NoSession()


def _mode(wanted: Mode) -> str:
    """The mode that counts: `auto` gives way to WANDB_MODE, as users of W&B expect."""
    from_environment = os.environ.get("WANDB_MODE", "")
    if wanted == "auto" and from_environment in ("online", "offline", "disabled"):
        return from_environment
    return wanted


def named_stages(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its stages as a table by name: W&B filters and groups by keys of tables only."""
    stages = config.get("stages")
    if isinstance(stages, list) and all(isinstance(stage, dict) and "name" in stage for stage in stages):
        return {**config, "stages": {stage["name"]: stage for stage in stages}}
    return dict(config)


def _begin(run: dict[str, Any], mode: str, folder: Path, say: Callable[[str], None]) -> TrackerSession:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):  # W&B would move to the temporary directory without a word
        pass
    last = LastStep(folder / "last_step")
    with _everything_under(folder):
        import wandb

        if not hasattr(wandb, "init"):  # a folder ./wandb, as W&B leaves it, can be imported too
            raise ImportError("the package wandb is not installed")
        obstacle = "mode is offline"
        if mode != "offline":
            key, obstacle = _way_online(wandb.setup().settings, probe=mode == "auto")
            if not obstacle:
                try:
                    live = wandb.init(**run, settings=_settings(folder, mode="online", **key))
                except Exception as error:  # noqa: BLE001 - whatever it is, offline still works
                    obstacle = reason(error)
                    restart_service()  # it would go on trying, and let nobody else have the run's id
                else:
                    say(f"W&B: {live.url}")
                    upload = f"wandb sync {shlex.quote(live.settings.sync_dir)}"
                    return WandbSession(live, say, upload=upload, first=live.starting_step, last=last)
        recorded = wandb.init(**run, settings=_settings(folder, mode="offline"))
    upload = f"wandb sync {shlex.quote(str(folder / 'wandb'))}/offline-run-*"
    say(f"W&B: recorded offline ({obstacle}); upload with: {upload}")
    return WandbSession(recorded, say, upload=upload, first=last.read() + 1, last=last)


def _way_online(settings: wandb.Settings, *, probe: bool) -> tuple[dict[str, str], str]:
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


def _settings(folder: Path, **chosen: Any) -> wandb.Settings:
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


@contextlib.contextmanager
def _everything_under(folder: Path) -> Iterator[None]:
    """Let W&B put its files, caches and logs under `folder` as long as this lasts, and print nothing.

    The process that W&B starts meanwhile keeps these settings. WANDB_CONFIG_DIR stays as it is: the
    address of the user's server may stand there. W&B reports its own errors to its server, and waits at
    exit for a server that does not answer; so that is off.
    """
    places = {"WANDB_DIR": "", "WANDB_CACHE_DIR": "cache", "WANDB_DATA_DIR": "data"}
    ours = {name: str(folder / place) for name, place in places.items()}
    ours |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
