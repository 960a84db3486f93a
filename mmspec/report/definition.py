"""A report as typed records: what the TOML of one report may say, key by key."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from mmspec.report.tables.aggregates import Aggregate
from mmspec.report.tables.statistics import Better
from mmspec.spec.model import Use, key

#: The version of the report language this mmspec speaks.
LANGUAGE = 1

#: What a `where` or a label of a run may be.
Scalar = str | bool | int | float


def _heads(_: object, __: object, value: str | tuple[str, ...] | None) -> None:
    if isinstance(value, tuple) and not all(value):
        raise ValueError("has an empty head")
    if value == ():
        raise ValueError("is an empty list")


def _few_digits(_: object, __: object, value: int | None) -> None:
    if value is not None and not 0 <= value <= 12:
        raise ValueError(f"must be between 0 and 12, not {value}")


@attrs.frozen(kw_only=True)
class RowsBy:
    """`rows = {by = …}`: one row for each value that the runs have."""

    by: str = key("a label of the runs (variant, a swept key), a key of their spec, or experiment")
    order: tuple[Scalar, ...] = key(
        "these values first, in this order, whether or not runs have them", default=()
    )
    labels: dict[str, str] = key("what a reader sees instead of a value", factory=dict)
    published: dict[str, str] = key("for a value: the `method` it is called in published files", factory=dict)


@attrs.frozen(kw_only=True)
class Row:
    """`[[rows]]`: one row, said explicitly; either by `where`, or by `best_of` and `by`."""

    label: str = key("what a reader sees")
    where: dict[str, Scalar] = key(
        "the runs of this row: labels or keys of their spec, and their values", factory=dict
    )
    best_of: tuple[dict[str, Scalar], ...] = key(
        "several `where`: in each column, the row is the one of them with the highest mean of `by`",
        default=(),
    )
    by: str | None = key(
        "the metric that chooses from best_of, never of a test split, e.g. val/accuracy", default=None
    )
    published: str | None = key("the `method` that this row is called in published files", default=None)


Rows = RowsBy | tuple[Row, ...]


@attrs.frozen(kw_only=True)
class Beside:
    """`published = {…}` of a column: the published figures that stand beside it."""

    source: str = key("a file named by the report's `published`, without its folder and .toml")
    column: str | dict[str, str] | None = key(
        "its column; absent: its rows have a single value each; in a table with `across`, a table: for each"
        " value that has a published column, which",
        default=None,
    )


@attrs.frozen(kw_only=True)
class Column:
    """`[[tables.columns]]`: one number of every run."""

    label: str = key("the head of the column")
    value: str = key("a metric with its split, e.g. test/accuracy")
    group: str | tuple[str, ...] | None = key(
        "a head above this column and its neighbours of the same group; a list: heads above each other,"
        " outermost first",
        default=None,
        validator=_heads,
    )
    unit: Literal["number", "percent"] = key("percent: shown times 100", default="number")
    digits: int | None = key(
        "digits after the point; absent: 1 for percent, 3 for numbers", default=None, validator=_few_digits
    )
    better: Better = key("which direction is better: max, min, or none", default="none")
    where: dict[str, Scalar] = key("only these runs of the row count in this column", factory=dict)
    aggregate: Aggregate | None = key(
        "how the seeds of a cell are summed up: mean_std (mean ± standard deviation), median_iqr (median and"
        " quartiles), mean_range (mean, lowest and highest), mean_ci (mean and its 95 % confidence interval),"
        " mean, median, or n (how many seeds); absent: as the table says",
        default=None,
    )
    show: Literal["value", "rank", "delta"] = key(
        "value: the number; rank: its place in the column; delta: its difference to the baseline's",
        default="value",
    )
    published: Beside | None = key("published figures to show beside this column", default=None)

    @property
    def groups(self) -> tuple[str, ...]:
        """The heads above it, outermost first."""
        return self.group if isinstance(self.group, tuple) else (self.group,) if self.group else ()

    @property
    def name(self) -> str:
        """Its label with the heads above it, in one line."""
        return ", ".join((*self.groups, self.label))

    @property
    def shows_percent(self) -> bool:
        """Whether its cells are in percent: a rank and a count have no unit."""
        return self.unit == "percent" and self.show != "rank" and self.aggregate != "n"

    @property
    def decimals(self) -> int:
        """Digits after the point."""
        if self.digits is not None:
            return self.digits
        return 1 if self.unit == "percent" else 3

    @property
    def factor(self) -> float:
        """What a value is multiplied by before it is shown."""
        return 100.0 if self.unit == "percent" else 1.0


@attrs.frozen(kw_only=True)
class Across:
    """`[tables.across]`: each column stands once for each value of a label, below its head."""

    by: str = key("a label of the runs, a key of their spec, or experiment")
    order: tuple[Scalar, ...] = key(
        "these values first, in this order, whether or not runs have them", default=()
    )
    rest: bool = key("whether the values that are not in order follow, sorted", default=True)
    labels: dict[str, str] = key("what a reader sees instead of a value", factory=dict)


@attrs.frozen(kw_only=True)
class Table:
    """`[[tables]]`: strategies down, numbers across, each cell a mean over seeds."""

    columns: tuple[Column, ...] = key("the columns, in order")
    title: str = key("the caption")
    text: str = key("a sentence or two under the caption", default="")
    rows: Rows | None = key("the rows; absent: those of the report", default=None)
    across: str | Across | None = key(
        "each column stands once for each value of this label or key (each dataset, say)", default=None
    )
    aggregate: Aggregate = key(
        "how the seeds of a cell are summed up, unless its column says", default="mean_std"
    )
    baseline: str | None = key("label of the row that the others are compared with", default=None)
    test: Literal["welch", "paired", "none"] = key(
        "how they are tested against it: welch, paired (pairs of runs of one seed, on the same data and"
        " split), or none",
        default="welch",
    )
    mean_rank: bool = key("a last column with the mean rank of each row over the columns", default=False)
    underline_second: bool = key("underline the second best", default=False)

    @property
    def over(self) -> Across | None:
        """What the columns stand across, said in full."""
        return Across(by=self.across) if isinstance(self.across, str) else self.across


@attrs.frozen(kw_only=True)
class FigureBlock(Use):
    """`[[figures]]`: a picture, drawn by a plugin."""

    title: str = key("the caption")
    name: str | None = key("name of its files; absent: the plugin's", default=None)
    text: str = key("a sentence or two under the caption", default="")
    rows: Rows | None = key("what is drawn; absent: the rows of the report", default=None)


@attrs.frozen(kw_only=True)
class TextBlock:
    """`[[texts]]`: words between tables and figures."""

    text: str = key("what it says; blank lines part paragraphs")
    title: str | None = key("a heading above it", default=None)


@attrs.frozen(kw_only=True)
class Match:
    """`[[leaderboards.match]]`: which published entries measure the same as a board of ours."""

    ours: str = key("the value of `across` whose board they stand on, e.g. colored_mnist")
    dataset: str = key("what the published file calls the data set; of a file with columns, the column")
    metric: str | None = key(
        "what the published file calls the metric; absent: the leaderboard's value", default=None
    )
    unit: Literal["number", "percent"] | None = key(
        "the unit of the published values, where the file does not say it", default=None
    )


@attrs.frozen(kw_only=True)
class Leaderboard:
    """`[[leaderboards]]`: methods ranked on one number, ours and published ones in one list."""

    title: str = key("the caption")
    value: str = key("a metric with its split, e.g. test/accuracy")
    better: Literal["max", "min"] = key("which direction is better", default="max")
    by: str = key("what a method is: a label of the runs, or a key of their spec", default="variant")
    across: str = key("one board for each value of this label or key", default="dataset")
    where: dict[str, Scalar] = key("only these runs count", factory=dict)
    unit: Literal["number", "percent"] = key("percent: shown times 100", default="number")
    digits: int | None = key(
        "digits after the point; absent: 1 for percent, 3 for numbers", default=None, validator=_few_digits
    )
    labels: dict[str, str] = key("what a reader sees instead of a value of by or across", factory=dict)
    published: tuple[str, ...] = key(
        "files of published entries, or of published figures, as seen from the report's file", default=()
    )
    match: tuple[Match, ...] = key("which published entries stand on which of our boards", default=())
    elsewhere: bool = key("list the published entries that stand on no board of ours, too", default=False)
    text: str = key("a sentence or two under the caption", default="")

    @property
    def column(self) -> Column:
        """The number of each entry, as a column of a table has it."""
        return Column(
            label=self.value, value=self.value, unit=self.unit, digits=self.digits, better=self.better
        )


@attrs.frozen(kw_only=True)
class Definition:
    """A report."""

    mmspec: int = key("version of the report language")
    title: str = key("title of the report")
    runs: tuple[str, ...] = key(
        "whose runs are read: names or patterns of experiments under the runs' folder, folders (with a slash,"
        " as seen from the report's file), or addresses such as wandb://entity/project"
    )
    text: str = key("what a reader should know first; blank lines part paragraphs", default="")
    made_by: str | dict[str, str] | None = key(
        "the command that makes the runs, or one for each experiment; absent: the one they recorded",
        default=None,
    )
    published: tuple[str, ...] = key("files of published figures, as seen from the report's file", default=())
    rows: Rows | None = key("rows of the tables and figures that do not give their own", default=None)
    tables: tuple[Table, ...] = key("the tables, in order", default=())
    figures: tuple[FigureBlock, ...] = key("the figures, in order", default=())
    leaderboards: tuple[Leaderboard, ...] = key("the leaderboards, in order", default=())
    texts: tuple[TextBlock, ...] = key("the text blocks, in order", default=())


def shown(value: Any) -> str:
    """A label's value as a reader sees it, and as `labels` names it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
