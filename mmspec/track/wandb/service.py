"""Asking W&B's service for runs, by the public API of the `wandb` package, with a bound on every wait.

Runs are asked for by pages, never one by one; `wandb.Api` would else ask again for each run whose config is
read. Everything that can go wrong is a `RecordError`; an `AwayError` if asking later may help.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmspec.errors import Problem, RecordError
from mmspec.plugins.api import cache_folder
from mmspec.track.guard import reason
from mmspec.track.wandb.address import Address
from mmspec.track.wandb.reach import answers, credentials

#: Runs in one request: W&B's service gives no more than some hundreds.
PER_PAGE = 200
#: Seconds: to connect, to wait for one answer, and between attempts; and how often an attempt is repeated.
PROBE_TIMEOUT, TIMEOUT, PAUSE, RETRIES = 2.0, 30, 1.0, 4
#: Rows of a history in one request, where it is asked for by pages.
_ROWS = 10_000
_AWAY = (
    "giving up after",
    "unexpected EOF",
    "did not respond in time",
    "context deadline exceeded",
    "connection refused",
)


class AwayError(RecordError):
    """The service cannot be reached, or cannot answer now."""


def server_address(folder: Path | None = None) -> str:
    """The W&B server that this user's settings name; what the client writes goes below `folder`."""
    with _environment(folder or cache_folder("wandb")):
        import wandb

        return str(wandb.setup().settings.base_url)


class Service:
    """A project in W&B's service; what the client writes on this machine goes below `folder`."""

    def __init__(self, address: Address, folder: Path) -> None:
        self._address = address
        self._folder = folder
        with self._asking():
            self._api = self._log_in()

    def runs(self, query: Mapping[str, Any], *, whole: bool) -> tuple[list[Any], int]:
        """The runs that fit, each once, and how many the service counts; a request for each `PER_PAGE`.

        Unless they are `whole`, they have neither config nor summary.
        """
        with self._asking():
            found = self._api.runs(
                f"{self._address.entity}/{self._address.project}",
                filters=dict(query),
                order="+created_at",
                per_page=PER_PAGE,
                lazy=not whole,
            )
            # pages overlap when runs are begun or deleted between two requests
            unique = {str(run.id): run for run in found}
            return list(unique.values()), len(found)

    def whole(self, names: Sequence[str]) -> list[Any]:
        """The runs with these ids, with config and summary."""
        parts = [names[at : at + PER_PAGE] for at in range(0, len(names), PER_PAGE)]
        return [run for part in parts for run in self.runs({"name": {"$in": list(part)}}, whole=True)[0]]

    def history(self, run: Any) -> list[dict[str, Any]]:
        """All rows of a run's history: one request; three and more if the service gives only some of them."""
        count = getattr(run, "history_line_count", None)
        if count == 0:
            return []
        with self._asking():
            rows = run.history(samples=count, pandas=False) if count else []
            if not count or len(rows) < count:
                rows = list(
                    run.scan_history(page_size=_ROWS)
                )  # no keys: rows that lack one would be left out
            return [dict(row) for row in rows]

    def standing(self, run_id: str) -> tuple[int, Mapping[str, Any]]:
        """The last step of a run's history, and its summary, as they are now; -1 and nothing without it."""
        names = (self._address.entity, self._address.project, run_id)
        with self._asking():
            self._api.flush()  # it keeps what it was told
            try:
                run = self._api.run("/".join(name for name in names if name))
            except Exception as error:
                if "Could not find run" in str(error):
                    return -1, {}
                raise
            return int(run.lastHistoryStep), dict(run.summary)

    def _log_in(self) -> Any:
        import wandb

        settings = wandb.setup().settings
        server = settings.base_url
        key = credentials(server, settings)
        if key is None:
            hint = "`wandb login` stores one; or set WANDB_API_KEY"
            raise RecordError(f"no API key for {server}", hint=hint)
        if not answers(server, PROBE_TIMEOUT):
            raise AwayError(f"no connection to {server}")
        with few_retries(settings):
            chosen = {"entity": self._address.entity, "project": self._address.project}
            return wandb.Api(overrides=chosen, timeout=TIMEOUT, api_key=key.get("api_key"))

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """As long as this lasts, W&B prints nothing and writes below our folder; its errors become ours."""
        with _environment(self._folder):
            try:
                yield
            except RecordError:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the client raises all sorts of them
                raise _translated(error, self._address) from None


def _translated(error: BaseException, address: Address) -> RecordError:
    """An error of the client in our words."""
    said = reason(error)
    status = getattr(getattr(error, "response", None), "http_status", 0) or 0
    if status == 429 or status >= 500 or any(sign in said for sign in _AWAY):
        hint = "try again later; what is in the cache is used unless --refresh is given"
        return AwayError(Problem(f"W&B gives no answer about {address}: {said}", hint=hint))
    if "Could not find project" in said:
        hint = "is it spelt like this in W&B, and may the owner of the API key see it?"
        return RecordError(Problem(f"W&B knows no {address}", hint=hint))
    return RecordError(Problem(f"W&B's answer about {address} cannot be used: {said}"))


@contextlib.contextmanager
def few_retries(settings: Any) -> Iterator[None]:
    """Let whoever takes over these settings meanwhile try again a few times only; 20 times is the default."""
    wanted = {
        "x_graphql_retry_max": RETRIES,
        "x_graphql_retry_wait_min_seconds": PAUSE,
        "x_graphql_retry_wait_max_seconds": 8 * PAUSE,
        "x_graphql_timeout_seconds": float(TIMEOUT),
    }
    known = {name: value for name, value in wanted.items() if name in type(settings).model_fields}
    before = {name: getattr(settings, name) for name in known}
    try:
        for name, value in known.items():
            setattr(settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Let W&B print nothing, tell its makers nothing, and write below `folder`, as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="mmspec-wandb-") as scratch:  # it makes a folder for every run
        ours = {
            "WANDB_DIR": scratch,
            "WANDB_CACHE_DIR": str(folder / "client"),
            "WANDB_DATA_DIR": str(folder / "client"),
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
        }
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
