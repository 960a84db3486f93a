"""Leaderboards as grids, and what stands under them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from mmspec.report.definition import Leaderboard
from mmspec.report.grid import Grid, GridCell, GridColumn, GridRow, Mark, SeedValue
from mmspec.report.leaderboards.listing import Listing
from mmspec.report.runs.selection import Selection
from mmspec.report.tables.notes import what_stale_means
from mmspec.report.tables.table import Cell
from mmspec.report.text import Code, Link, Sentence, listed, minus
from mmspec.spec.words import nearest

if TYPE_CHECKING:
    from mmspec.report.leaderboards.board import Board, Elsewhere, Entry

_NONE = GridCell("empty", "–")


def board_grid(board: Board) -> Grid:
    """A board: rank, value, seeds, and whose entry it is."""
    wanted = board.wanted
    columns = (
        GridColumn("rank"),
        GridColumn(wanted.value + " (%)" * (wanted.unit == "percent"), better=wanted.better),
        GridColumn("seeds"),
        GridColumn("from", kind="text"),
    )
    files = {entry.listing.file for entry in board.entries if entry.listing}
    ranked = sum(entry.rank is not None for entry in board.entries) > 1
    rows = tuple(
        GridRow(entry.label, _cells(entry, wanted, ranked=ranked, several=len(files) > 1))
        for entry in board.entries
    )
    return Grid(board.title, wanted.text, columns, rows, tuple(board.notes), corner="method")


def _cells(entry: Entry, wanted: Leaderboard, *, ranked: bool, several: bool) -> tuple[GridCell, ...]:
    rank = GridCell("number", str(entry.rank)) if ranked and entry.rank is not None else _NONE
    best = ranked and entry.rank == 1
    if entry.listing is not None:
        source = f"published ({entry.listing.file})" if several else "published"
        text = GridCell("text", source, hint=entry.listing.source)
        return rank, _theirs(entry.listing, wanted, best=best), _NONE, text
    assert entry.cell is not None
    seeds = GridCell("number", str(len(entry.cell.taken)))
    return rank, _ours(entry.cell, best=best), seeds, GridCell("text", "ours")


def _ours(cell: Cell, *, best: bool) -> GridCell:
    behind = tuple(SeedValue(run, minus(cell.format(value))) for run, value in cell.taken)
    if cell.mean is None:
        return GridCell("text", "NaN", remark=cell.remark, behind=behind)
    spread = f"± {cell.std}" if cell.std else ""
    mark: Mark = "best" if best else "none"
    return GridCell("number", minus(cell.mean), spread, mark, remark=cell.remark, behind=behind)


def _theirs(listing: Listing, wanted: Leaderboard, *, best: bool) -> GridCell:
    claim = listing.claim
    spread = f"± {_converted(claim.std_text, listing, wanted)}" if claim.std_text else ""
    hint = f"published as {claim.mean_text}: {listing.source}"
    text = minus(_converted(claim.mean_text, listing, wanted))
    mark: Mark = "best" if best else "none"
    return GridCell("published", text, spread, mark, remark=_rank_there(listing), hint=hint)


def _converted(text: str, listing: Listing, wanted: Leaderboard) -> str:
    """A printed number in the unit of the board, with all the digits that were printed."""
    if wanted.unit == (listing.unit or wanted.unit):
        return text
    return f"{Decimal(text).scaleb(2 if wanted.unit == 'percent' else -2):f}"


def _rank_there(listing: Listing) -> str:
    return f"rank {listing.rank} there" if listing.rank else ""


def elsewhere_grid(elsewhere: Elsewhere) -> Grid:
    """Entries of other data sets: their value, what it measures, and their rank where it was published."""
    columns = (
        GridColumn("method", kind="text"),
        GridColumn("metric", kind="text"),
        GridColumn("value", kind="published"),
        GridColumn("rank there"),
    )
    rows = tuple(GridRow(entry.dataset, _elsewhere_cells(entry)) for entry in elsewhere.listings)
    return Grid(elsewhere.title, "", columns, rows, tuple(elsewhere.notes), corner="data set")


def _elsewhere_cells(entry: Listing) -> tuple[GridCell, ...]:
    unit = " %" if entry.unit == "percent" else ""
    spread = f"± {entry.claim.std_text}" if entry.claim.std_text else ""
    return (
        GridCell("text", entry.method),
        GridCell("text", entry.metric),
        GridCell("published", minus(entry.claim.mean_text) + unit, spread, hint=entry.source),
        GridCell("number", str(entry.rank)) if entry.rank else _NONE,
    )


# ---------------------------------------------------------------- what stands under them


def board_notes(board: Board, selection: Selection) -> list[Sentence]:
    """How to read a board, where its published entries are from, and what it lacks."""
    theirs = [entry.listing for entry in board.entries if entry.listing]
    return [
        *_reading(board),
        *(_claimed(file, "they are compared as claims") for file in _by_file(theirs)),
        *_lacking(board, selection),
        *_not_finite(board),
        *what_stale_means(entry.cell for entry in board.entries if entry.cell),
    ]


def _reading(board: Board) -> Iterator[Sentence]:
    ours = [entry.cell for entry in board.entries if entry.cell]
    value = Code(board.wanted.value)
    if any(len(cell.taken) > 1 for cell in ours):
        yield ("Ours: mean ± standard deviation (n − 1) of ", value, " over the seeds.")
    elif ours:
        yield ("Ours: ", value, " of one seed.")
    if len(board.entries) > 1:
        yield (
            "Rank: the place on this board, compared as rounded to its digits, so ties share it; "
            "entries are not tested for a difference.",
        )


def _by_file(listings: Iterable[Listing]) -> list[list[Listing]]:
    files: dict[str, list[Listing]] = {}
    for listing in listings:
        files.setdefault(listing.file, []).append(listing)
    return list(files.values())


def _claimed(listings: Sequence[Listing], how: str) -> Sentence:
    """Where published entries are from, and what they are not."""
    first = listings[0]
    where: Sentence = (" (", Link(first.url), ")") if first.url else ()
    there = "; “rank … there” is the place on its own page" if any(e.rank for e in listings) else ""
    return (
        f"Published: {first.source}",
        *where,
        f"{there}. No results of these runs; {how}.",
    )


def _lacking(board: Board, selection: Selection) -> Iterator[Sentence]:
    value = Code(board.wanted.value)
    if board.lacking:
        yield ("Without ", value, ": ", *listed(entry.label for entry in board.lacking), ".")
    elif board.name and not board.groups:
        yield (f"No finished run of {board.name}.",)
    if not board.entries and not any(board.wanted.value in run.values for run in selection.runs):
        close = nearest(board.wanted.value, sorted({name for run in selection.runs for name in run.values}))
        meant: Sentence = ("; did you mean ", Code(close), "?") if close else (".",)
        yield ("No run holds ", value, *meant)


def _not_finite(board: Board) -> Iterator[Sentence]:
    for entry in board.entries:
        if entry.cell is not None and entry.cell.summary.dropped:
            runs = [Code(run.id) for run, value in entry.cell.taken if not math.isfinite(value)]
            yield ("Not a finite number: ", entry.label, " in ", *listed(runs), "; not ranked.")


def elsewhere_notes(listings: Sequence[Listing]) -> list[Sentence]:
    """Where entries of other data sets are from."""
    return [_claimed(file, "no run of ours is on these data sets") for file in _by_file(listings)]


def unmatched_notes(listings: Sequence[Listing]) -> list[Sentence]:
    """Published entries that stand on no board."""
    return [
        (
            f"Published ({file[0].source}), on no board here: ",
            *listed(f"{entry.dataset}, {entry.metric}" for entry in file),
            ".",
        )
        for file in _by_file(listings)
    ]
