"""`mmspec report --watch`: a report is made again when its runs or its files change."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from mmspec.errors import Location, MmspecError, Problem, ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.plugins.registry import Registry
from mmspec.records.read import run_folders
from mmspec.report.document import Document
from mmspec.report.reading import Reading, read_definition
from mmspec.report.runs.selection import Selection
from mmspec.report.runs.sources import is_name

#: Seconds between two looks at files, and between two questions to services.
EVERY, ASK_EVERY = 1.0, 60.0
#: Files whose appearance or disappearance changes the state of a run.
_STATE = ("result.json", "failure.json", "lock")

#: Where a file was last written, and how long it is; None where there is none.
_Stamp = tuple[int, int] | None


@attrs.frozen
class Told:
    """What happened: the report as it is now (None: it could not be made), what changed, what is wrong."""

    document: Document | None
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@attrs.define(eq=False)
class Watcher:
    """Looks at a report's runs and files, and makes it again when they change.

    `make(refresh)` makes it; `refresh` asks services again for what is in their cache.
    """

    path: Path
    runs_root: Path
    registry: Registry
    make: Callable[[bool], Document]
    _stamps: Mapping[str, _Stamp] = attrs.field(factory=dict, init=False)
    _reading: Reading | None = attrs.field(default=None, init=False)
    _before: dict[str, str] | None = attrs.field(default=None, init=False)
    _told: tuple[Problem, ...] = attrs.field(default=(), init=False)

    def look(self, *, ask: bool = False) -> Told | None:
        """Make the report if a file has changed; None if there is nothing to tell.

        `ask`: services are asked too, and a report without addresses of any looks at its files alone.
        """
        ask = ask and self.asks_services
        stamps = dict(self._stamp())
        if stamps == self._stamps and not ask:
            return None
        edited = stamps != self._stamps
        self._read()
        self._stamps = dict(self._stamp())
        try:
            document = self.make(ask)
        except (MmspecError, OSError) as error:
            return self._failed(error)
        now = states(document.selection)
        changes = tuple(compared(self._before, now)) if self._before is not None else ()
        worth = edited or bool(changes) or bool(self._told)
        self._before, self._told = now, ()
        return Told(document, changes) if worth else None

    @property
    def asks_services(self) -> bool:
        """Whether some of the runs are behind an address."""
        return self._reading is not None and any("://" in entry for entry in self._reading.definition.runs)

    def _failed(self, error: Exception) -> Told | None:
        """What is wrong, told once; the runs that are there when it can be made are all new then."""
        self._before = self._before or {}
        problems = error.problems if isinstance(error, MmspecError) else (_of_system(error),)
        if problems == self._told:
            return None
        self._told = problems
        return Told(None, problems=problems)

    def _read(self) -> None:
        """Read the definition again, to know which files matter; while it is wrong, those it had before."""
        try:
            self._reading = read_definition(self.path, self.registry)
        except (ReportError, OSError):
            return

    def _stamp(self) -> Iterator[tuple[str, _Stamp]]:
        """When the report's own files, and those that say how its runs are, were last written."""
        yield str(self.path), _stamp(self.path)
        if self._reading is not None:
            for file in _files(self._reading):
                yield str(file), _stamp(file)
        for run in self._run_folders():
            yield from ((f"{run}/{name}", _stamp(run / name)) for name in _STATE)

    def _run_folders(self) -> Iterator[Path]:
        """The run directories that the definition names, whatever state they are in."""
        entries = self._reading.definition.runs if self._reading is not None else ()
        names = [entry for entry in entries if is_name(entry)]
        for run in run_folders(self.runs_root):
            if any(fnmatch.fnmatchcase(run.parent.name, name) for name in names):
                yield run
        for entry in entries:
            if not is_name(entry) and "://" not in entry:
                yield from run_folders(self.path.parent / Path(entry).expanduser())


def _files(reading: Reading) -> Iterator[Path]:
    """The files that a definition is made of, but for runs."""
    yield from (Path(source.file) for source in reading.source.sources)
    definition = reading.definition
    named = [*definition.published, *(name for board in definition.leaderboards for name in board.published)]
    yield from (reading.source.path.parent / name for name in named)


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _of_system(error: Exception) -> Problem:
    where = Location(str(error.filename)) if isinstance(error, OSError) and error.filename else None
    said = (isinstance(error, OSError) and error.strerror) or str(error)
    return Problem(said, where)


# ---------------------------------------------------------------- what has changed


def states(selection: Selection) -> dict[str, str]:
    """The state of each run by a name for it: `enters`, or why it does not."""
    several = len({run.experiment for run in selection.all_runs}) > 1
    found = {_name(run, several=several): "enters" for run in selection.runs}
    for left in selection.left_out:
        found.setdefault(_name(left.run, several=several), left.reason)
    return found


def _name(run: RecordedRun, *, several: bool) -> str:
    named = f"{run.label}, seed {run.seed}"
    return f"{run.experiment}: {named}" if several and run.labels else named


def compared(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What has changed, a line for each run: `+` has come in, `-` has gone, the rest is on its way."""
    for name, state in now.items():
        if state == before.get(name):
            continue
        if state == "enters":
            yield f"+ {name}"
        elif before.get(name) == "enters":
            yield f"- {name}: {state}"
        else:
            yield f"  {name}: {state}"
    yield from (f"- {name}: no longer there" for name in before if name not in now)


# ---------------------------------------------------------------- the loop


def watch(
    watcher: Watcher,
    tell: Callable[[Told], None],
    *,
    every: float = EVERY,
    ask_every: float = ASK_EVERY,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look again and again, and tell what has happened, until interrupted (KeyboardInterrupt)."""
    asked = time.monotonic()
    while True:
        ask = time.monotonic() - asked >= ask_every
        if ask:
            asked = time.monotonic()
        if (told := watcher.look(ask=ask)) is not None:
            tell(told)
        sleep(every)
