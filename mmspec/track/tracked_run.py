"""A run that a tracker recorded in our layout: in a service, a file or a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import Kind, RecordedRow, RecordedRun
from mmspec.records import shape
from mmspec.track.columns import to_rows
from mmspec.track.layout import from_config, from_summary

#: What was logged: (step, columns), in the order of steps.
History = Iterable[tuple[int, Mapping[str, Any]]]


@attrs.frozen(eq=False, slots=False)
class TrackedRun(RecordedRun):
    """A run of which a tracker has the records; its history is read when rows are asked for."""

    _address: str
    _provenance: Mapping[str, Any]
    _history: Callable[[], History]

    @property
    def address(self) -> str:
        """Its page, or its file."""
        return self._address

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Command, code, packages, machine, as they were when the run began."""
        return self._provenance

    def rows(
        self, kind: Kind | None = None, names: Collection[str] | None = None, stage: str | None = None
    ) -> Iterator[RecordedRow]:
        """The rows of metrics, one at a time, of this kind and stage, with the values of these names."""
        yield from to_rows(
            self._history(), [each["name"] for each in self.spec["stages"]], kind, names, stage
        )


def make_run(
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    running: bool,
    address: str,
    history: Callable[[], History],
) -> TrackedRun | None:
    """The run that `config` and `summary` tell of; None if mmspec did not write them.

    Raises:
        RecordError: mmspec wrote them, and they are damaged.
    """
    recorded = from_config(config)
    if recorded is None:
        return None
    status, result = from_summary(summary, running=running)
    parts = (recorded.spec, shape.SPEC), (recorded.identity, shape.IDENTITY)
    results = ((result, shape.RESULT),) if result is not None else ()
    for part, expected in (*parts, *results, (recorded.provenance, shape.PROVENANCE)):
        _require(part, expected, address)
    return TrackedRun(status, recorded.spec, recorded.identity, result, address, recorded.provenance, history)


def _require(value: Any, expected: shape.Shape, address: str) -> None:
    try:
        shape.require(Path(), value, expected)
    except RecordError as error:
        problems = [Problem(problem.what, Location(address)) for problem in error.problems]
        raise RecordError(problems) from None


def passed_over(place: object, count: int) -> str:
    """What is said of runs that mmspec did not record, or of which only the name is there."""
    runs = "1 run is" if count == 1 else f"{count} runs are"
    return f"{place}: {runs} passed over, which mmspec did not record"
