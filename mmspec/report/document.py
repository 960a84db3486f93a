"""A report as every format renders it: tables, pictures and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from mmspec.records import RunRecord
from mmspec.report.definition import Definition
from mmspec.report.groups import Groups
from mmspec.report.selection import Selection
from mmspec.report.table import Table
from mmspec.report.text import Sentence


@attrs.frozen
class NotedTable:
    """A table and what stands under it."""

    table: Table
    notes: Sequence[Sentence]


@attrs.frozen
class Picture:
    """A figure, drawn: `data` are its files' contents by format (svg, png)."""

    name: str
    title: str
    text: str
    data: Mapping[str, bytes]
    notes: Sequence[Sentence]
    groups: Groups

    def file(self, format_: str) -> str:
        """Where the file of a format goes, below the report's folder."""
        return f"figures/{self.name}.{format_}"


@attrs.frozen
class Document:
    """A report whose numbers are there; `folder` is where its files go, so that links can be relative."""

    definition: Definition
    selection: Selection
    tables: Sequence[NotedTable]
    pictures: Sequence[Picture]
    notes: Sequence[Sentence]
    used: Sequence[tuple[str, RunRecord]]
    folder: Path

    @property
    def paragraphs(self) -> list[str]:
        """The introduction, in paragraphs."""
        return [part for part in self.definition.text.strip().split("\n\n") if part.strip()]


def used_runs(several: Sequence[Groups]) -> list[tuple[str, RunRecord]]:
    """Each run of these rows once, with the label of its row, in the order of the rows."""
    seen: dict[Path, tuple[str, RunRecord]] = {}
    for groups in several:
        for label, runs in groups.items():
            for run in sorted(runs, key=lambda run: run.seed):
                seen.setdefault(run.path, (label, run))
    return list(seen.values())
