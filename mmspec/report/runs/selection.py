"""Which runs enter a report, and why the others do not.

A run enters if it is finished, no smoke run, and the newest of its kind:

- of runs with one spec and seed, the one with the newest code and data;
- of runs with one name, labels and seed, those of the newest spec. A spec that was edited and run
  again leaves runs behind that look alike; they never mix with the new ones.

Everything that is left out is named in the report.
"""

from __future__ import annotations

import fnmatch
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import attrs

from mmspec.errors import Problem, RecordError
from mmspec.graph.identity import IRRELEVANT, SMOKE
from mmspec.plugins.recorded import RecordedRun
from mmspec.records import find_runs
from mmspec.report.runs.copies import Copies

Reason = Literal["failed", "unfinished", "running", "smoke", "stale", "spec changed", "duplicate"]


@attrs.frozen
class LeftOut:
    """A run that does not enter, and why."""

    run: RecordedRun
    reason: Reason


@attrs.frozen(slots=False)
class Selection:
    """The runs of a report: `runs` enter, `left_out` do not, `problems` are folders that cannot be read.

    `copies` are runs recorded in several places; `remarks` is what their sources have to say.
    """

    runs: tuple[RecordedRun, ...]
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    copies: tuple[Copies, ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def all_runs(self) -> tuple[RecordedRun, ...]:
        """Those that enter and those that do not."""
        return (*self.runs, *(left.run for left in self.left_out))


def read_runs(root: Path, patterns: Sequence[str]) -> Selection:
    """The runs of the experiments under `root` whose names match one of `patterns`.

    A pattern such as `*` does not stand for experiments of smoke runs.
    """
    runs: list[RecordedRun] = []
    problems: list[Problem] = []
    for folder in experiments(root):
        smoke = folder.name.startswith(SMOKE)
        fitting = [pattern for pattern in patterns if pattern.startswith(SMOKE) == smoke]
        if any(fnmatch.fnmatchcase(folder.name, pattern) for pattern in fitting):
            found = find_runs(folder)
            runs += found.runs
            problems += found.problems
    return attrs.evolve(select(runs), problems=tuple(problems))


def experiments(root: Path) -> list[Path]:
    """The folders of experiments under `root`, by name."""
    try:
        folders = [entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(folders)


def select(runs: Iterable[RecordedRun]) -> Selection:
    """Sort `runs` into those that enter and those that are left out; their order never matters."""
    ordered = sorted(runs, key=lambda run: (run.experiment, str(run.labels), run.seed, run.id, run.address))
    left_out: list[LeftOut] = []
    settings: dict[str, list[RecordedRun]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for run in ordered:
        if reason := _refused(run):
            left_out.append(LeftOut(run, reason))
        elif (run.experiment, run.id) in seen:
            left_out.append(LeftOut(run, "duplicate"))
        else:
            seen.add((run.experiment, run.id))
            settings[_as_key([run.experiment, dict(run.labels)])].append(run)
    chosen: list[RecordedRun] = []
    recipes = _Recipes()
    for alike in settings.values():
        kept, old = _newest(alike, recipes)
        chosen += kept
        left_out += old
    return Selection(tuple(chosen), tuple(left_out))


def _refused(run: RecordedRun) -> Reason | None:
    if run.is_smoke:
        return "smoke"
    if run.status == "finished":
        return None
    return run.status


class _Recipes:
    """The recipes of runs; of stages that several runs share in memory, worked out once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}

    def __call__(self, run: RecordedRun) -> str:
        stages = run.spec["stages"]
        if id(stages) not in self._known:
            self._known[id(stages)] = (stages, recipe(run))  # kept, so that no other gets its id
        return self._known[id(stages)][1]


def _newest(alike: Sequence[RecordedRun], recipe: _Recipes) -> tuple[list[RecordedRun], list[LeftOut]]:
    """Of runs with the same name and labels: those of the newest spec, one for each seed."""
    if len({run.seed for run in alike}) == len(alike) and len({recipe(run) for run in alike}) == 1:
        return list(alike), []
    by_age = sorted(alike, key=created, reverse=True)
    current = recipe(by_age[0])
    kept: dict[int, RecordedRun] = {}
    old: list[LeftOut] = []
    for run in by_age:
        if recipe(run) != current:
            old.append(LeftOut(run, "spec changed"))
        elif run.seed in kept:
            old.append(LeftOut(run, "stale"))
        else:
            kept[run.seed] = run
    return sorted(kept.values(), key=lambda run: run.seed), old


def recipe(run: RecordedRun) -> str:
    """What the run's spec says of its numbers, but for the seed."""
    return _as_key([_bare(stage) for stage in run.spec["stages"]])


def _bare(stage: Mapping[str, Any]) -> Mapping[str, Any]:
    train = stage.get("train")
    if not isinstance(train, Mapping):
        return stage
    return {**stage, "train": {key: value for key, value in train.items() if key not in IRRELEVANT}}


def created(run: RecordedRun) -> tuple[str, str]:
    """When the run was made, as something that sorts."""
    try:
        return str(run.provenance.get("created", "")), run.id
    except RecordError:
        return "", run.id


def _as_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


# ---------------------------------------------------------------- asking a run

_MISSING = object()


def said(run: RecordedRun, name: str) -> Any:
    """A label of the run, else `experiment` or `seed`, else a key of its spec; None if neither.

    A key is one of the stage that the run is known by (`main_stage`), or begins with the name of the stage
    that it is of: `learn.optimizer.lr`. A plugin's table answers with the plugin's name, so `balancing` means
    `balancing.use`.
    """
    if name in run.labels:
        return run.labels[name]
    if name in ("experiment", "seed"):
        return getattr(run, name)
    value = _at(run.main_stage, name)
    if value is _MISSING and (stage := run.stage_spec(name.partition(".")[0])) is not None:
        value = _at(stage, name.partition(".")[2])
    if value is _MISSING:
        return None
    return value.get("use") if isinstance(value, Mapping) else value


def _at(value: Any, name: str) -> Any:
    """The value at a dotted name."""
    for part in name.split("."):
        value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def matches(run: RecordedRun, where: Mapping[str, Any]) -> bool:
    """Whether the run has all these labels or keys with these values."""
    return all(same(said(run, name), value) for name, value in where.items())


@attrs.frozen
class Finder:
    """Finds runs by what they say, where that is asked of the same runs for row after row."""

    runs: tuple[RecordedRun, ...]
    _having: dict[str, dict[Any, list[RecordedRun]]] = attrs.field(factory=dict, init=False)

    def matching(self, where: Mapping[str, Any]) -> tuple[RecordedRun, ...]:
        """The runs of which `where` is true, in order."""
        few = min((self._with(name).get(value, []) for name, value in where.items()), key=len, default=None)
        return self.runs if few is None else tuple(run for run in few if matches(run, where))

    def _with(self, name: str) -> dict[Any, list[RecordedRun]]:
        """The runs by what they say to this; a list or a table equals no value of a `where`."""
        if name not in self._having:
            found: dict[Any, list[RecordedRun]] = defaultdict(list)
            for run in self.runs:
                value = said(run, name)
                if isinstance(value, Hashable):
                    found[value].append(run)
            self._having[name] = found
        return self._having[name]


def same(first: Any, second: Any) -> bool:
    """Equality that tells true from 1."""
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)
