"""Does a source of runs keep its promises?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmspec.errors import RecordError
from mmspec.plugins.api import RecordedRow, RecordedRun, RunSource
from mmspec.testing.claims import ConformanceError, claim, works
from mmspec.testing.options import check_options

_STATUS = ("finished", "running", "failed", "unfinished")


def check_source(plugin: RunSource, tmp_path: Path, address: str | None = None) -> None:
    """Check a source with a wrong address, and with one where there are runs if you give it."""
    check_options(plugin)
    names = plugin.filters
    wrong = isinstance(names, str) or not all(isinstance(name, str) for name in names)
    claim(not wrong, f"filters must be names, not {names!r}")
    before = dict(os.environ)
    said: list[str] = []
    _refuses("an empty address", lambda: plugin.check_address(""))
    _refuses("reading an empty address", lambda: _read(plugin, "", tmp_path, said.append))
    if address is not None:
        _check_runs(plugin, address, tmp_path)
    changed = {name for name in before if os.environ.get(name) != before[name]}
    claim(not changed, f"the source leaves other values in the environment: {sorted(changed)}")


def _check_runs(plugin: RunSource, address: str, tmp_path: Path) -> None:
    works("check_address()", plugin.check_address, address)
    said: list[str] = []
    runs = works("read()", _read, plugin, address, tmp_path, said.append)
    claim(runs, "read() gives no runs at an address where you say that there are some")
    claim(all(isinstance(line, str) for line in said), "what is said must be text")
    again = works("read() again, with a cache", _read, plugin, address, tmp_path, said.append)
    claim(
        [(run.experiment, run.id, run.values) for run in again]
        == [(run.experiment, run.id, run.values) for run in runs],
        "read() gives other runs, or other numbers, when it has a cache",
    )
    claim(len({run.address for run in runs}) == len(runs), "each run must have an address of its own")
    for run in runs:
        _check_run(run)


def _check_run(run: RecordedRun) -> None:
    claim(isinstance(run, RecordedRun), "read() must give RecordedRuns")
    claim(run.status in _STATUS, f"a run's status must be one of {_STATUS}, not {run.status!r}")
    claim(run.status == "finished" or run.result is None, "only a finished run has a result")
    for name in ("experiment", "id", "seed", "labels", "values", "stages", "provenance", "address"):
        works(f"the run's {name}", getattr, run, name)
    claim(all(isinstance(value, int | float) for value in run.values.values()), "values must be numbers")
    rows: list[RecordedRow] = works("rows()", lambda: list(run.rows()))
    stages = [stage["name"] for stage in run.spec["stages"]]
    claim(all(row.stage in stages for row in rows), f"rows must be of the run's stages {stages}")
    order = [(stages.index(row.stage), row.step) for row in rows]
    claim(order == sorted(order), "rows must come in the order of stages and steps")
    if rows:
        _check_choice(run, rows[0])


def _check_choice(run: RecordedRun, row: RecordedRow) -> None:
    name = next(iter(row.values))
    chosen = works("rows() with a kind and names", lambda: list(run.rows(row.kind, [name], row.stage)))
    claim(
        chosen and all(each.kind == row.kind and set(each.values) == {name} for each in chosen),
        "rows() must give rows of the kind that is asked for, with the values of these names alone",
    )


def _read(
    plugin: RunSource, address: str, tmp_path: Path, say: Callable[[str], None]
) -> Sequence[RecordedRun]:
    return plugin.read(address, beside=tmp_path, cache=tmp_path / "cache", refresh=False, say=say)


def _refuses(what: str, act: Callable[[], object]) -> None:
    """Claim that this is refused in words."""
    refused = False
    try:
        act()
    except RecordError:
        refused = True
    except Exception as error:
        raise ConformanceError(
            f"{what} raises {type(error).__name__}, and no RecordError: {error}"
        ) from error
    claim(refused, f"{what} must be refused by a RecordError")
