"""The numbers of a report in full precision, as CSV and as JSON, each with its runs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import Column
from mmspec.report.document import Document, Gridded, NotedTable
from mmspec.report.leaderboards.board import Board, Elsewhere
from mmspec.report.leaderboards.numbers import board_json, csv_lines
from mmspec.report.published import Claim, Published
from mmspec.report.runs.groups import RowRuns
from mmspec.report.tables.table import Cell, PublishedCell, Table
from mmspec.report.text import Code, Sentence, address, one_line

_HEAD = (
    "table", "row", "column", "value", "seed", "number", "run", "spec_hash",
    "published", "published_std", "published_unit", "published_source",
)  # fmt: skip


def as_csv(document: Document) -> str:
    """One line for each number of each run: tidy, for statistics of one's own.

    Published figures have lines and columns of their own, so that nobody averages over them.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_HEAD)
    for block in document.grids:
        for line in _lines(block.table) if isinstance(block, NotedTable) else _board_lines(block):
            writer.writerow(one_line(item) if isinstance(item, str) else item for item in line)
    return file.getvalue()


def _board_lines(block: Gridded) -> Iterator[tuple[Any, ...]]:
    return csv_lines(block) if isinstance(block, Board | Elsewhere) else iter(())


def _lines(table: Table) -> Iterator[tuple[Any, ...]]:
    for label, line in table.lines():
        for cell, head in zip(line, table.heads, strict=True):
            column = head.column
            begin = (table.definition.title, label, column.name, column.value)
            if isinstance(cell, Cell):
                for run, number in cell.taken:
                    yield (*begin, run.seed, number, run.id, run.identity["spec_hash"], *[""] * 4)
            elif cell.claim is not None:
                spread = cell.claim.std_text or ""
                yield (*begin, *[""] * 4, cell.claim.mean_text, spread, cell.file.unit, cell.file.source)


def as_json(document: Document) -> str:
    """Everything the report says, in full precision. What is not finite is written as a string."""
    whole = {
        "mmspec": document.definition.mmspec,
        "title": document.definition.title,
        "tables": [
            {**_table(noted.table), "notes": [_plain(note) for note in noted.notes]}
            for noted in document.tables
        ],
        "leaderboards": [
            {**board_json(block), "notes": [_plain(note) for note in block.notes]}
            for block in document.grids
            if isinstance(block, Board | Elsewhere)
        ],
        "figures": [
            {
                "name": picture.name,
                "title": picture.title,
                "rows": {label: [run.id for run in runs] for label, runs in picture.groups.items()},
                "notes": [_plain(note) for note in picture.notes],
            }
            for picture in document.pictures
        ],
        "runs": [{"row": label, **_run(run, document)} for label, run in document.used],
        "left_out": [
            {"reason": left.reason, **_run(left.run, document)} for left in document.selection.left_out
        ],
        "notes": [_plain(note) for note in document.notes],
    }
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_items(value)}" for key, value in whole.items()) + "\n}\n"


def _items(value: Any) -> str:
    """JSON with a line for each item of a list; Python indents deeper slowly."""
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f" {json.dumps(item)}" for item in value) + "\n]"


def _table(table: Table) -> dict[str, Any]:
    wanted, ranks = table.definition, table.mean_ranks
    return {
        "title": wanted.title,
        "baseline": wanted.baseline,
        "test": wanted.test if wanted.baseline is not None else None,
        "columns": [_column(column, table) for column in table.columns],
        "rows": [
            {"label": row.label, "cells": [_shown(cell, row, table) for cell in table.cells[row.label]]}
            | ({"mean_rank": ranks.ranks.get(row.label)} if ranks is not None else {})
            for row in table.rows
        ],
    } | ({"mean_rank_over": [column.name for column in ranks.columns]} if ranks is not None else {})


def _column(column: Column, table: Table) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "label": column.label,
        "group": ", ".join(column.groups) or None,
        "groups": list(column.groups),
        "value": column.value,
        "where": dict(column.where),
        "better": column.better,
        "unit": column.unit,
        "aggregate": column.aggregate,
        "show": column.show,
    }
    if column.published is not None:
        whole["published"] = _source(table.published[column.published.source], column)
    return whole


def _source(file: Published, column: Column) -> dict[str, Any]:
    """Where published figures are from that stand beside a column, and so measure the same."""
    return {"source": file.source, "url": file.url, "metric": column.value, "unit": file.unit}


def _shown(cell: Cell, row: RowRuns, table: Table) -> dict[str, Any]:
    """A cell, and apart from it what was published of the same."""
    whole = _cell(cell)
    if cell.column.published is not None:
        beside = table.beside(cell.column, row)
        whole["published"] = _claim(beside.claim, beside) if beside.claim is not None else None
    return whole


def _claim(claim: Claim, beside: PublishedCell) -> dict[str, Any]:
    return {
        "method": beside.row.method if beside.row else None,
        "label": beside.row.label if beside.row else None,
        "mean": claim.mean,
        "std": claim.std,
        "unit": beside.file.unit,
        "text": beside.text,
        "source": beside.file.source,
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "n": cell.summary.n,
        "mean": cell.summary.mean,
        "std": cell.summary.std,
        "shown": attrs.asdict(cell.shown),
        "rank": cell.rank,
        "place": cell.place,
        "p_holm": cell.p,
        "unpaired": cell.unpaired,
        "values": [
            {"run": run.id, "seed": run.seed, "value": value if math.isfinite(value) else str(value)}
            for run, value in cell.taken
        ],
    }


def _run(run: RecordedRun, document: Document) -> dict[str, Any]:
    return {
        "id": run.id,
        "experiment": run.experiment,
        "seed": run.seed,
        "labels": dict(run.labels),
        "spec_hash": run.identity["spec_hash"],
        "address": address(run.address, document.folder),
    }


def _plain(note: Sentence) -> str:
    return "".join(part.text if isinstance(part, Code) else part for part in note)
