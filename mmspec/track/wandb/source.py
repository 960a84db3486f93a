"""Runs in W&B as sources of reports: `wandb://entity/project?filters`.

What is asked for: the list of runs each time, without their config and summary; these only of runs that are
new, have gone on since, or are not finished. So the first reading of a project takes one request for every
200 runs, and later ones hardly more than that, of little data. Histories are asked for when rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs

from mmspec.errors import RecordError
from mmspec.plugins.api import RecordedRun, RunSource
from mmspec.track.layout import RESULT_KEY, RUN_KEY, STATUS_KEY, from_summary
from mmspec.track.tracked_run import History, make_run, passed_over
from mmspec.track.wandb.address import FILTERS, Address, parse_address
from mmspec.track.wandb.cache import Cache, Kept, now
from mmspec.track.wandb.service import AwayError, Service, server_address

#: W&B's states of runs that may still go on by themselves.
_GOING = frozenset({"running", "pending", "preempting"})


@attrs.frozen(kw_only=True)
class WandbRuns(RunSource):
    """Runs in Weights & Biases: `wandb://entity/project`, with filters behind a question mark."""

    filters: ClassVar[tuple[str, ...]] = tuple(FILTERS)

    def check_address(self, address: str) -> None:
        """Refuse an address of another form, and wrong filters."""
        parse_address(address)

    def read(
        self, address: str, *, beside: Path, cache: Path, refresh: bool, say: Callable[[str], None]
    ) -> Sequence[RecordedRun]:
        """The runs that mmspec recorded in the project and that fit the filters."""
        del beside
        return _Reading(parse_address(address), cache, say).runs(refresh=refresh)


class _Reading:
    """One reading of an address."""

    def __init__(self, address: Address, folder: Path, say: Callable[[str], None]) -> None:
        self._address = address
        self._say = say
        self._folder = folder
        self._server = server_address(folder)
        self._cache = Cache.open(folder, self._server, address)
        self._service: Service | None = None
        self._handles: dict[str, Any] = {}

    def runs(self, *, refresh: bool) -> list[RecordedRun]:
        try:
            ids = self._ask(refresh=refresh)
        except AwayError as error:
            ids = self._remembered(error, refresh=refresh)
        runs: list[RecordedRun] = []
        strangers = 0
        for name in ids:
            run = self._run(name)
            runs += [run] if run else []
            strangers += run is None
        if strangers:
            self._say(passed_over(self._address, strangers))
        return runs

    def _ask(self, *, refresh: bool) -> list[str]:
        """Ask the service what there is, and for what is not in the cache as it is there."""
        whole = refresh or not self._cache.runs
        self._service = Service(self._address, self._folder)
        listed, count = self._service.runs(self._address.query, whole=whole)
        self._handles = {run.id: run for run in listed}
        if len(listed) < count:
            self._say(
                f"{self._address}: W&B counts {count} runs and lists {len(listed)}; --refresh asks again"
            )
        kept = {} if refresh else self._cache.runs
        new = [
            run.id
            for run in listed
            if run.id not in kept or not kept[run.id].is_final or kept[run.id].mark != _mark(run)
        ]
        for run in listed if whole else self._service.whole(new):
            self._cache.runs[run.id] = _kept(run)
        ids = list(self._handles)
        self._cache.note(self._address.query, ids)
        self._cache.save(self._server, self._address)
        self._tell_age([self._cache.runs[name] for name in set(ids) - set(new)])
        return ids

    def _remembered(self, error: AwayError, *, refresh: bool) -> list[str]:
        """What the service said last; its error if that is not wanted, or it has said nothing yet."""
        last = self._cache.listed(self._address.query)
        if refresh or last is None or any(name not in self._cache.runs for name in last[1]):
            raise error
        self._service = None  # it is not asked for histories either
        when, ids = last
        said = error.problems[0].what
        self._say(f"{self._address}: {said}; its runs are as they were on {when}, from the cache")
        return ids

    def _tell_age(self, kept: Sequence[Kept]) -> None:
        if kept := [entry for entry in kept if entry.config]:
            since = min(entry.asked for entry in kept)
            runs = "1 finished run is" if len(kept) == 1 else f"{len(kept)} finished runs are"
            self._say(
                f"{self._address}: {runs} from the cache, asked for since {since}; --refresh asks again"
            )

    def _run(self, name: str) -> RecordedRun | None:
        kept = self._cache.runs[name]
        try:
            return make_run(
                kept.config,
                kept.summary,
                running=kept.is_running,
                address=kept.url,
                history=lambda: self._history(name, kept),
            )
        except RecordError as error:
            self._say("; ".join(map(str, error.problems)))
            return None

    def _history(self, name: str, kept: Kept) -> History:
        """The rows of a run by step; the service merges what was logged at one step, we do it again."""
        rows = self._cache.history(name, kept.mark) if kept.is_final else None
        if rows is None:
            if self._service is None:
                raise AwayError(f"the history of {kept.url} is not in the cache, and W&B gives no answer")
            handle = self._handles[name]
            rows = self._service.history(handle)
            if kept.is_final and len(rows) >= (getattr(handle, "history_line_count", None) or 0):
                self._cache.keep_history(name, kept.mark, rows)
        steps: dict[int, dict[str, Any]] = {}
        for row in rows:
            if isinstance(row.get("_step"), int):
                steps.setdefault(row["_step"], {}).update(row)
        return sorted(steps.items())


def _mark(run: Any) -> str:
    """What changes when a run goes on: its state, its last sign of life, and how much it has logged."""
    parts = (run.state, getattr(run, "heartbeat_at", ""), getattr(run, "history_line_count", ""))
    return " ".join(map(str, parts))


def _kept(run: Any) -> Kept:
    """What the cache keeps of a run of the client."""
    config, summary = _only(run.config, (RUN_KEY,)), _only(run.summary_metrics, (STATUS_KEY, RESULT_KEY))
    is_running = run.state in _GOING
    has_result = from_summary(summary, running=is_running)[0] == "finished"
    return Kept(
        mark=_mark(run),
        asked=now(),
        url=str(run.url),
        is_running=is_running,
        is_final=not is_running and (has_result or not config),
        config=config,
        summary=summary,
    )


def _only(table: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: table[name] for name in names if name in table} if isinstance(table, Mapping) else {}
