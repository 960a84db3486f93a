"""What the types of `[[leaderboards]]` cannot say: each mistake at its place."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mmspec.report.definition import Leaderboard, Match
from mmspec.report.leaderboards.listing import Listing, Listings
from mmspec.spec.findings import Findings
from mmspec.spec.scan import Path
from mmspec.spec.tree import Node
from mmspec.spec.words import dotted, show, suggestion


def check_leaderboards(
    boards: Sequence[Leaderboard], listings: Sequence[Listings], root: Node, findings: Findings
) -> None:
    """Tell the findings what is wrong with what boards match with published entries."""
    for index, (board, entries) in enumerate(zip(boards, listings, strict=True)):
        here: Path = ("leaderboards", index)
        if (board.match or board.elsewhere) and not board.published:
            hint = 'name the files: published = ["published/….toml"]'
            findings.add(f"{dotted(here)}: names no published file", root.find(here).where(), hint)
        elif entries is not None:
            for place, match in enumerate(board.match):
                path: Path = (*here, "match", place)
                _check_match(match, board.value, entries, _At(root.find(path), dotted(path), findings))


@attrs.frozen
class _At:
    """Where a match stands, and how its place is called."""

    node: Node
    name: str
    findings: Findings

    def add(self, key: str, what: str, hint: str) -> None:
        """Note a mistake at a key, or at the whole table where it has no such key."""
        node = self.node.table.get(key, self.node)
        self.findings.add(f"{self.name}{what}", node.where(), hint)


def matched(match: Match, value: str, entries: Sequence[Listing]) -> list[Listing]:
    """The published entries that a match on a board of `value` means."""
    metric = match.metric or value
    return [entry for entry in entries if (entry.dataset, entry.metric) == (match.dataset, metric)]


def _check_match(match: Match, value: str, entries: Sequence[Listing], at: _At) -> None:
    """It means some entries, and they can be compared with ours."""
    datasets = list(dict.fromkeys(entry.dataset for entry in entries))
    found = matched(match, value, entries)
    unsaid = [entry for entry in found if entry.unit is None]
    if match.dataset not in datasets:
        hint = suggestion(match.dataset, datasets, of="published data sets")
        at.add("dataset", f".dataset: no published entry is about {show(match.dataset)}", hint)
    elif not found:
        metric = match.metric or value
        metrics = dict.fromkeys(entry.metric for entry in entries if entry.dataset == match.dataset)
        hint = suggestion(metric, metrics, of="its metrics")
        at.add("metric", f".metric: no published entry of {show(match.dataset)} has {show(metric)}", hint)
    elif match.unit is None and unsaid:
        said = f": the file does not say the unit of {unsaid[0].claim.mean_text}"
        at.add("", said, 'say it: unit = "percent", or unit = "number"')
    elif any(match.unit and entry.unit not in (None, match.unit) for entry in found):
        at.add("unit", ".unit: the file says another unit", "leave unit out")
