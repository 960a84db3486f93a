"""Leaderboards in full precision, for CSV and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mmspec.report.leaderboards.board import Board, Elsewhere, Entry
from mmspec.report.leaderboards.listing import Listing


def csv_lines(board: Board | Elsewhere) -> Iterator[tuple[Any, ...]]:
    """The lines of a board: one for each run of ours, one for each published entry."""
    if isinstance(board, Elsewhere):
        for listing in board.listings:
            yield (board.title, listing.method, listing.dataset, listing.metric, *_published(listing))
        return
    for entry in board.entries:
        begin = (board.title, entry.label, board.name, board.wanted.value)
        if entry.cell is not None:
            for run, number in entry.cell.taken:
                yield (*begin, run.seed, number, run.id, run.identity["spec_hash"], *[""] * 4)
        if entry.listing is not None:
            yield (*begin, *_published(entry.listing))


def _published(listing: Listing) -> tuple[str, ...]:
    claim = listing.claim
    return ("", "", "", "", claim.mean_text, claim.std_text or "", listing.unit or "", listing.source)


def board_json(board: Board | Elsewhere) -> dict[str, Any]:
    """A board as plain values."""
    if isinstance(board, Elsewhere):
        return {"title": board.title, "entries": [_listing(entry) for entry in board.listings]}
    wanted = board.wanted
    return {
        "title": board.title,
        "name": board.name,
        "value": wanted.value,
        "better": wanted.better,
        "unit": wanted.unit,
        "entries": [{"label": entry.label, "rank": entry.rank, **_entry(entry)} for entry in board.entries],
        "lacking": [entry.label for entry in board.lacking],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    if entry.listing is not None:
        return {"published": _listing(entry.listing)}
    assert entry.cell is not None
    return {
        "n": entry.cell.summary.n,
        "mean": entry.cell.summary.mean,
        "std": entry.cell.summary.std,
        "values": [
            {"run": run.id, "seed": run.seed, "value": value if math.isfinite(value) else str(value)}
            for run, value in entry.cell.taken
        ],
    }


def _listing(listing: Listing) -> dict[str, Any]:
    return {
        "method": listing.method,
        "task": listing.task,
        "dataset": listing.dataset,
        "metric": listing.metric,
        "value": listing.claim.mean,
        "std": listing.claim.std,
        "unit": listing.unit,
        "text": listing.claim.mean_text,
        "rank_there": listing.rank,
        "source": listing.source,
        "url": listing.url,
    }
