"""What there is to say of a cell itself: in full precision, how it came about, or why it is empty."""

from __future__ import annotations

import math

from mmspec.report.document import Document
from mmspec.report.grid import GridCell
from mmspec.report.leaderboards.listing import Listing
from mmspec.report.runs.groups import RowRuns
from mmspec.report.runs.missing import command_of
from mmspec.report.runs.selection import matches
from mmspec.report.tables.aggregates import IN_WORDS
from mmspec.report.tables.statistics import ALPHA, MIN_TESTED
from mmspec.report.tables.table import Cell, PublishedCell, Table
from mmspec.report.text import spans

#: Facts in order: each a name, and what is to be said in one or several lines.
Facts = list[tuple[str, str]]


def as_shown(cell: GridCell) -> str:
    """A cell as the terminal shows it."""
    spread = f" {cell.spread}" if cell.spread else ""
    remark = f" ({cell.remark})" if cell.remark else ""
    return f"{cell.text}{spread}{cell.sign}{remark}"


def about_cell(cell: Cell, table: Table | None = None, row: RowRuns | None = None) -> Facts:
    """A cell of ours: its numbers, and how they were aggregated, ranked and tested."""
    column = cell.column
    facts = [("value", column.value + (", shown times 100" if column.shows_percent else ""))]
    if column.where:
        facts.append(("only runs with", ", ".join(f"{key} = {value}" for key, value in column.where.items())))
    if table is not None and row is not None and row.by is not None:
        facts += [
            (f"chosen by {row.by}", choice.said(""))
            for choice in table.choices
            if choice.row is row and choice.scope == column.where
        ]
    if not cell.taken:
        return facts
    facts += [("aggregate", _aggregate(cell)), *_numbers(cell)]
    if cell.stale:
        facts.append(("stale", f"{cell.stale} of its {len(cell.taken)} runs, see there"))
    if table is not None:
        facts += [("rank", _rank(cell, table)), ("test", _test(cell, table, row))]
    return facts


def _aggregate(cell: Cell) -> str:
    n = len(cell.taken)
    seeds = f"{'seed' if n == 1 else 'seeds'} {spans(run.seed for run, _ in cell.taken)}"
    how = IN_WORDS[cell.column.aggregate or "mean_std"]
    dropped = f"; {cell.summary.dropped} not finite and left out" if cell.summary.dropped else ""
    fewer = f"; other cells have {cell.seeds_expected}" if n < cell.seeds_expected else ""
    return f"{how} over n = {cell.summary.n} ({seeds}){dropped}{fewer}"


def _numbers(cell: Cell) -> Facts:
    """The numbers behind what is shown, to the last digit."""
    facts = [("mean", cell.summary.mean), ("standard deviation (n − 1)", cell.summary.std)]
    if cell.column.show == "delta":
        facts.append(("difference to the baseline", cell.shown.centre))
    elif cell.shown.centre not in (None, cell.summary.mean):
        facts.append(("centre", cell.shown.centre))
    facts += [("from", cell.shown.low), ("to", cell.shown.high)]
    return [(name, repr(value)) for name, value in facts if value is not None]


def _rank(cell: Cell, table: Table) -> str:
    column = cell.column
    if column.better == "none":
        return "none: the column does not say which direction is better"
    if cell.place is None:
        return "none: there is nothing to compare it with, or not all its values are finite"
    at = table.columns.index(column)
    ranked = sum(row[at].place is not None for row in table.cells.values())
    higher = "higher" if column.better == "max" else "lower"
    return f"{cell.place} of {ranked}, as rounded; {higher} is better"


def _test(cell: Cell, table: Table, row: RowRuns | None) -> str:
    wanted = table.definition
    if wanted.baseline is None:
        return "none: the table has no baseline"
    if row is not None and row.label == wanted.baseline:
        return "none: it is the baseline"
    if cell.unpaired:
        return f"none: {cell.unpaired}"
    if cell.p is None:
        return f"none: fewer than {MIN_TESTED} finite values on a side, no spread, or none asked for"
    how = "paired t-test" if wanted.test == "paired" else "Welch's t-test"
    said = "differs (†)" if cell.differs else "no difference is shown"
    return f"{how} against {wanted.baseline}: p = {cell.p!r} after Holm's correction, {said} at {ALPHA:g}"


# ---------------------------------------------------------------- what others published


def about_claim(cell: PublishedCell) -> Facts:
    """A published figure beside ours: what was printed, and who printed it."""
    file = cell.file
    facts = [("file", file.name), ("source", file.source), ("address", file.url or "")]
    if cell.claim is None or cell.row is None:
        return [("empty", "nothing was published of this row, or it names no published method"), *facts]
    printed = cell.claim.mean_text + (f" ± {cell.claim.std_text}" if cell.claim.std_text else "")
    facts = [("published as", cell.row.label), ("printed", printed), ("unit", file.unit), *facts]
    facts.append(("metric", cell.metric))
    return [*_filled(facts), _CLAIM]


def about_listing(listing: Listing) -> Facts:
    """A published entry of a leaderboard."""
    printed = listing.claim.mean_text
    printed += f" ± {listing.claim.std_text}" if listing.claim.std_text else ""
    facts = [
        ("published as", listing.method),
        ("printed", printed),
        ("unit", listing.unit or "not said"),
        ("task", listing.task or ""),
        ("data set", listing.dataset),
        ("metric", listing.metric),
        ("rank there", str(listing.rank or "")),
        ("file", listing.file),
        ("source", listing.source),
        ("address", listing.url or ""),
    ]
    return [*_filled(facts), _CLAIM]


_CLAIM = ("note", "a claim to compare with, no result of these runs: there is nothing to follow further")


def _filled(facts: Facts) -> Facts:
    return [(name, text) for name, text in facts if text]


# ---------------------------------------------------------------- what is not there


def about_nothing(cell: Cell, row: RowRuns, document: Document) -> Facts:
    """Why a cell is empty, and which runs of its row do not enter it, with the command that makes them."""
    facts: Facts = []
    if not cell.taken and cell.without:
        names = ", ".join(run.id for run in cell.without)
        facts.append(("empty", f"its runs do not hold {cell.column.value}: {names}"))
    elif not cell.taken:
        facts.append(("empty", "there is no finished run of this row here"))
    elif cell.without:
        names = ", ".join(run.id for run in cell.without)
        facts.append(("without the value", names))
    if not_finite := [run.id for run, value in cell.taken if not math.isfinite(value)]:
        facts.append(("not finite", ", ".join(not_finite)))
    wheres = [{**candidate.where, **cell.column.where} for candidate in row.candidates]
    out = [left for left in document.selection.left_out if any(matches(left.run, where) for where in wheres)]
    facts += [("left out", "\n".join(f"{left.run.id} ({left.reason})" for left in out))] if out else []
    lacking = not cell.without and len(cell.taken) < max(cell.seeds_expected, 1)
    command = command_of(document.definition.made_by, document.selection.all_runs) if lacking else None
    return [*facts, ("made by", command)] if command else facts
