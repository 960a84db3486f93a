"""The numbers of a report in full precision, as CSV and as JSON, each with its runs."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from typing import Any

from mmspec.records import RunRecord
from mmspec.report.document import Document, cells
from mmspec.report.table import Cell, Table
from mmspec.report.text import Code, Sentence, one_line

_HEAD = ("table", "row", "column", "value", "seed", "number", "run", "spec_hash")


def as_csv(document: Document) -> str:
    """One line for each number of each run: tidy, for statistics of one's own."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_HEAD)
    for noted in document.tables:
        title = noted.table.definition.title
        for label, cell in cells(noted.table):
            for run, number in cell.taken:
                column = cell.column
                head = f"{column.group}, {column.label}" if column.group else column.label
                line = (title, label, head, column.value, run.seed, number, run.id, run.identity["spec_hash"])
                writer.writerow(one_line(item) if isinstance(item, str) else item for item in line)
    return file.getvalue()


def as_json(document: Document) -> str:
    """Everything the report says, in full precision. What is not finite is written as a string."""
    whole = {
        "mmspec": document.definition.mmspec,
        "title": document.definition.title,
        "tables": [
            {**_table(noted.table), "notes": [_plain(note) for note in noted.notes]}
            for noted in document.tables
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
    return json.dumps(whole, indent=1) + "\n"


def _table(table: Table) -> dict[str, Any]:
    wanted = table.definition
    return {
        "title": wanted.title,
        "baseline": wanted.baseline,
        "columns": [
            {"label": c.label, "group": c.group, "value": c.value, "better": c.better, "unit": c.unit}
            for c in table.columns
        ],
        "rows": [
            {"label": label, "cells": [_cell(cell) for cell in row]} for label, row in table.cells.items()
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "n": cell.summary.n,
        "mean": cell.summary.mean,
        "std": cell.summary.std,
        "rank": cell.rank,
        "p_holm": cell.p,
        "values": [
            {"run": run.id, "seed": run.seed, "value": value if math.isfinite(value) else str(value)}
            for run, value in cell.taken
        ],
    }


def _run(run: RunRecord, document: Document) -> dict[str, Any]:
    return {
        "id": run.id,
        "experiment": run.experiment,
        "seed": run.seed,
        "labels": dict(run.labels),
        "spec_hash": run.identity["spec_hash"],
        "path": os.path.relpath(run.path, document.folder),
    }


def _plain(note: Sentence) -> str:
    return "".join(part.text if isinstance(part, Code) else part for part in note)
