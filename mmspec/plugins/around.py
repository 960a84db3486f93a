"""Plugins around a run: where it executes, what mirrors it, where it is found again, and how it is drawn.

They stand in `mmspec.plugins.api` like all others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mmspec.plugins.base import Plugin
from mmspec.plugins.recorded import RecordedRun, RunInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The runs of a report by the label of their row.
Groups = Mapping[str, Sequence[RecordedRun]]

#: Files of a finished run that a tracker may keep: the selected checkpoint, and what reports read of a run.
Kept = Literal["best", "report"]

#: For each label of a report: keyword arguments of matplotlib's `plot`.
Looks = Mapping[str, Mapping[str, Any]]


class TrackerSession(ABC):
    """One run as seen by one tracker. No method may raise or block for more than seconds."""

    @abstractmethod
    def log(self, values: Mapping[str, float], step: int) -> None:
        """One row of metrics at a global step; steps never go backwards."""

    @abstractmethod
    def finish(
        self, status: Literal["finished", "failed", "interrupted"], values: Mapping[str, float]
    ) -> None:
        """The end: final metrics by name."""

    def result(self, result: Mapping[str, Any]) -> None:  # noqa: B027 - as below
        """The whole result of a run that has finished (its result.json), before `artifact` and `finish`."""

    def artifact(self, name: Kept, files: Mapping[str, Path]) -> None:  # noqa: B027 - as below
        """Files to keep with the run, by the names they get there; only what the tracker `keeps`."""

    def picture(self, name: str, svg: str) -> None:  # noqa: B027 - a tracker may have no use for it
        """A picture, as SVG text (the training graph)."""


class Tracker(Plugin):
    """Mirrors the records of runs to a service."""

    kind = "tracker"

    @abstractmethod
    def start(self, run: RunInfo, *, folder: Path, say: Callable[[str], None]) -> TrackerSession:
        """Begin a run, or go on with one. `folder` is the tracker's own; `say` tells the user a line."""

    def keeps(self) -> Collection[Kept]:
        """Which files of a finished run it wants: the selected checkpoint, what a report reads of it."""
        return ()

    def sync(self, folder: Path, *, say: Callable[[str], None]) -> bool:
        """Upload what was recorded under `folder` and could not be then; whether there was anything.

        What is there already does not go up again; one that was cut off goes on.

        Raises:
            RecordError: it cannot be uploaded now; nothing is lost.
        """
        del folder, say
        return False


class RunSource(Plugin):
    """Where reports find runs besides run directories; its name is the scheme of its addresses.

    Of an address's query (`?key=value&…`) the source sees the keys that `filters` names; all others are
    labels of runs or keys of their specs, which whoever reads the runs compares.
    """

    kind = "source"

    filters: ClassVar[Collection[str]] = ()
    #: Whether the runs lie on this machine: of copies of one run, those count before a service's.
    is_local: ClassVar[bool] = False

    def check_address(self, address: str) -> None:
        """Refuse an address that can never be right, without asking anybody.

        Raises:
            RecordError: saying what is wrong, and how to write it.
        """

    @abstractmethod
    def read(
        self, address: str, *, beside: Path, cache: Path, refresh: bool, say: Callable[[str], None]
    ) -> Sequence[RecordedRun]:
        """The runs at `address`: what follows `scheme:` in the `runs` of a report.

        A path in it is as seen from the folder `beside`. What was asked for is kept in the folder `cache`,
        and taken from there unless `refresh` says not to. `say` puts a sentence under the report: what was
        passed over, or how old it is.

        Raises:
            RecordError: the address is wrong, or the service does not answer.
        """


class Launcher(Plugin):
    """Where runs execute: each is one idempotent process, `command + [folder of the run]`."""

    kind = "launcher"

    @abstractmethod
    def launch(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        jobs: int,
        changed: Callable[[str, Literal["started", "retried", "finished", "failed", "interrupted"]], None],
    ) -> Mapping[str, int]:
        """Run these commands, by run id, `jobs` at a time; the exit status of each. `changed` is told."""


class Figure(Plugin):
    """A picture in a report, drawn by matplotlib, which is to be imported inside `draw`."""

    kind = "figure"

    def size(self, groups: Groups) -> tuple[float, float]:
        """Width and height in inches, as printed."""
        del groups
        return 5.5, 3.0

    @property
    def panels_by(self) -> str | None:
        """A label of the runs, or `experiment`, whose values `draw` keeps apart; None if it keeps none apart.

        A row whose runs differ in anything else is refused: it would be averaged over.
        """
        return None

    @abstractmethod
    def draw(self, groups: Groups, axes: Axes, looks: Looks) -> Iterable[str]:
        """Draw on `axes`; return remarks for the reader, such as what could not be drawn.

        `groups` are the runs by the label of their row, in the report's order; a group may be empty.
        `looks` gives each label its color, linestyle and marker: the same in all figures of a report.
        Labels are other people's words: pass `parse_math=False` with each.
        """
