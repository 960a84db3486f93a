"""`mmspec runs sync`: upload what trackers have recorded on this machine and could not upload then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmspec.errors import Location, MmspecError, Problem, RecordError
from mmspec.launch.mirror import MirroredRun
from mmspec.plugins.api import Tracker
from mmspec.plugins.registry import default_registry
from mmspec.records import RunDirectory, RunRecord
from mmspec.records.lock import held, owner_of
from mmspec.spec.structure import MisfitError, structure_fields


def sync_runs(runs: Sequence[RunRecord], say: Callable[[str], None]) -> None:
    """Let the trackers of these runs upload; `say` is told a line for each run where something is to be said.

    A run that a process works on is left alone. Two runs in a row that fail alike end it: the server is away.

    Raises:
        RecordError: what could not be uploaded; all else is.
    """
    problems: list[Problem] = []
    sent = 0
    for run in runs:
        if owner_of(run.path / "lock"):  # a finished one, too, may be saying so to its trackers
            say(f"{run.id}: running, left alone")
            continue
        try:
            sent += _sync_run(run, say)
        except MmspecError as error:
            alike = bool(problems) and problems[-1] == error.problems[-1]
            if alike:
                break
            problems += error.problems
    if problems:
        raise RecordError(problems)
    if not sent:
        say("nothing to upload")


def _sync_run(run: RunRecord, say: Callable[[str], None]) -> int:
    """How many trackers of a run had something to upload. The run is ours as long as it lasts."""
    found = {folder: table for folder, table in _tables(run) if folder.is_dir()}
    if not found:
        return 0
    trackers = {folder: _tracker(run, table) for folder, table in found.items()}
    with held(run.path / "lock"):
        if run.status == "finished":
            named = {folder.name: tracker for folder, tracker in trackers.items()}
            MirroredRun(RunDirectory.open(run.path), named).end_late()
        return sum(tracker.sync(folder, say=say) for folder, tracker in trackers.items())


def _tables(run: RunRecord) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The folder and the table of each tracker of a run."""
    for table in run.spec.get("track") or ():
        yield run.path.absolute() / "track" / Path(str(table["use"])).name, table


def _tracker(run: RunRecord, table: Mapping[str, Any]) -> Tracker:
    """The tracker of a run's resolved spec.

    Raises:
        MmspecError: it is not installed, or knows no such options any more.
    """
    cls = default_registry().find("tracker", str(table["use"])).load()
    try:
        made = structure_fields(cls, {key: value for key, value in table.items() if key != "use"})
    except MisfitError as error:
        where = Location(str(run.path / "spec.json"))
        raise RecordError([Problem(f"track: {misfit.what}", where) for misfit in error.misfits]) from None
    assert isinstance(made, Tracker)
    return made
