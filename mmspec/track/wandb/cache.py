"""What W&B's service said of runs, kept on disk: a finished run never changes.

One file of JSON for each project holds the runs, and for each filter that was asked for the ids it gave;
histories have files of their own. A file that is damaged, or of another version, is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from mmspec.system import write_whole
from mmspec.track.wandb.address import Address

VERSION = 1


@attrs.frozen
class Kept:
    """A run in the cache: `config` and `summary` as far as reports read them; both empty if not mmspec's.

    `mark` changes when the run goes on; `asked` is when the service was asked. Nothing more can come of a run
    that `is_final`: it has its result, or is not mmspec's.
    """

    mark: str
    asked: str
    url: str
    is_running: bool
    is_final: bool
    config: Mapping[str, Any]
    summary: Mapping[str, Any]


@attrs.define
class Cache:
    """What is kept of one project on one server."""

    folder: Path
    runs: dict[str, Kept]
    lists: dict[str, tuple[str, list[str]]]

    @classmethod
    def open(cls, base: Path, server: str, address: Address) -> Cache:
        """The cache of a project, empty if there is none that can be read."""
        name = f"{server}/{address.entity}/{address.project}"
        folder = base / hashlib.sha256(name.encode()).hexdigest()[:16]
        try:
            content = json.loads((folder / "runs.json").read_bytes())
            if content["version"] != VERSION or content["project"] != name:
                raise ValueError("another version, or project")
            runs = {str(key): Kept(**entry) for key, entry in content["runs"].items()}
            lists = {
                str(key): (str(when), [str(i) for i in ids]) for key, (when, ids) in content["lists"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            runs, lists = {}, {}
        return cls(folder, runs, lists)

    def save(self, server: str, address: Address) -> None:
        """Write it whole; a cache that cannot be written costs time alone."""
        name = f"{server}/{address.entity}/{address.project}"
        runs = {key: attrs.asdict(entry, recurse=False) for key, entry in self.runs.items()}
        content = {"version": VERSION, "project": name, "runs": runs, "lists": self.lists}
        self._write("runs.json", content)

    def listed(self, query: Mapping[str, Any]) -> tuple[str, list[str]] | None:
        """When this was asked for last, and the ids of the runs that it gave."""
        return self.lists.get(key_of(query))

    def note(self, query: Mapping[str, Any], ids: Sequence[str]) -> None:
        """Keep what a filter gave just now."""
        self.lists[key_of(query)] = (now(), list(ids))

    def history(self, run: str, mark: str) -> list[dict[str, Any]] | None:
        """A run's history, if it is kept and was the same run then."""
        try:
            content = json.loads(self._place(run).read_bytes())
            rows: list[dict[str, Any]] = content["rows"]
            if content["version"] != VERSION or content["mark"] != mark or content["run"] != run:
                return None
            return [dict(row) for row in rows]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep_history(self, run: str, mark: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the history of a run that is done."""
        content = {"version": VERSION, "run": run, "mark": mark, "rows": rows}
        self._write(self._place(run).name, content)

    def _place(self, run: str) -> Path:
        return self.folder / f"history-{hashlib.sha256(run.encode()).hexdigest()[:24]}.json"

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / name, json.dumps(content).encode(), durable=False)


def key_of(query: Mapping[str, Any]) -> str:
    """A filter as a key."""
    return json.dumps(query, sort_keys=True)


def now() -> str:
    """The time in UTC, for a reader."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
