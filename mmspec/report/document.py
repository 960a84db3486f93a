"""A report as every format renders it: tables, pictures and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import Definition
from mmspec.report.grid import Grid
from mmspec.report.runs.groups import Groups
from mmspec.report.runs.selection import Selection
from mmspec.report.runs.stale import Comparison
from mmspec.report.tables.as_grid import as_grid
from mmspec.report.tables.table import Table
from mmspec.report.text import Sentence


@runtime_checkable
class Gridded(Protocol):
    """A block that is shown as a grid, whatever it is made of: a table of runs, a leaderboard."""

    @property
    def grid(self) -> Grid:
        """What the formats show."""

    @property
    def notes(self) -> Sequence[Sentence]:
        """What stands under it."""


@attrs.frozen(slots=False)
class NotedTable:
    """A table of runs and what stands under it."""

    table: Table
    notes: Sequence[Sentence]

    @cached_property
    def grid(self) -> Grid:
        """What the formats show of it."""
        return as_grid(self.table, self.notes)


@attrs.frozen
class Words:
    """A text block."""

    title: str | None
    paragraphs: Sequence[str]


@attrs.frozen
class Picture:
    """A figure, drawn: `data` are its files' contents by format (svg, png, pgf)."""

    name: str
    title: str
    text: str
    data: Mapping[str, bytes]
    notes: Sequence[Sentence]
    groups: Groups

    def file(self, format_: str) -> str:
        """Where the file of a format goes, below the report's folder."""
        return f"figures/{self.name}.{format_}"


#: What a report is made of, in the order in which it was written.
Block = Gridded | Picture | Words


@attrs.frozen
class Document:
    """A report whose numbers are there; `folder` is where its files go, so that links can be relative.

    `comparison` says which of its runs are stale, and what their specs ask for now.
    """

    definition: Definition
    selection: Selection
    blocks: Sequence[Block]
    notes: Sequence[Sentence]
    used: Sequence[tuple[str, RecordedRun]]
    folder: Path
    comparison: Comparison = attrs.field(factory=Comparison)

    @property
    def tables(self) -> list[NotedTable]:
        """The tables of runs, in order."""
        return [block for block in self.blocks if isinstance(block, NotedTable)]

    @property
    def grids(self) -> list[Gridded]:
        """All that is shown as a grid, in order."""
        return [block for block in self.blocks if isinstance(block, Gridded)]

    @property
    def pictures(self) -> list[Picture]:
        """The figures, in order."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    @property
    def paragraphs(self) -> list[str]:
        """The introduction, in paragraphs."""
        return paragraphs(self.definition.text)


def paragraphs(text: str) -> list[str]:
    """A text in paragraphs, which blank lines part."""
    return [part for part in text.strip().split("\n\n") if part.strip()]


def used_runs(several: Sequence[Groups]) -> list[tuple[str, RecordedRun]]:
    """Each run of these rows once, with the label of its row, in the order of the rows."""
    seen: dict[str, tuple[str, RecordedRun]] = {}
    for groups in several:
        for label, runs in groups.items():
            for run in sorted(runs, key=lambda run: run.seed):
                seen.setdefault(run.address, (label, run))
    return list(seen.values())
