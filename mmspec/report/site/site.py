"""A report as its site sees it: which runs have pages, what they are called, and how they belong together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.document import Document
from mmspec.report.runs.notes import WHY
from mmspec.report.runs.selection import Reason
from mmspec.report.site.family import Family, relate
from mmspec.report.site.names import Names, name_runs


@attrs.frozen(slots=False)
class Site:
    """What the pages of a site need to know of each other."""

    document: Document
    folder: Path
    names: Names
    family: Family
    rows: Mapping[str, str]
    reasons: Mapping[str, Reason]

    @property
    def title(self) -> str:
        """The title of the report."""
        return self.document.definition.title

    @cached_property
    def runs(self) -> list[RecordedRun]:
        """All runs that have a page: those that enter in the order of the rows, then the others."""
        ordered = [run for _, run in self.document.used] + list(self.document.selection.all_runs)
        return list({run.address: run for run in ordered}.values())

    @cached_property
    def _has_several(self) -> bool:
        """Whether there are runs of several experiments."""
        return len({run.experiment for run in self.runs}) > 1

    def part_of(self, run: RecordedRun) -> str:
        """Where a run stands in the report, or why it does not."""
        if row := self.rows.get(run.address):
            return f"row {row}"
        reason = self.reasons.get(run.address)
        return f"left out, {WHY[reason]}" if reason else "in no row"

    def name(self, run: RecordedRun) -> str:
        """What a run is called on other pages: its labels, and its seed."""
        before = f"{run.experiment}: " if self._has_several and run.labels else ""
        return f"{before}{run.label}, seed {run.seed}"


def plan_site(document: Document, folder: Path) -> Site:
    """The site of a report, to be written into `folder`."""
    used = {run.address: label for label, run in document.used}
    reasons = {left.run.address: left.reason for left in document.selection.left_out}
    every = [run for _, run in document.used] + list(document.selection.all_runs)
    return Site(document, folder, name_runs(every), relate(document), used, reasons)
