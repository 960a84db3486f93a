"""Which of several settings stands in a row: the best on validation, never on test."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from mmspec.errors import ReportError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import shown
from mmspec.report.runs.groups import Candidate, RowRuns, check_one_setting
from mmspec.report.runs.selection import matches
from mmspec.report.tables.statistics import summarise
from mmspec.report.text import spans
from mmspec.spec.words import show


@attrs.frozen
class Choice:
    """What was chosen for the columns whose `where` is `scope`.

    `means` are the candidates' means of `row.by` over `seeds`, those that all of them have; `lacking` says
    why nothing could be chosen.
    """

    row: RowRuns
    scope: Mapping[str, Any]
    runs: tuple[RecordedRun, ...] = ()
    means: Mapping[str, float] = attrs.field(factory=dict)
    seeds: Sequence[int] = ()
    lacking: str | None = None

    def said(self, place: str) -> str:
        """What was chosen and by how much, for the reader; `place` names the columns."""
        where = f"{place}: " if place else ""
        if self.lacking:
            return f"{where}not chosen, {self.lacking}"
        means = sorted(self.means.items(), key=lambda item: -item[1])
        (best, mean), *others = means
        than = "".join(f", {name} {other:.4f}" for name, other in others)
        over = f"mean over {'seeds' if len(self.seeds) > 1 else 'seed'} {spans(self.seeds)}"
        return f"{where}{best} ({mean:.4f}{than}; {over})"


def choose(row: RowRuns, scope: Mapping[str, Any]) -> Choice:
    """The candidate with the highest mean of `row.by`, over the seeds that all candidates have.

    Candidates that contradict `scope` take no part. Nothing is chosen while one of the others has no runs,
    or no seed is common to all: the best of fewer would pass for the best of all.

    Raises:
        ReportError: a run does not show that the metric's split is none to test on.
    """
    runs = _by_name([candidate for candidate in row.candidates if candidate.fits(scope)], scope)
    if not runs:
        return Choice(row, scope, lacking="none of best_of can have runs here")
    if absent := [name for name, found in runs.items() if not found]:
        return Choice(row, scope, lacking=f"no finished run of {', '.join(absent)}")
    _refuse_test(row, [run for found in runs.values() for run in found])
    numbers = {name: _by_seed(found, str(row.by)) for name, found in runs.items()}
    if absent := [name for name, by_seed in numbers.items() if not by_seed]:
        return Choice(row, scope, lacking=f"no {row.by} of {', '.join(absent)}")
    seeds = sorted(set.intersection(*map(set, numbers.values())))
    if not seeds:
        return Choice(row, scope, lacking=f"no seed is common to {', '.join(runs)}")
    means = {
        name: summarise([by_seed[seed] for seed in seeds]).mean or 0.0 for name, by_seed in numbers.items()
    }
    best = max(means, key=lambda name: means[name])
    return Choice(row, scope, runs[best], means, seeds)


def _by_name(candidates: Sequence[Candidate], scope: Mapping[str, Any]) -> dict[str, tuple[RecordedRun, ...]]:
    """The candidates' runs within `scope`, by names that tell the candidates apart."""
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        names = [", ".join(map(shown, candidate.where.values())) for candidate in candidates]
    found = {}
    for name, candidate in zip(names, candidates, strict=True):
        found[name] = tuple(run for run in candidate.runs if matches(run, scope))
        check_one_setting(name, found[name])
    return found


def _by_seed(runs: Collection[RecordedRun], metric: str) -> dict[int, float]:
    """The finite values of the metric, by seed."""
    values = {run.seed: run.values.get(metric) for run in runs}
    return {
        seed: float(value)
        for seed, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _refuse_test(row: RowRuns, runs: Collection[RecordedRun]) -> None:
    for run in runs:
        place = run.place_of(str(row.by))
        known = not_for_testing(run, place.stage)
        what = f"row {show(row.label)}: by = {show(row.by)}: nothing in run {run.id} shows that"
        splits = f"splits that it could select on: {', '.join(sorted(known))}"
        if place.split is None:
            what += f" analysis {place.stage} has looked at no test split, and nothing is chosen on test"
            raise ReportError(what, hint=splits)
        if place.split not in known:
            raise ReportError(
                f"{what} {place.split} is no test split, and nothing is chosen on test", hint=splits
            )


def not_for_testing(run: RecordedRun, stage: str | None = None) -> set[str]:
    """The splits of a stage, by default that which the run is known by, that prove not to be for testing.

    A run records no roles. But `train` is what it trained on, `val` is a validation split wherever `[split]`
    made it, and no run starts that selects or stops on a test split.
    """
    spec = (run.stage_spec(stage) if stage else None) or run.main_stage
    known = {"train"} | ({"val"} if spec.get("split") else set())
    select, train = spec.get("select"), spec.get("train")
    stop = train.get("stop") if isinstance(train, Mapping) else None
    watched = [table.get("metric") for table in (select, stop) if isinstance(table, Mapping)]
    return known | {metric.partition("/")[0] for metric in watched if isinstance(metric, str)}
