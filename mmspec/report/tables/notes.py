"""What stands under a table: made from the runs, never by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from mmspec.report.definition import Column
from mmspec.report.runs.missing import MadeBy, missing_runs, scope_name
from mmspec.report.runs.selection import Selection
from mmspec.report.tables.legend import cells_of, reading_notes, short_name
from mmspec.report.tables.table import Cell, PublishedCell, Table
from mmspec.report.text import Code, Link, Sentence, listed
from mmspec.spec.words import nearest


def table_notes(table: Table, selection: Selection, made_by: MadeBy) -> list[Sentence]:
    """How to read the table, what it is made of, and what it lacks."""
    notes = [*reading_notes(table), _sources(table), *_runs(table), *_published(table)]
    notes += _chosen(table)
    notes += missing_runs(table, selection, made_by)
    notes += _missing_values(table, selection)
    notes += _not_finite(table)
    notes += what_stale_means(cell for _, cell in cells_of(table))
    return notes


# ---------------------------------------------------------------- what it is made of


def _sources(table: Table) -> Sentence:
    """Which metric, on which split, stands in each column."""
    columns = table.definition.columns
    if len(columns) > 1 and len({column.value for column in columns}) == 1:
        return ("All columns as split/metric: ", Code(columns[0].value), ".")
    parts: list[str | Code] = []
    for column in columns:
        begin = "; " if parts else "Columns as split/metric: "
        parts += [begin, f"{short_name(column, columns)} ", Code(column.value)]
    return (*parts, ".")


def _runs(table: Table) -> Iterable[Sentence]:
    """How many runs stand behind the table, and what their specs are known by."""
    runs = {run.address: run for _, cell in cells_of(table) for run in cell.runs}
    hashes = dict.fromkeys(str(run.identity["spec_hash"])[:8] for run in runs.values())
    if runs:
        several = "s" if len(runs) > 1 else ""
        yield (
            f"From {len(runs)} run{several}; their spec hash{'es' * bool(several)}: ",
            *listed(map(Code, hashes)),
            ".",
        )


def _chosen(table: Table) -> Iterable[Sentence]:
    """Which setting stands in a row that is the best of several."""
    for row in table.rows:
        if row.by is not None:
            said = [c.said(scope_name(table, c.scope)) for c in table.choices if c.row is row]
            yield (f"{row.label} is chosen by the highest ", Code(row.by), f": {'; '.join(said)}.")


# ---------------------------------------------------------------- what others published


def _published(table: Table) -> Iterable[Sentence]:
    """Where published figures are from, what they are not, and which of them stand in no row."""
    shown = {head.file.name: head.file for head in table.heads if head.file is not None}
    for file in shown.values():
        cells = [c for _, line in table.lines() for c in line if isinstance(c, PublishedCell)]
        claims = [cell.claim for cell in cells if cell.file is file and cell.claim is not None]
        spread = "as printed there"
        if not any(claim.std_text for claim in claims):
            spread += ", single values without seeds or spread"
        elif all(claim.std_text for claim in claims):
            spread += ", mean ± standard deviation"
        where: Sentence = (" (", Link(file.url), ")") if file.url else ()
        yield (
            f"Published: figures of {file.source}",
            *where,
            f", {spread}. They are claims to compare with, no results of these runs; "
            "they are neither ranked nor tested, and bold is among our own.",
        )
        methods = {row.method for row in table.rows}
        if absent := [row.label for method, row in file.rows.items() if method not in methods]:
            yield (f"Published by {file.source}, in no row here: ", *listed(absent), ".")


# ---------------------------------------------------------------- what cells lack


def _missing_values(table: Table, selection: Selection) -> Iterable[Sentence]:
    """Columns that some rows with runs do not have."""
    lacking: dict[tuple[str, ...], dict[Sentence, None]] = defaultdict(dict)
    measured = {cell.column.value for _, cell in cells_of(table) if cell.taken}
    absent: dict[str, None] = {}
    for index, column in enumerate(table.columns):
        labels = tuple(label for label, row in table.cells.items() if row[index].without)
        if labels and column.value not in measured:
            absent[column.value] = None
        elif labels:
            lacking[labels][_metric(column, table)] = None
    for value in absent:
        close = nearest(value, sorted({name for run in selection.runs for name in run.values}))
        meant: Sentence = ("; did you mean ", Code(close), "?") if close else (".",)
        yield ("No run holds ", Code(value), *meant)
    for labels, metrics in lacking.items():
        named = [part for metric in metrics for part in (", ", *metric)][1:]
        yield ("– not measured: ", *listed(labels), " without ", *named, ".")


def _metric(column: Column, table: Table) -> Sentence:
    """The metric of a column, with where it is measured if columns of it differ in that."""
    same = [other.where for other in table.columns if other.value == column.value]
    place = scope_name(table, column.where) if any(where != column.where for where in same) else ""
    return (Code(column.value), f" ({place})") if place else (Code(column.value),)


def _not_finite(table: Table) -> Iterable[Sentence]:
    for label, cell in cells_of(table):
        if cell.summary.dropped:
            runs = [Code(run.id) for run, value in cell.taken if not math.isfinite(value)]
            rest = "not averaged, ranked or tested" if cell.summary.n else "so there is no mean"
            yield (
                "Not a finite number: ",
                label,
                ", ",
                Code(cell.column.value),
                " in ",
                *listed(runs),
                f"; {rest}.",
            )


def what_stale_means(cells: Iterable[Cell]) -> Iterable[Sentence]:
    """What is meant where a cell says `stale`."""
    if any(cell.stale for cell in cells):
        yield ("stale: the spec or the code of these runs has changed since they were made.",)
