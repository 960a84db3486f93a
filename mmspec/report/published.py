"""Published figures to compare with: other people's claims, read strictly and shown as they were printed.

A file says where its figures are from, what they measure, and one row for each method:

    source = "Wu et al., ICML 2022"
    url = "https://…"
    metric = "test/accuracy"
    unit = "percent"
    columns = ["modelnet40"]

    [[row]]
    method = "none"
    modelnet40 = { mean = 90.09, std = 0.58 }

Without `columns`, a row has a single `value`. Where not all columns measure the same, `metric` is a table
that says it of each: `metric = { before = "first/test/accuracy", after = "last/test/accuracy" }`.

Nothing in such a file is a result of mmspec, and nothing is filled in from the environment: its words are
other people's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from mmspec.spec.findings import Findings
from mmspec.spec.load import parse, read_source
from mmspec.spec.model import key
from mmspec.spec.structure import Misfit, MisfitError, structure, structure_fields
from mmspec.spec.tree import Node
from mmspec.spec.typed import note
from mmspec.spec.words import show, suggestion

_PLAIN = re.compile(r"-?\d+(\.\d+)?")
_ROW_KEYS = frozenset({"method", "label", "value"})


@attrs.frozen
class Claim:
    """A published figure; the texts have the digits that were printed. `std` is None where none was."""

    mean: float
    std: float | None
    mean_text: str
    std_text: str | None


@attrs.frozen
class PublishedRow:
    """One method: `claims` by column, the single value by None; `label` is what the publication calls it."""

    method: str
    label: str
    claims: Mapping[str | None, Claim]


@attrs.frozen
class Published:
    """A file of published figures; `rows` by method, `metrics` by column, the single one by None."""

    name: str
    source: str
    url: str | None
    metrics: Mapping[str | None, str]
    unit: Literal["number", "percent"]
    columns: tuple[str, ...]
    rows: Mapping[str, PublishedRow]


def read_published(root: Node, findings: Findings) -> dict[str, Published | None]:
    """The files that the `published` of a report names, by name; None, with findings, for a wrong one."""
    files: dict[str, Published | None] = {}
    for node in root.find(("published",)).items:
        if not isinstance(node.value, str):
            continue  # the definition has told
        path = Path(node.place.source.file).parent / node.value
        if path.stem in files:
            findings.add(f"published: two files are called {show(path.stem)}", node.where(), "rename one")
        else:
            files[path.stem] = _read(path, node, findings)
    return files


def _read(path: Path, named: Node, findings: Findings) -> Published | None:
    source = read_source(path, named.where(), findings) if str(path).isprintable() else None
    tree = parse(source, findings) if source is not None else None
    if tree is None:
        return None
    try:
        return published_of(path.stem, tree)
    except MisfitError as error:
        note(error, tree, (), findings)
        return None


def published_of(name: str, tree: Node) -> Published:
    """The published figures that a file says.

    Raises:
        MisfitError: with all that is wrong with it.
    """
    head: _Head = structure_fields(_Head, tree.plain())
    rows = dict(_rows(head, tree))
    return Published(name, head.source, head.url, _metrics(head), head.unit, head.columns, rows)


# ---------------------------------------------------------------- the form of a file


def is_link(_: object, __: object, value: str | None) -> None:
    """A validator: a web address."""
    if value is not None and not re.fullmatch(r"https?://[!-~]+", value):
        raise ValueError(f"{show(value)} is no http or https address")


def is_finite(_: object, __: object, value: float) -> None:
    """A validator: neither NaN nor infinite."""
    if not math.isfinite(value):
        raise ValueError(f"must be finite, not {value}")


def _spread(_: object, __: object, value: float) -> None:
    is_finite(_, __, value)
    if value < 0:
        raise ValueError(f"must be 0 or above, not {value}")


@attrs.frozen(kw_only=True)
class _Head:
    """The file as a whole; its rows are read apart, since their keys depend on `columns`."""

    source: str = key("who published the figures, as a reader should see it")
    metric: str | dict[str, str] = key(
        "what was measured, with its split, e.g. test/accuracy; a table: of each column"
    )
    unit: Literal["number", "percent"] = key("percent: the figures are out of 100")
    row: tuple[dict[str, Any], ...] = key("one table for each method")
    url: str | None = key("where it was published", default=None, validator=is_link)
    columns: tuple[str, ...] = key("the figures of each row; absent: a single value", default=())


@attrs.frozen(kw_only=True)
class _MeanStd:
    mean: float = key("the mean", validator=is_finite)
    std: float = key("the standard deviation", validator=_spread)


@attrs.frozen(kw_only=True)
class _Names:
    method: str = key("what reports call this row")
    label: str | None = key("what the publication calls it", default=None)


def _metrics(head: _Head) -> dict[str | None, str]:
    """What each column measures, the single one by None.

    Raises:
        MisfitError: it is said of other columns than there are.
    """
    if isinstance(head.metric, str):
        return dict.fromkeys(head.columns or (None,), head.metric)
    said = head.metric
    misfits = [
        Misfit("no such column", ("metric", name), suggestion(name, head.columns, of="columns"), on_key=True)
        for name in said
        if name not in head.columns
    ]
    missing = [name for name in head.columns if name not in said]
    misfits += [Misfit(f"does not say what {show(name)} measures", ("metric",)) for name in missing]
    if misfits:
        raise MisfitError(misfits)
    return {name: said[name] for name in head.columns}


def _rows(head: _Head, tree: Node) -> Iterator[tuple[str, PublishedRow]]:
    """The rows by method.

    Raises:
        MisfitError: with all that is wrong with any of them.
    """
    misfits: list[Misfit] = []
    seen: set[str] = set()
    if clash := sorted(_ROW_KEYS & set(head.columns)):
        misfits.append(Misfit(f"{show(clash[0])} cannot be the name of a column", ("columns",)))
    for index, table in enumerate(head.row):
        try:
            row = _row(table, head, tree.find(("row", index)))
        except MisfitError as error:
            misfits += [attrs.evolve(m, path=("row", *m.path)) for m in error.below(index)]
            continue
        if row.method in seen:
            misfits.append(Misfit(f"another row is called {show(row.method)}", ("row", index, "method")))
        seen.add(row.method)
        yield row.method, row
    if misfits:
        raise MisfitError(misfits)


def _row(table: Mapping[str, Any], head: _Head, node: Node) -> PublishedRow:
    wanted = head.columns or ("value",)
    misfits: list[Misfit] = []
    claims: dict[str | None, Claim] = {}
    for name in [name for name in table if name not in ("method", "label")]:
        if name not in wanted:
            hint = suggestion(name, (*wanted, "method", "label"), of="keys here")
            misfits.append(Misfit("no such key", (name,), hint, on_key=True))
            continue
        try:
            claims[name if head.columns else None] = _claim(table[name], node.find((name,)))
        except MisfitError as error:
            misfits += error.below(name)
    if not claims and not misfits:
        misfits.append(Misfit("has no figure", hint=f"add one of: {', '.join(wanted)}"))
    try:
        names = structure_fields(_Names, {k: v for k, v in table.items() if k in ("method", "label")})
    except MisfitError as error:
        misfits += error.misfits
    if misfits:
        raise MisfitError(misfits)
    return PublishedRow(names.method, names.label or names.method, claims)


def _claim(value: Any, node: Node) -> Claim:
    if isinstance(value, Mapping):
        both: _MeanStd = structure_fields(_MeanStd, value)
        mean, std = (as_printed(node.table[name], getattr(both, name)) for name in ("mean", "std"))
        return Claim(both.mean, both.std, mean, std)
    single = structure(value, float)
    if not math.isfinite(single):
        raise MisfitError([Misfit(f"must be finite, not {single}")])
    return Claim(single, None, as_printed(node, single), None)


def as_printed(node: Node, value: float) -> str:
    """A number with the digits it was written with: 83.20 stays 83.20."""
    place = node.place
    text = place.source.text[place.start : place.start + place.width].replace("_", "").removeprefix("+")
    return text if _PLAIN.fullmatch(text) else repr(value)
