"""Published entries of leaderboards: read strictly, from files of two forms.

A list of entries, each on the leaderboard of some data set and metric:

    source = "public leaderboard page for …"
    method = "guided"                  # of rows that name none

    [[row]]
    task = "emotion recognition"
    dataset = "CREMA-D"
    metric = "accuracy (6-class)"
    value = 65.35
    rank = 23                          # its place on that page, on the day it was read
    unit = "percent"                   # rows without: the reader of the file has to say

The other form is that of published figures (`published.py`): each column is a data set. Nothing in such a
file is a result of mmspec.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import attrs

from mmspec.report.published import Claim, as_printed, is_link, published_of
from mmspec.spec.findings import Findings
from mmspec.spec.load import parse, read_source
from mmspec.spec.model import key
from mmspec.spec.structure import Misfit, MisfitError, structure_fields
from mmspec.spec.tree import Node
from mmspec.spec.typed import note
from mmspec.spec.words import show

Unit = Literal["number", "percent"]


@attrs.frozen
class Listing:
    """One published entry: a value of a method on a data set. `rank` is its place where it was published.

    `unit` is None where the file does not say it: such a value can be shown, and be compared with nothing.
    """

    file: str
    source: str
    url: str | None
    method: str
    dataset: str
    metric: str
    claim: Claim
    unit: Unit | None = None
    rank: int | None = None
    task: str | None = None


#: The entries of the files of one leaderboard; None where a file cannot be read.
Listings = tuple[Listing, ...] | None


def read_listings(root: Node, findings: Findings) -> list[Listings]:
    """For each `[[leaderboards]]` of a report, the entries of the files that it names."""
    return [_listings(board.find(("published",)), findings) for board in root.find(("leaderboards",)).items]


def _listings(named: Node, findings: Findings) -> Listings:
    found: list[Listing] = []
    names: set[str] = set()
    whole = True
    for node in named.items:
        if not isinstance(node.value, str):
            continue  # the definition has told
        path = Path(node.place.source.file).parent / node.value
        if path.stem in names:
            findings.add(f"published: two files are called {show(path.stem)}", node.where(), "rename one")
        names.add(path.stem)
        try:
            found += _read(path, node, findings)
        except _UnreadableError:
            whole = False
    return tuple(found) if whole else None


class _UnreadableError(Exception):
    """What is wrong with a file has been told."""


def _read(path: Path, named: Node, findings: Findings) -> Iterator[Listing]:
    source = read_source(path, named.where(), findings) if str(path).isprintable() else None
    tree = parse(source, findings) if source is not None else None
    if tree is None:
        raise _UnreadableError
    try:
        yield from _of_figures(path.stem, tree) if "metric" in tree.table else _of_entries(path.stem, tree)
    except MisfitError as error:
        note(error, tree, (), findings)
        raise _UnreadableError from None


def _of_figures(name: str, tree: Node) -> Iterator[Listing]:
    """The entries of a file of published figures: each of its columns is a data set."""
    file = published_of(name, tree)
    for row in file.rows.values():
        for column, claim in row.claims.items():
            metric = file.metrics[column]
            yield Listing(name, file.source, file.url, row.label, column or name, metric, claim, file.unit)


# ---------------------------------------------------------------- a list of entries


def _positive(_: object, __: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError(f"must be 1 or above, not {value}")


@attrs.frozen(kw_only=True)
class _File:
    source: str = key("who published the entries, as a reader should see it")
    row: tuple[dict[str, Any], ...] = key("one table for each entry")
    url: str | None = key("where they were published", default=None, validator=is_link)
    method: str | None = key("the method of rows that name none", default=None)


@attrs.frozen(kw_only=True)
class _Row:
    task: str = key("what the data set is a benchmark of")
    dataset: str = key("the data set, as the publication calls it")
    metric: str = key("what was measured, as the publication calls it")
    value: float = key("the value as it was printed")
    rank: int | None = key("the place on the page's own leaderboard", default=None, validator=_positive)
    unit: Unit | None = key("percent: out of 100; absent: not said", default=None)
    method: str | None = key("whose value it is", default=None)


def _of_entries(name: str, tree: Node) -> list[Listing]:
    """The rows of the file.

    Raises:
        MisfitError: with all that is wrong with the file and its rows.
    """
    file: _File = structure_fields(_File, tree.plain())
    misfits: list[Misfit] = []
    found: list[Listing] = []
    seen: set[tuple[str, str, str]] = set()
    for index, table in enumerate(file.row):
        try:
            row: _Row = structure_fields(_Row, table)
        except MisfitError as error:
            misfits += [attrs.evolve(m, path=("row", *m.path)) for m in error.below(index)]
            continue
        method = row.method or file.method
        if method is None:
            what = "names no method, and neither does the file"
            misfits.append(Misfit(what, ("row", index), 'add method = "…" here, or at the top'))
            continue
        if (method, row.dataset, row.metric) in seen:
            what = f"another row has {show(row.metric)} of {show(method)} on {show(row.dataset)}"
            misfits.append(Misfit(what, ("row", index)))
        seen.add((method, row.dataset, row.metric))
        claim = Claim(row.value, None, as_printed(tree.find(("row", index, "value")), row.value), None)
        listing = Listing(name, file.source, file.url, method, row.dataset, row.metric, claim)
        found.append(attrs.evolve(listing, unit=row.unit, rank=row.rank, task=row.task))
    if misfits:
        raise MisfitError(misfits)
    return found
