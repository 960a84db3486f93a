"""What the keys of one table ask of each other: each mistake at its place."""

from __future__ import annotations

import attrs

from mmspec.report.definition import Column, Table
from mmspec.spec.findings import Findings
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node
from mmspec.spec.words import dotted, show


def check_table(table: Table, path: Path, root: Node, findings: Findings) -> None:
    """Tell the findings what is wrong with the keys of the table that stands at `path`."""
    checks = _Checks(root, findings)
    if not table.columns:
        checks.add(path, "has no columns", "add [[tables.columns]]")
    if table.test == "paired" and table.baseline is None:
        checks.add((*path, "test"), "there is no baseline to test against", 'add baseline = "…", a row')
    if table.mean_rank and all(column.better == "none" for column in table.columns):
        hint = 'add better = "max" or "min" to the columns that rows are ranked in'
        checks.add((*path, "mean_rank"), "no column says what is better", hint)
    checks.across(table, path)
    for place, column in enumerate(table.columns):
        checks.column(column, table, (*path, "columns", place))


@attrs.frozen
class _Checks:
    root: Node
    findings: Findings

    def add(self, path: Path, what: str, hint: str | None = None) -> None:
        """A mistake at the value of `path`, or where it would stand."""
        self.findings.add(f"{dotted(path)}: {what}", self.root.find(path).where(), hint)

    def across(self, table: Table, path: Path) -> None:
        """The heads of the values tell them apart."""
        if table.over is not None and not table.over.rest and not table.over.order:
            hint = 'add order = ["…"], the values that stand'
            self.add((*path, "across", "rest"), "without the rest there is no value left", hint)
        labels = list(table.over.labels.items()) if table.over else []
        for place, (value, label) in enumerate(labels):
            if not label:
                self.add((*path, "across", "labels", value), "is empty")
            elif label in [other for _, other in labels[:place]]:
                what = f"another value has the label {show(label)}"
                self.add((*path, "across", "labels", value), what, "give each value its own label")

    def column(self, column: Column, table: Table, path: Path) -> None:
        """What a column shows can be had, and what stands beside it is of the same."""
        how = column.aggregate or table.aggregate
        if table.over is not None and table.over.by in column.where:
            what = f"the columns stand across {table.over.by} already"
            self.add((*path, "where", table.over.by), what, "remove it, or across")
        if column.show == "delta" and table.baseline is None:
            hint = 'add baseline = "…" to the table: the row that others are compared with'
            self.add((*path, "show"), "there is no baseline to differ from", hint)
        if column.show == "rank" and column.better == "none":
            self.add((*path, "show"), "better does not say what ranks first", 'add better = "max" or "min"')
        if how == "n" and (column.show != "value" or column.better != "none"):
            at = "better" if column.show == "value" else "show"
            hint = "remove it, or choose another aggregate"
            self.add((*path, at), "n only counts seeds: there is nothing to rank or compare", hint)
        self.published(column, table, path)

    def published(self, column: Column, table: Table, path: Path) -> None:
        """Published figures are values, and with `across` each is of one value."""
        beside = column.published
        if beside is None:
            return
        by_value = isinstance(beside.column, dict)
        if column.show != "value":
            hint = 'let it stand beside the column with show = "value"'
            self.add((*path, "published"), "published figures are values, and this column shows none", hint)
        if table.over is not None and not by_value:
            what = f"each value of {table.over.by} needs a published column of its own"
            hint = 'write column = { VALUE = "its column", … }; values that are left out have none'
            self.add((*path, "published"), what, hint)
        elif table.over is None and by_value:
            what = "only with across there are values to choose by"
            self.add((*path, "published", "column"), what, 'write column = "…"')
