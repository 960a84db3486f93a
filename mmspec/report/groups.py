"""Runs, sorted into the rows of a table or the strategies of a figure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mmspec.errors import ReportError
from mmspec.records import RunRecord
from mmspec.report.definition import Rows, RowsBy, shown
from mmspec.report.selection import Selection, matches, said
from mmspec.spec.words import dotted, show, suggestion

Groups = Mapping[str, tuple[RunRecord, ...]]


def group(rows: Rows, selection: Selection) -> dict[str, tuple[RunRecord, ...]]:
    """The runs that enter, by the label of their row, in the rows' order; a row may be empty.

    Raises:
        ReportError: the rows name a label or a value that no run has.
    """
    if isinstance(rows, RowsBy):
        return _by_value(rows, selection)
    check_names((name for row in rows for name in row.where), selection)
    for label in {row.label for row in rows}:
        if sum(row.label == label for row in rows) > 1:
            raise _two_rows(label)
    return {row.label: tuple(run for run in selection.runs if matches(run, row.where)) for row in rows}


def _by_value(rows: RowsBy, selection: Selection) -> dict[str, tuple[RunRecord, ...]]:
    check_names([rows.by], selection)
    values = {value: said(run, rows.by) for run in selection.all_runs for value in [_text(run, rows.by)]}
    values.pop(None, None)
    order = list(
        dict.fromkeys([*map(shown, rows.order), *sorted(values, key=lambda v: _sortable(values[v]))])
    )
    for value in rows.labels:
        if value not in order:
            raise ReportError(
                f"rows.labels names {show(value)}, which is no value of {rows.by}",
                hint=suggestion(value, order, of="its values"),
            )
    runs: dict[str, list[RunRecord]] = {value: [] for value in order}
    for run in selection.runs:
        value = _text(run, rows.by)
        if value is not None:
            runs[value].append(run)
    grouped: dict[str, tuple[RunRecord, ...]] = {}
    for value in order:
        label = rows.labels.get(value, value)
        if label in grouped:
            raise _two_rows(label)
        grouped[label] = tuple(runs[value])
    return grouped


def _two_rows(label: str) -> ReportError:
    return ReportError(f"two rows have the label {show(label)}", hint="give each row its own label")


def _text(run: RunRecord, name: str) -> Any:
    value = said(run, name)
    return None if value is None else shown(value)


def _sortable(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, before words by the alphabet."""
    if isinstance(value, int | float):
        return False, float(value), ""
    return True, 0.0, str(value)


def check_names(names: Iterable[str], selection: Selection) -> None:
    """Refuse labels and keys that no run answers to; without runs there is nothing to check against."""
    runs = selection.all_runs
    for name in names:
        if runs and all(said(run, name) is None for run in runs):
            known = sorted({label for run in runs for label in run.labels} | {"experiment", "seed"})
            raise ReportError(
                f"no run has a label or a key {show(name)}", hint=suggestion(name, known, of="labels")
            )


def check_one_setting(label: str, runs: Collection[RunRecord]) -> None:
    """Refuse a cell or a curve that would average over runs of different settings."""
    settings = {(run.experiment, str(sorted(run.labels.items(), key=str))): run for run in runs}
    if len(settings) < 2:
        return
    every = list(settings.values())
    differing = sorted(
        {name for run in every for name in run.labels if len({str(r.labels.get(name)) for r in every}) > 1}
    )
    if len({run.experiment for run in every}) > 1:
        differing.insert(0, "experiment")
    examples = ", ".join(sorted({str(said(run, differing[0])) for run in every})[:4])
    raise ReportError(
        f"row {show(label)} would average over runs that differ in {', '.join(differing)} ({examples})",
        hint=f"add where = {{{dotted([differing[0]])} = …}} to the row or the column",
    )
