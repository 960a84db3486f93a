"""Runs in trackio's projects on this machine, as sources of reports: `trackio://project?folder=PATH`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from mmspec.errors import Problem, RecordError
from mmspec.plugins.api import RecordedRun, RunSource
from mmspec.spec.words import suggestion
from mmspec.track.columns import EPOCH
from mmspec.track.layout import RUN_KEY, STATUS_KEY
from mmspec.track.optional import install, missing_package
from mmspec.track.tracked_run import make_run
from mmspec.track.trackio.store import open_store

FORM = "trackio://project, and ?folder=PATH where trackio's projects are not in its own place"
#: A run that has not ended, and logged nothing within these seconds, is not at work any more.
LIVELY = 300.0


@attrs.frozen(kw_only=True)
class TrackioSource(RunSource):
    """Runs in a trackio project on this machine: `trackio://project`, read without starting trackio."""

    filters: ClassVar[Collection[str]] = ("folder",)
    is_local: ClassVar[bool] = True

    def check_address(self, address: str) -> None:
        """Refuse an address without a project."""
        _parse(address)

    def read(
        self, address: str, *, beside: Path, cache: Path, refresh: bool, say: Callable[[str], None]
    ) -> Sequence[RecordedRun]:
        """The runs of the project that mmspec's tracker recorded."""
        del cache, refresh
        project, folder = _parse(address)
        if missing_package("trackio", "trackio"):
            raise RecordError("the package trackio is not installed", hint=install("trackio"))
        store = None if folder is None else beside / folder.expanduser()
        try:
            configs, ages = _read(project, store)
        except (sqlite3.Error, OSError, ValueError) as error:
            raise RecordError(Problem(f"trackio's project {project} cannot be read: {error}")) from None
        runs: list[RecordedRun] = []
        strangers = 0
        for run_id, config in configs.items():
            summary = _summary(config)
            at_work = summary.get(STATUS_KEY) == "running" and ages.get(run_id, LIVELY) < LIVELY
            try:
                run = make_run(
                    config,
                    summary,
                    running=at_work,
                    address=f"trackio://{project}/{run_id}",
                    history=partial(_history, project, run_id, store),
                )
            except RecordError as error:
                say("; ".join(map(str, error.problems)))
                continue
            runs += [run] if run else []
            strangers += run is None
        if strangers:
            say(f"trackio://{project}: passed over {strangers} runs that mmspec did not record")
        return runs


def _parse(address: str) -> tuple[str, Path | None]:
    """The project and the folder in an address.

    Raises:
        RecordError: it has another form.
    """
    parts = urlsplit(address)
    said = parse_qs(parts.query, keep_blank_values=True)
    project = unquote(parts.netloc)
    folder = said.get("folder", [None])
    if not project or parts.path.strip("/") or parts.fragment or len(folder) != 1 or folder[0] == "":
        raise RecordError(Problem(f"trackio:{address} is no address of a trackio project", hint=FORM))
    return project, None if folder[0] is None else Path(folder[0])


def _read(project: str, store: Path | None) -> tuple[Mapping[str, Any], Mapping[str, float]]:
    """Of each run its config, and how many seconds ago it logged its last row."""
    with open_store(store) as storage:
        if not storage.get_project_db_path(project).exists():
            place = storage.get_project_db_path(project).parent
            there = storage.get_projects()
            hint = suggestion(project, there, of="projects") if there else f"there are none in {place}"
            raise RecordError(Problem(f"trackio has no project {project} in {place}", hint=hint))
        configs: Mapping[str, Any] = storage.get_all_run_configs(project)
        last = "SELECT run_id, MAX(timestamp) AS time FROM metrics GROUP BY run_id"
        rows = storage.query_project(project, last)["rows"]
    now = time.time()
    return configs, {row["run_id"]: now - datetime.fromisoformat(row["time"]).timestamp() for row in rows}


def _summary(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the run ended: what W&B has in a summary stands beside the run's identity."""
    ours = config.get(RUN_KEY)
    return ours if isinstance(ours, Mapping) else {}


def _history(project: str, run_id: str, store: Path | None) -> list[tuple[int, Mapping[str, Any]]]:
    """The rows of a run by step; the final metrics, which are not of an epoch, are none."""
    with open_store(store) as storage:
        logged = storage.get_logs(project, run_id=run_id)
    return sorted(((row["step"], row) for row in logged if EPOCH in row), key=lambda each: each[0])
