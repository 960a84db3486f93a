"""Leaderboards: for each data set, methods ranked on one number, ours beside published ones.

A rank is a place among entries that measure the same: one data set, one metric, one unit. Published entries
stand on a board only where the definition matches them with it; all others are listed apart, or named.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from functools import cached_property

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import Leaderboard, shown
from mmspec.report.grid import Grid
from mmspec.report.leaderboards import as_grid
from mmspec.report.leaderboards.checks import matched
from mmspec.report.leaderboards.listing import Listing
from mmspec.report.runs.groups import Groups, check_names
from mmspec.report.runs.selection import Selection, matches, said
from mmspec.report.tables.statistics import summarise
from mmspec.report.tables.table import Cell, count_stale
from mmspec.report.text import Sentence


@attrs.frozen
class Entry:
    """A method on a board: ours, with its runs in `cell`, or published, with its `listing`.

    `score` is the number that is compared: in the board's unit, rounded to its digits; None for what is not
    finite. `rank` is 1 for the best; entries of equal score share one.
    """

    label: str
    score: Decimal | None
    cell: Cell | None = None
    listing: Listing | None = None
    rank: int | None = None


@attrs.frozen(slots=False)
class Board:
    """One board: `name` is its data set, or whatever the definition parts boards by, as a reader sees it.

    `lacking` are those of our methods whose runs do not hold the value; they stand in a note.
    """

    wanted: Leaderboard
    name: str
    entries: tuple[Entry, ...]
    lacking: tuple[Entry, ...] = ()
    notes: Sequence[Sentence] = ()

    @property
    def title(self) -> str:
        """The caption."""
        return f"{self.wanted.title}: {self.name}" if self.name else self.wanted.title

    @property
    def groups(self) -> Groups:
        """The runs of each of our methods."""
        return {
            entry.label: (*(run for run, _ in entry.cell.taken), *entry.cell.without)
            for entry in (*self.entries, *self.lacking)
            if entry.cell
        }

    @cached_property
    def grid(self) -> Grid:
        """What the formats show."""
        return as_grid.board_grid(self)


@attrs.frozen(slots=False)
class Elsewhere:
    """Published entries on data sets of which we have no board: listed, and never ranked."""

    wanted: Leaderboard
    listings: tuple[Listing, ...]
    notes: Sequence[Sentence] = ()

    @property
    def title(self) -> str:
        """The caption."""
        return f"{self.wanted.title}: published on other data sets"

    @cached_property
    def grid(self) -> Grid:
        """What the formats show."""
        return as_grid.elsewhere_grid(self)


def build_boards(
    wanted: Leaderboard, listings: Sequence[Listing], selection: Selection, stale: Collection[str] = ()
) -> list[Board | Elsewhere]:
    """The boards that `wanted` asks for, by name, and where it asks for them the entries on none of them.

    `stale` are addresses of runs.

    Raises:
        ReportError: it names a label or a key that no run has.
    """
    names = [wanted.across, *wanted.where] + [wanted.by] * (wanted.by != "variant")
    check_names(names, selection)
    boards = [
        _board(wanted, name, _ours(wanted, runs, stale), listings)
        for name, runs in _runs_by_board(wanted, selection).items()
    ]
    boards = boards or [Board(wanted, "", ())]
    rest = left_over(wanted, listings)
    noted: list[Board | Elsewhere] = [
        attrs.evolve(board, notes=as_grid.board_notes(board, selection)) for board in boards
    ]
    if rest and wanted.elsewhere:
        noted.append(Elsewhere(wanted, rest, as_grid.elsewhere_notes(rest)))
    elif rest:
        last = noted[-1]
        noted[-1] = attrs.evolve(last, notes=[*last.notes, *as_grid.unmatched_notes(rest)])
    return noted


def left_over(wanted: Leaderboard, listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """The published entries that no match means, those of one file and data set together."""
    meant = [entry for match in wanted.match for entry in matched(match, wanted.value, listings)]
    datasets = list(dict.fromkeys((entry.file, entry.dataset) for entry in listings))
    rest = [entry for entry in listings if entry not in meant]
    return tuple(sorted(rest, key=lambda entry: datasets.index((entry.file, entry.dataset))))


def _runs_by_board(wanted: Leaderboard, selection: Selection) -> dict[str, list[RecordedRun]]:
    """The runs of each board; a board that published entries are matched with may have none."""
    found: dict[str, list[RecordedRun]] = {match.ours: [] for match in wanted.match}
    for run in selection.runs:
        value = said(run, wanted.across) if matches(run, wanted.where) else None
        if value is not None:
            found.setdefault(shown(value), []).append(run)
    return dict(sorted(found.items()))


def _board(wanted: Leaderboard, name: str, ours: Sequence[Entry], listings: Sequence[Listing]) -> Board:
    theirs = [
        _published(wanted, attrs.evolve(entry, unit=match.unit or entry.unit))
        for match in wanted.match
        if match.ours == name
        for entry in matched(match, wanted.value, listings)
    ]
    methods = [entry.label for entry in theirs]
    theirs = [
        attrs.evolve(entry, label=f"{entry.label} ({entry.listing.dataset})")
        if entry.listing and methods.count(entry.label) > 1
        else entry
        for entry in theirs
    ]
    entries = [entry for entry in ours if entry.cell and entry.cell.taken]
    lacking = tuple(entry for entry in ours if entry.cell and not entry.cell.taken)
    return Board(wanted, wanted.labels.get(name, name), _ranked(wanted, [*entries, *theirs]), lacking)


# ---------------------------------------------------------------- entries


def _ours(wanted: Leaderboard, runs: Iterable[RecordedRun], stale: Collection[str]) -> list[Entry]:
    """An entry for each setting: runs of one experiment and the same labels."""
    settings: dict[tuple[str, str], list[RecordedRun]] = defaultdict(list)
    for run in runs:
        settings[run.experiment, str(sorted(run.labels.items(), key=str))].append(run)
    labels = _labels(wanted, [alike[0] for alike in settings.values()])
    cells = [_cell(wanted, sorted(alike, key=lambda run: run.seed), stale) for alike in settings.values()]
    return [Entry(label, _score(wanted, cell), cell) for label, cell in zip(labels, cells, strict=True)]


def _score(wanted: Leaderboard, cell: Cell) -> Decimal | None:
    if cell.summary.mean is None or cell.summary.dropped:
        return None
    return _rounded(_scaled(Decimal(repr(cell.summary.mean)), wanted, "number"), wanted)


def _cell(wanted: Leaderboard, runs: Sequence[RecordedRun], stale: Collection[str]) -> Cell:
    values = {run.address: run.values.get(wanted.value) for run in runs}
    taken = tuple((run, float(value)) for run in runs if (value := values[run.address]) is not None)
    without = tuple(run for run in runs if values[run.address] is None)
    summary = summarise([value for _, value in taken])
    counted = count_stale(taken, stale)
    return Cell(wanted.column, taken, without, summary, seeds_expected=summary.n, stale=counted)


def _labels(wanted: Leaderboard, settings: Sequence[RecordedRun]) -> list[str]:
    """What a reader calls each setting; those of one name say in what they differ."""
    names = []
    for run in settings:
        value = said(run, wanted.by)
        name = run.label if value is None else shown(value)
        names.append(wanted.labels.get(name, name))
    return [
        name if names.count(name) == 1 else _told_apart(name, run, _namesakes(name, names, settings))
        for name, run in zip(names, settings, strict=True)
    ]


def _namesakes(name: str, names: Sequence[str], settings: Sequence[RecordedRun]) -> list[RecordedRun]:
    return [run for other, run in zip(names, settings, strict=True) if other == name]


def _told_apart(name: str, run: RecordedRun, others: Sequence[RecordedRun]) -> str:
    keys = ["experiment", *dict.fromkeys(label for other in others for label in other.labels)]
    differing = [key for key in keys if len({shown(said(other, key)) for other in others}) > 1]
    parts = [shown(said(run, key)) for key in differing if said(run, key) is not None]
    return f"{name} ({', '.join(parts)})" if parts else name


def _published(wanted: Leaderboard, listing: Listing) -> Entry:
    assert listing.unit is not None  # the reading has refused it
    value = _scaled(Decimal(listing.claim.mean_text), wanted, listing.unit)
    return Entry(listing.method, _rounded(value, wanted), listing=listing)


def _scaled(value: Decimal, wanted: Leaderboard, unit: str) -> Decimal:
    """A value of this unit in the unit of the board."""
    return value.scaleb(2 * ((wanted.unit == "percent") - (unit == "percent")))


def _rounded(value: Decimal, wanted: Leaderboard) -> Decimal | None:
    """As the board shows it: what looks equal is ranked equal."""
    if not math.isfinite(value):
        return None
    return Decimal(f"{value:.{wanted.column.decimals}f}") + 0


def _ranked(wanted: Leaderboard, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Best first; what has no finite number stands last, without a rank."""
    sign = -1 if wanted.better == "max" else 1
    scores = sorted(sign * entry.score for entry in entries if entry.score is not None)
    first: dict[Decimal, int] = {}
    for place, score in enumerate(scores, start=1):
        first.setdefault(score, place)
    placed = [
        attrs.evolve(entry, rank=None if entry.score is None else first[sign * entry.score])
        for entry in entries
    ]
    last = len(entries) + 1
    return tuple(
        sorted(placed, key=lambda entry: (entry.rank or last, entry.listing is not None, entry.label))
    )
