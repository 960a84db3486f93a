"""Runs that a table asks for and that are not there, with the command that makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from mmspec.errors import RecordError
from mmspec.plugins.recorded import RecordedRun
from mmspec.report.definition import shown
from mmspec.report.runs.groups import Candidate, Groups
from mmspec.report.runs.selection import Selection, matches
from mmspec.report.tables.table import Table
from mmspec.report.text import Code, Sentence, listed, spans

#: The command that makes the runs, or one for each experiment; None: the one that runs recorded.
MadeBy = str | Mapping[str, str] | None


@attrs.frozen
class _Asked:
    """Runs that some columns ask of a row: those `within` `scope`, which restricts to some of them."""

    label: str
    candidate: Candidate
    scope: Mapping[str, Any]
    within: tuple[RecordedRun, ...]

    @property
    def experiment(self) -> str | None:
        """The experiment asked for, where the row or the columns name one."""
        return self.candidate.where.get("experiment") or self.scope.get("experiment")


def all_commands(made_by: MadeBy) -> str | None:
    """All the commands in one line."""
    return "; ".join(dict.fromkeys(made_by.values())) if isinstance(made_by, Mapping) else made_by


def scope_name(table: Table, scope: Mapping[str, Any]) -> str:
    """What a reader calls the columns with this `where`: heads that they share, else the values, or ""."""
    if not scope:
        return ""
    heads = [column.groups for column in table.columns if column.where == scope]
    shared = [level[0] for level in zip(*heads, strict=False) if len(set(level)) == 1]
    return ", ".join(shared) or ", ".join(map(shown, scope.values()))


def missing_runs(table: Table, selection: Selection, made_by: MadeBy) -> Iterable[Sentence]:
    """Rows without runs, as a whole or for some columns, and rows without some seeds."""
    asked = list(_asked(table))
    for units in _by_scope(asked):
        yield from _empty(table, units, [u for u in units if not u.within], selection, made_by)
    wanted = {run.seed for unit in asked for run in unit.within}
    for units in _by_scope(asked):
        yield from _seeds(table, units, wanted, made_by)


def missing_in_figure(groups: Groups, selection: Selection, made_by: MadeBy) -> Iterable[Sentence]:
    """Rows of a figure without runs, or without seeds that others have, and the command that makes them."""
    wanted = {run.seed for runs in groups.values() for run in runs}
    absent = [label for label, runs in groups.items() if not runs]
    for label, runs in groups.items():
        if runs and (gone := wanted - {run.seed for run in runs}):
            absent.append(f"{label} ({'seed' if len(gone) == 1 else 'seeds'} {spans(gone)})")
    if absent:
        makes = command_of(made_by, selection.all_runs)
        yield ("Finished runs are missing of ", *listed(absent), *_makes(makes, several=True), ".")


def _asked(table: Table) -> Iterator[_Asked]:
    """What the columns ask of each row; of a row without any run, the columns of all runs say it once."""
    scopes = [
        column.where for i, column in enumerate(table.columns) if column.where not in _wheres(table)[:i]
    ]
    for scope in scopes:
        for row in table.rows:
            for candidate in row.candidates:
                label = candidate.name if row.by is not None else row.label
                said = bool(scope) and {} in scopes and not candidate.runs
                if candidate.fits(scope) and not said:
                    within = tuple(run for run in candidate.runs if matches(run, scope))
                    yield _Asked(label, candidate, scope, within)


def _wheres(table: Table) -> list[Mapping[str, Any]]:
    return [column.where for column in table.columns]


def _by_scope(asked: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    scopes: list[Mapping[str, Any]] = []
    for unit in asked:
        if unit.scope not in scopes:
            scopes.append(unit.scope)
    return ([unit for unit in asked if unit.scope == scope] for scope in scopes)


def _empty(
    table: Table, units: Sequence[_Asked], empty: Sequence[_Asked], selection: Selection, made_by: MadeBy
) -> Iterator[Sentence]:
    """Which rows have no run, or that none has."""
    place = _place(table, units)
    by_command: dict[str | None, list[str]] = defaultdict(list)
    for unit in empty:
        by_command[_command(unit, made_by, selection.all_runs)].append(unit.label)
    for command, labels in by_command.items():
        if place and len(labels) == len(units):
            yield (f"No finished run of {place}", *_makes(command, several=True), ".")
        else:
            where = f" ({place})" if place else ""
            yield ("No finished run of ", *listed(labels), where, *_makes(command, len(labels) > 1), ".")


def _seeds(table: Table, units: Sequence[_Asked], wanted: set[int], made_by: MadeBy) -> Iterator[Sentence]:
    """Which rows with runs lack seeds that others have."""
    place = _place(table, units)
    lacking: dict[tuple[tuple[int, ...], str | None], list[str]] = defaultdict(list)
    for unit in units:
        if unit.within and (gone := wanted - {run.seed for run in unit.within}):
            lacking[tuple(sorted(gone)), _command(unit, made_by, unit.within)].append(unit.label)
    for (seeds, command), labels in lacking.items():
        where = f" ({place})" if place else ""
        word = "seed" if len(seeds) == 1 else "seeds"
        yield (
            *listed(labels),
            f"{where} without {word} {spans(seeds)}",
            *_makes(command, len(seeds) > 1),
            ".",
        )


def _place(table: Table, units: Sequence[_Asked]) -> str:
    return scope_name(table, units[0].scope)


def _makes(command: str | None, several: bool) -> Sentence:
    return ("; ", Code(command), " makes them" if several else " makes it") if command else ()


def _command(unit: _Asked, made_by: MadeBy, runs: Iterable[RecordedRun]) -> str | None:
    """The command that makes the runs of this unit."""
    if isinstance(made_by, Mapping) and unit.experiment and (known := made_by.get(str(unit.experiment))):
        return known
    return command_of(made_by, runs)


def command_of(made_by: MadeBy, runs: Iterable[RecordedRun]) -> str | None:
    """The command that the report gives, else the one that the newest of `runs` recorded."""
    if made_by is not None:
        return all_commands(made_by)
    commands = []
    for run in runs:
        try:
            commands.append((str(run.provenance.get("created", "")), str(run.provenance["command"])))
        except (RecordError, KeyError):
            continue
    return max(commands)[1] if commands else None
