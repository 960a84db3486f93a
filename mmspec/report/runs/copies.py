"""Runs that are recorded in several places: which record counts.

The record that got furthest counts, a finished one first; of those the nearest: a run directory before what
a plugin finds on this machine, that before a service.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.text import Code, Sentence, is_web, listed

_FURTHEST = {"finished": 0, "running": 1}


@attrs.frozen
class Copies:
    """A run that is recorded in several places: the record that counts, and the `others`.

    `place` is where that was found, `elsewhere` where the others were. `differs` is whether one of them says
    other numbers.
    """

    run: RecordedRun
    others: tuple[RecordedRun, ...]
    place: str
    elsewhere: tuple[str, ...]
    differs: bool


@attrs.frozen
class Place:
    """Where runs were found, by what `name` in the report; `rank` is how far away it is."""

    name: str
    rank: int
    runs: Sequence[RecordedRun]


def distinct(places: Sequence[Place]) -> tuple[list[RecordedRun], list[Copies]]:
    """The records that count, and which other records of the same runs there are.

    Several records of a run in the place that counts stay: which of them enters is not a matter of places.
    """
    records: dict[tuple[str, str], dict[int, list[RecordedRun]]] = defaultdict(lambda: defaultdict(list))
    seen: set[str] = set()
    for index, place in enumerate(places):
        for run in place.runs:
            if (address := _whereabouts(run)) not in seen:
                seen.add(address)
                records[run.experiment, run.id][index].append(run)
    counted: list[RecordedRun] = []
    copies: list[Copies] = []
    for by_place in records.values():
        ordered = sorted(by_place, key=lambda index: (_far(by_place[index]), places[index].rank, index))
        first, *others = ordered
        counted += by_place[first]
        if others:
            run, rest = by_place[first][0], tuple(run for index in others for run in by_place[index])
            elsewhere = tuple(places[index].name for index in others)
            differs = any(_differ(run, other) for other in rest)
            copies.append(Copies(run, rest, places[first].name, elsewhere, differs))
    return counted, copies


def copy_notes(copies: Iterable[Copies]) -> Iterable[Sentence]:
    """How many runs are recorded in several places, which record counts, and whether they agree."""
    copies = list(copies)
    for (place, elsewhere), count in Counter((each.place, each.elsewhere) for each in copies).items():
        runs = "1 run is" if count == 1 else f"{count} runs are"
        others = listed(map(Code, elsewhere))
        yield (f"{runs} recorded in several places, and counted as in ", Code(place), ", not ", *others, ".")
    if odd := [Code(each.run.id) for each in copies if each.differs]:
        yield ("Records of one run say different numbers: ", *listed(odd), ".")


def _whereabouts(run: RecordedRun) -> str:
    return run.address if is_web(run.address) else str(Path(run.address).resolve())


def _far(runs: Sequence[RecordedRun]) -> int:
    return min(_FURTHEST.get(run.status, 2) for run in runs)


def _differ(run: RecordedRun, other: RecordedRun) -> bool:
    """Whether two records of a finished run disagree about its numbers."""
    if run.result is None or other.result is None:
        return False
    names = set(run.values) | set(other.values)
    return not all(_same(run.values.get(name), other.values.get(name)) for name in names)


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))
