"""How to read a table: what its cells sum up, what is best, what is tested; made from its definition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import attrs

from mmspec.report.definition import Column
from mmspec.report.tables.aggregates import IN_WORDS
from mmspec.report.tables.statistics import ALPHA, MIN_TESTED
from mmspec.report.tables.table import Cell, Table
from mmspec.report.text import Sentence, listed, spans


def reading_notes(table: Table) -> Iterator[Sentence]:
    """One sentence for each thing that a reader must know."""
    if table.seeds_expected:
        yield from _aggregates(table)
        yield from _deltas(table)
        yield from _places(table)
        yield from _mean_ranks(table)
        yield from _best(table)
        yield from _tests(table)


def cells_of(table: Table) -> Iterator[tuple[str, Cell]]:
    """The cells with the labels of their rows."""
    return ((label, cell) for label, row in table.cells.items() for cell in row)


def short_name(column: Column, columns: Sequence[Column]) -> str:
    """What a reader calls a column: its label, with the heads above it where others have the same."""
    labels = [other.label for other in columns]
    return column.name if labels.count(column.label) > 1 else column.label


def _names(columns: Sequence[Column], table: Table) -> Sentence:
    return listed([short_name(column, table.definition.columns) for column in columns])


def _as_written(table: Table, show: str) -> list[Column]:
    """The columns of the definition that show this, with their aggregates."""
    own = [
        attrs.evolve(c, aggregate=c.aggregate or table.definition.aggregate) for c in table.definition.columns
    ]
    return [column for column in own if column.show == show]


# ---------------------------------------------------------------- what cells sum up


def _aggregates(table: Table) -> Iterator[Sentence]:
    n = table.seeds_expected
    seeds = spans({run.seed for _, cell in cells_of(table) for run in cell.runs})
    if n == 1:
        yield (f"One seed ({seeds}).",)
        return
    counts = {len(cell.taken) for _, cell in cells_of(table)} - {0, n}
    over = f"over n = {n} seeds ({seeds})" + ", unless a cell says otherwise" * bool(counts)
    by_words: dict[str, list[Column]] = defaultdict(list)
    for column in _as_written(table, "value"):
        by_words[IN_WORDS[column.aggregate or "mean_std"]].append(column)
    if len(by_words) == 1:
        yield (f"{_capital(*by_words)} {over}.",)
    else:
        parts: list[Sentence] = [
            (f"{words} in ", *_names(columns, table)) for words, columns in by_words.items()
        ]
        yield (_capital(over), *_joined(parts), ".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(parts: Iterable[Sentence]) -> Sentence:
    """Parts of a sentence behind a colon."""
    return tuple(piece for index, part in enumerate(parts) for piece in ("; " if index else ": ", *part))


def _deltas(table: Table) -> Iterator[Sentence]:
    """What a difference is, and where its spread is from."""
    baseline = table.definition.baseline
    kinds: dict[str, list[Column]] = defaultdict(list)
    for column in _as_written(table, "delta"):
        kinds[_difference(column, table)].append(column)
    for kind, columns in kinds.items():
        yield (*_names(columns, table), f": difference to {baseline}{kind}.")


def _difference(column: Column, table: Table) -> str:
    how = column.aggregate or "mean_std"
    points = ", in percentage points" if column.unit == "percent" else ""
    several = "medians" if how.startswith("median") else "means"
    if table.definition.test == "paired":
        pairs = f"{IN_WORDS[how]} of the differences of runs with one seed"
        return f"{points}: {pairs}; where there are no pairs, that of the {several}"
    interval = ", with Welch's 95 % confidence interval" if how == "mean_ci" else ", without a spread"
    return f"{points}: that of the {several}{interval}"


def _places(table: Table) -> Iterator[Sentence]:
    if columns := _as_written(table, "rank"):
        centres = {"median" if str(column.aggregate).startswith("median") else "mean" for column in columns}
        by = " or ".join(sorted(centres))
        yield (*_names(columns, table), f": place in the column by the {by} as rounded, ties share it.")


def _mean_ranks(table: Table) -> Iterator[Sentence]:
    ranks = table.mean_ranks
    if ranks is None:
        return
    if not ranks.columns:
        yield ("No mean rank: there is no column with a better direction in which every row has a number.",)
        return
    columns = [short_name(column, table.columns) for column in ranks.columns]
    yield ("Mean rank: over ", *listed(columns), "; ties share the mean of their ranks.")


def _best(table: Table) -> Iterator[Sentence]:
    if any(cell.is_best for _, cell in cells_of(table)):
        second = ", second underlined" if any(table.is_second(cell) for _, cell in cells_of(table)) else ""
        yield (f"Best of a column in bold{second}; ranked as rounded, so ties share the mark.",)


# ---------------------------------------------------------------- tests


def _tests(table: Table) -> Iterator[Sentence]:
    """Which test, over how many seeds, and which rows it marks."""
    wanted = table.definition
    testable = any(column.show != "rank" and column.aggregate != "n" for column in table.columns)
    if wanted.baseline is None or wanted.test == "none" or not testable:
        return
    paired = wanted.test == "paired"
    units = "pairs" if paired else "seeds"
    if not table.is_tested:
        yield (
            f"No tests against {wanted.baseline}: fewer than {MIN_TESTED} {units}, or no spread over them.",
        )
    else:
        pairs = spans({len(cell.taken) for _, cell in cells_of(table) if cell.p is not None})
        test = f"paired t-test over {pairs} pairs of runs with one seed" if paired else "Welch's t-test"
        yield (
            f"† differs from {wanted.baseline}: {test}, p < {ALPHA:g} after Holm's correction over the tests"
            f" of the column; cells with fewer than {MIN_TESTED} {units} are not tested. ",
            *_marked(table),
        )
    if paired:
        yield from _unpaired(table)


def _marked(table: Table) -> Sentence:
    marked = dict.fromkeys(label for label, cell in cells_of(table) if cell.differs)
    return ("Marked: ", *listed(marked), ".") if marked else ("No cell is marked.",)


def _unpaired(table: Table) -> Iterator[Sentence]:
    """Rows whose runs are no pairs with the baseline's, by what is wrong with them."""
    by_reason: dict[str, dict[str, None]] = defaultdict(dict)
    for label, cell in cells_of(table):
        if cell.unpaired is not None:
            by_reason[cell.unpaired][label] = None
    parts: list[Sentence] = [(f"{reason} (", *listed(labels), ")") for reason, labels in by_reason.items()]
    if parts:
        yield (f"No pairs with {table.definition.baseline}, so not tested", *_joined(parts), ".")
