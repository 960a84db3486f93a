"""The trackio tracker: runs in trackio's dashboard, on this machine, without an account.

Rows go into trackio's database through a thread, so that a run never waits for another one's writing. Each
row has an id made of the run, its step and its columns: what a resumed run logs again is there already.
trackio has no summary and no states, so these stand in the config, beside spec, identity and provenance (see
`mmspec.track.layout`); the final metrics are a row of their own as well, `final/…`, which the dashboard
compares.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import Problem
from mmspec.plugins.api import RunInfo, Tracker, TrackerSession, option
from mmspec.track.columns import total_steps
from mmspec.track.guard import GuardedSession, NoSession, reason
from mmspec.track.layout import RUN_KEY, Ended, to_config, to_summary
from mmspec.track.optional import install, missing_package
from mmspec.track.trackio.store import check_name, is_safe, open_store, place

#: Seconds: between two writings, and the longest wait for the last one.
INTERVAL, FINISH_TIMEOUT = 0.5, 15.0
#: How often in a row writing may fail: other runs may hold the database for long.
ATTEMPTS = 5
#: What the names of the final metrics begin with in trackio.
FINAL = "final/"


@attrs.frozen(kw_only=True)
class TrackioTracker(Tracker):
    """trackio: curves and tables in the browser by `trackio show`, on this machine, without an account."""

    project: str | None = option("the project in trackio; absent: the experiment's name", default=None)
    folder: str | None = option(
        "where trackio keeps its projects; absent: TRACKIO_DIR, or trackio's own place in your home",
        default=None,
    )

    def check(self) -> Sequence[Problem]:
        """Whether trackio is installed."""
        return missing_package("trackio", "trackio")

    def start(self, run: RunInfo, *, folder: Path, say: Callable[[str], None]) -> TrackerSession:
        """Begin the run in trackio, or go on with it: the same id is the same run there."""
        del folder
        if self.check():
            say(f"trackio: not installed, this run is not mirrored; {install('trackio')}")
            return NoSession()
        own = Path(self.folder).expanduser().absolute() if self.folder else None
        try:
            store = place(own)
            store.mkdir(parents=True, exist_ok=True)
            if not os.access(store, os.W_OK):
                raise PermissionError(f"{store} cannot be written")
            if not is_safe(store):
                raise OSError(f"{store} is on a network's file system; set `folder` to a local disk")
            project = self.project or run.experiment
            check_name(project)
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            say(f"trackio: this run is not mirrored: {reason(error)}")
            return NoSession()
        where = f"TRACKIO_DIR={shlex.quote(str(own))} " if own else ""
        say(f"trackio: look at this run with: {where}trackio show --project {shlex.quote(project)}")
        return TrackioSession(run, project, store, say)


@attrs.frozen
class _Row:
    """A row on its way into the database."""

    values: Mapping[str, float]
    step: int
    id: str
    time: str = attrs.field(factory=lambda: datetime.now(UTC).isoformat())


class TrackioSession(GuardedSession):
    """One run in trackio."""

    def __init__(self, run: RunInfo, project: str, store: Path, say: Callable[[str], None]) -> None:
        super().__init__("trackio", say)
        self._run, self._project, self._store = run, project, store
        self._config = _config(run)
        self._rows: queue.SimpleQueue[_Row] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._result: Mapping[str, Any] | None = None
        self._step = self._steps = 0
        self._thread = threading.Thread(target=self._write_all, name="trackio", daemon=True)
        self._thread.start()

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Put a row on its way; rows of an earlier step are passed over."""
        if step >= self._step:
            self._try(lambda: self._put({name: float(value) for name, value in values.items()}, step))

    def result(self, result: Mapping[str, Any]) -> None:
        """Keep what came out, to be written with the end."""
        self._result = result
        self._steps = total_steps(result)

    def finish(self, status: Ended, values: Mapping[str, float]) -> None:
        """Write what is left, how the run ended, and the final metrics."""

        def end() -> None:
            self._config[RUN_KEY] |= to_summary(status, {}, self._result)
            final = {FINAL + name: float(value) for name, value in values.items()}
            self._put(final, max(self._step, self._steps))
            self._ending.set()
            self._thread.join(FINISH_TIMEOUT)
            if self._thread.is_alive():
                raise TimeoutError(f"its database is in use since {FINISH_TIMEOUT:.0f} s")
            self._check()

        self._end(end)

    def _put(self, values: Mapping[str, float], step: int) -> None:
        """Put a row on its way, unless writing has failed."""
        self._check()
        self._step = step
        self._rows.put(self._row(values, step))

    def _check(self) -> None:
        """Raise what the thread failed with, if it has."""
        if self._failure is not None:
            raise self._failure

    def _stop(self, error: Exception) -> None:
        del error
        self._ending.set()  # the thread, if it still works, writes what it has and ends

    def _row(self, values: Mapping[str, float], step: int) -> _Row:
        """A row with its id, which is the same when a resumed run logs it again."""
        named = "\n".join([self._run.run_id, str(step), *sorted(values)])
        return _Row(values, step, hashlib.sha256(named.encode()).hexdigest()[:32])

    def _write_all(self) -> None:
        """Write what comes, twice a second, until the end; in a thread of its own."""
        rows: list[_Row] = []
        failures = 0
        ending = False
        while not ending:
            ending = self._ending.wait(INTERVAL)
            with contextlib.suppress(queue.Empty):
                while True:
                    rows.append(self._rows.get_nowait())
            try:
                self._write(rows)
                rows, failures = [], 0
            except Exception as error:  # noqa: BLE001 - said by the run's own thread
                failures += 1
                if ending or failures == ATTEMPTS:
                    self._failure = error
                    return

    def _write(self, rows: Sequence[_Row]) -> None:
        if not rows:
            return
        with open_store(self._store) as storage:
            storage.bulk_log(
                self._project,
                self._run.run_id,
                [row.values for row in rows],
                steps=[row.step for row in rows],
                timestamps=[row.time for row in rows],
                log_ids=[row.id for row in rows],
                config=self._config,
                run_id=self._run.run_id,
            )


def _config(run: RunInfo) -> dict[str, Any]:
    """The run's config, with the keys by which the dashboard sorts and groups."""
    group = f"{run.experiment}/{run.label}" if run.label else run.experiment
    config = to_config(run)
    config[RUN_KEY] |= to_summary("running", {})
    created = run.provenance.get("created") or datetime.now(UTC).isoformat()
    return {**config, "_Group": group, "_Created": created}
