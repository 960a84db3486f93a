"""What a report says of its runs beside what stands on disk now: stale ones, and those that are not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import shown
from mmspec.report.runs.groups import Groups
from mmspec.report.runs.missing import MadeBy
from mmspec.report.runs.present import Asked, as_key
from mmspec.report.runs.selection import Selection
from mmspec.report.runs.stale import Comparison
from mmspec.report.text import Code, Sentence, listed, spans


def present_notes(
    comparison: Comparison, selection: Selection, used: Sequence[RecordedRun], made_by: MadeBy
) -> Iterator[Sentence]:
    """What is stale and what is missing, with the commands that put it right; what could not be compared."""
    yield from _stale(comparison, used)
    yield from _no_experiment(selection, made_by)
    yield from _not_there(comparison, selection)
    experiments = {run.experiment for run in used}
    unknown = [f"{name} ({why})" for name, why in comparison.present.unknown.items() if name in experiments]
    if unknown:
        yield ("Not compared with their spec as it stands now: ", *listed(unknown), ".")
    shown_runs = {run.address for run in used}
    absent = {p for place, parts in comparison.absent.items() if place in shown_runs for p in parts}
    if absent:
        names = listed(map(Code, sorted(absent)))
        yield ("Not installed here, so that their code is not compared: ", *names, ".")


def _stale(comparison: Comparison, used: Sequence[RecordedRun]) -> Iterator[Sentence]:
    """Which of these runs are stale, what has changed, and the command that makes them anew."""
    alike: dict[tuple[str, str | None], list[str | Code]] = defaultdict(list)
    for run in used:
        if (stale := comparison.stale.get(run.address)) is not None:
            alike[stale.why, stale.command].append(Code(run.id))
    for (why, command), runs in alike.items():
        anew: Sentence = (
            ("; ", Code(command), " makes it anew" if len(runs) == 1 else " makes them anew")
            if command
            else ()
        )
        yield (f"Stale, {why}: ", *listed(runs), *anew, ".")


def stale_rows(comparison: Comparison, groups: Groups) -> Iterator[Sentence]:
    """Which rows of a figure rest on stale runs; why is told in the notes on the runs."""
    rows = [label for label, runs in groups.items() if any(run.address in comparison.stale for run in runs)]
    if rows:
        yield ("Drawn from stale runs, as the notes on the runs say: ", *listed(rows), ".")


def _no_experiment(selection: Selection, made_by: MadeBy) -> Iterator[Sentence]:
    """Experiments that the report gives a command for, and of which nothing enters."""
    there = {run.experiment for run in selection.runs}
    for experiment, command in made_by.items() if isinstance(made_by, Mapping) else ():
        if experiment not in there:
            yield (f"No finished run of {experiment}; ", Code(command), " makes them.")


def _not_there(comparison: Comparison, selection: Selection) -> Iterator[Sentence]:
    """Runs that a spec asks for and that neither enter nor are running."""
    running = [left.run for left in selection.left_out if left.reason == "running"]
    there = {(run.experiment, as_key(run.labels), run.seed) for run in (*selection.runs, *running)}
    for experiment, several in comparison.present.asked.items():
        for asked in several:
            missing = _missing(experiment, asked, there)
            count = sum(map(len, missing.values()))
            names = [f"{label}, {_seeds(seeds)}" for label, seeds in missing.items()]
            if names:
                makes = " makes it." if count == 1 else " makes them."
                first = f"Asked for by {asked.command.spec}, and not there: "
                yield (first, *_with_semicolons(names), "; ", Code(asked.command.text), makes)


def _missing(experiment: str, asked: Asked, there: set[tuple[str, str, int]]) -> dict[str, list[int]]:
    """The seeds that are not there by setting, for a reader; each is added to `there`, and so named once."""
    found: dict[str, list[int]] = defaultdict(list)
    for plan in asked.wanted:
        key = (experiment, as_key(plan.labels), plan.seed)
        if key not in there:
            there.add(key)
            label = ", ".join(map(shown, plan.labels.values())) or experiment
            found[label].append(plan.seed)
    return found


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {spans(seeds)}"


def _with_semicolons(names: Sequence[str]) -> Sentence:
    """Names that have commas of their own; of very many, how many more there are."""
    return tuple("; " if part == ", " else part for part in listed(names))
