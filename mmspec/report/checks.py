"""What the types of a report's definition cannot say: each mistake at its place."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping

import attrs

from mmspec.report.definition import LANGUAGE, Beside, Column, Definition, Row, Rows, RowsBy, Table
from mmspec.report.published import Published
from mmspec.report.runs.sources import is_name
from mmspec.report.tables.checks import check_table
from mmspec.spec.findings import Findings
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node
from mmspec.spec.words import dotted, listed, show, suggestion

#: The published files that a definition names; None for one that cannot be read.
Files = Mapping[str, Published | None]


def check_definition(definition: Definition, files: Files, root: Node, findings: Findings) -> None:
    """Tell the findings what is wrong beyond types."""
    if definition.mmspec != LANGUAGE:
        where = root.find(("mmspec",)).where()
        findings.add(f"mmspec: this mmspec reads reports of version {LANGUAGE}", where)
    if not definition.runs:
        findings.add("runs: names no experiment", root.find(("runs",)).where())
    if not (definition.tables or definition.figures or definition.leaderboards):
        hint = "add [[tables]], [[leaderboards]] or [[figures]]"
        findings.add("there is neither a table nor a figure", root.where(), hint)
    _check_commands(definition, root, findings)
    for kind, index, own in _blocks(definition):
        path: Path = (kind, index, "rows") if own else ("rows",)
        rows = own or definition.rows
        if rows is None:
            where = root.find((kind, index)).where()
            findings.add(f"{kind}[{index}]: has no rows", where, 'add rows = {by = "variant"} at the top')
        elif not isinstance(rows, RowsBy):
            _check_rows(rows, path, root, findings, choosing=kind == "tables")
    published = _Published(definition, files, root, findings)
    for index, table in enumerate(definition.tables):
        check_table(table, ("tables", index), root, findings)
        rows = table.rows or definition.rows
        if table.baseline is not None and rows is not None and not isinstance(rows, RowsBy):
            check_baseline(table.baseline, [row.label for row in rows], index, root, findings)
        published.check(table, index)


def _blocks(definition: Definition) -> Iterator[tuple[str, int, Rows | None]]:
    """All tables and figures, each with the rows of its own."""
    yield from (("tables", i, table.rows) for i, table in enumerate(definition.tables))
    yield from (("figures", i, figure.rows) for i, figure in enumerate(definition.figures))


def check_baseline(name: str, labels: list[str], index: int, root: Node, findings: Findings) -> None:
    """Refuse a baseline that is no row."""
    if name not in labels:
        where = root.find(("tables", index, "baseline")).where()
        findings.add(
            f"tables[{index}].baseline: there is no row {show(name)}",
            where,
            suggestion(name, labels, of="rows"),
        )


def _check_commands(definition: Definition, root: Node, findings: Findings) -> None:
    """Commands are for experiments that the report reads."""
    if not all(map(is_name, definition.runs)):
        return  # which experiments a folder or a service holds is known once they are read
    for name in definition.made_by if isinstance(definition.made_by, dict) else ():
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in definition.runs):
            node = root.find(("made_by", name))
            findings.add(
                f"made_by.{dotted([name])}: this report reads no such experiment",
                (node.key or node.place).location(),
                suggestion(name, definition.runs, of="runs"),
            )


# ---------------------------------------------------------------- rows


def _check_rows(rows: tuple[Row, ...], path: Path, root: Node, findings: Findings, *, choosing: bool) -> None:
    """Rows are either plain or chosen, and chosen on validation; figures have no chosen rows."""
    for index, row in enumerate(rows):
        node, what = root.find((*path, index)), dotted((*path, index))
        chosen = bool(row.best_of) or row.by is not None
        if not chosen and not row.where:
            hint = "add where = {…}, or best_of = [{…}, {…}] and by"
            findings.add(f"{what}: where is missing", node.where(), hint)
        elif chosen and row.where:
            findings.add(
                f"{what}: has both where and best_of", node.where(), "put where into each of best_of"
            )
        elif chosen and (row.by is None or len(row.best_of) < 2):
            hint = 'write best_of = [{…}, {…}] and by = "val/accuracy"'
            findings.add(f"{what}: best_of needs two or more, and by", node.where(), hint)
        elif chosen and not choosing:
            hint = "give the figure rows of its own, without best_of"
            findings.add(f"{what}: a row that is chosen column by column is for tables", node.where(), hint)
        if row.by is not None:
            _check_metric(row.by, what, node.find(("by",)), findings)


def _check_metric(by: str, what: str, node: Node, findings: Findings) -> None:
    """The metric that chooses names a split, and none that is for testing by its name.

    What a split is for is known from the runs only; `choice` asks them.
    """
    first, slash, name = by.partition("/")
    split = name.partition("/")[0] if "/" in name else first  # stage/split/name
    if not (first and slash and name):
        hint = 'write "<split>/<name>", for example "val/accuracy"'
        findings.add(f"{what}.by: {show(by)} names no metric", node.where(), hint)
    elif split.startswith("test"):
        hint = f"choose on {by.replace(f'{split}/', 'val/', 1)}"
        findings.add(
            f"{what}.by: {show(by)}: {split} is a test split, and nothing is chosen on test",
            node.where(),
            hint,
        )


# ---------------------------------------------------------------- published figures


@attrs.frozen
class _Published:
    """Checks what a definition says of published figures."""

    definition: Definition
    files: Files
    root: Node
    findings: Findings

    def check(self, table: Table, index: int) -> None:
        """What a table shows beside its columns is published, and so are its rows' methods."""
        used: list[Published] = []
        for place, column in enumerate(table.columns):
            if column.published is not None:
                used += self._beside(
                    column, column.published, ("tables", index, "columns", place, "published")
                )
        if None in self.files.values():
            return  # one that cannot be read may hold what the others do not
        path: Path = ("tables", index, "rows") if table.rows else ("rows",)
        methods = dict(_methods(table.rows or self.definition.rows, path))
        known = [m for file in used or self.files.values() if file is not None for m in file.rows]
        for at, method in methods.items():
            if method not in known:
                what = f"{dotted(at)}: no published row is called {show(method)}"
                self.findings.add(
                    what, self.root.find(at).where(), self._hint(method, known, "published rows")
                )
        if used and not methods:
            where = self.root.find(("tables", index)).where()
            hint = f"say of each row which it is: published = {show(known[0])}" if known else None
            self.findings.add(
                f"tables[{index}]: no row says what it is called where it was published", where, hint
            )

    def _beside(self, column: Column, beside: Beside, path: Path) -> list[Published]:
        """The file that stands beside a column, if it can: it has the column, and measures the same."""
        node, what, add = self.root.find(path), dotted(path), self.findings.add
        if beside.source not in self.files:
            hint = self._hint(beside.source, self.files, "files")
            where = node.find(("source",)).where()
            add(f"{what}.source: there is no published file {show(beside.source)}", where, hint)
        file = self.files.get(beside.source)
        if file is None:
            return []
        if beside.column is None and file.columns:
            hint = f'add column = "…"; its columns: {listed(file.columns)}'
            add(f"{what}: which column of {file.name}?", node.where(), hint)
        for at, name in _published_columns(beside):
            if name not in file.columns:
                hint = suggestion(name, file.columns, of="its columns")
                told = f"{dotted((*path, *at))}: {file.name} has no column {show(name)}"
                add(told, node.find(at).where(), hint)
        used: list[str | None] = [name for _, name in _published_columns(beside)] or [None]
        metrics = dict.fromkeys(file.metrics[name] for name in used if name in file.metrics)
        for name, ours, theirs in (
            *(("metric", column.value, metric) for metric in metrics),
            ("unit", column.unit, file.unit),
        ):
            if ours != theirs:
                differ = f"the {name} of {file.name} is {show(theirs)}, that of this column is {show(ours)}"
                add(f"{what}: {differ}", node.where(), "only what measures the same can stand beside it")
        return [file]

    def _hint(self, name: str, known: Iterable[str], of: str) -> str:
        if not self.files:
            return 'name the file: published = ["published/….toml"] at the top'
        return suggestion(name, known, of=of)


def _published_columns(beside: Beside) -> Iterator[tuple[Path, str]]:
    """Where a column names columns of a published file, and which."""
    if isinstance(beside.column, dict):
        yield from ((("column", value), name) for value, name in beside.column.items())
    elif beside.column is not None:
        yield ("column",), beside.column


def _methods(rows: Rows | None, path: Path) -> Iterator[tuple[Path, str]]:
    """Where the rows name published methods, and which."""
    if isinstance(rows, RowsBy):
        yield from (((*path, "published", value), method) for value, method in rows.published.items())
    else:
        for index, row in enumerate(rows or ()):
            if row.published is not None:
                yield (*path, index, "published"), row.published
