"""Whether runs of two rows are pairs: of one seed, on the same data and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmspec.plugins.recorded import RecordedRun


def not_pairs(runs: Sequence[RecordedRun], others: Sequence[RecordedRun]) -> str | None:
    """Why these runs cannot be compared pair by pair, both in the order of their seeds; None if they can."""
    if [run.seed for run in runs] != [run.seed for run in others]:
        return "other seeds"
    for run, other in zip(runs, others, strict=True):
        for (what, mine), (_, theirs) in zip(_facts(run), _facts(other), strict=True):
            if mine is None or mine != theirs:
                return what
    return None


def _facts(run: RecordedRun) -> Iterator[tuple[str, Any]]:
    """What pairs have in common: each with what is wrong where they do not, or do not say it."""
    stage = run.main_stage
    yield "another data set", stage.get("dataset")
    yield "another split", {"split": stage.get("split")}
    data = run.identity.get("data")
    yield "other data", data.get(stage.get("name")) if isinstance(data, Mapping) else None
