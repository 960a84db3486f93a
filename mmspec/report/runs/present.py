"""What stands on disk now: the specs that the runs of a report were made from, resolved again, without torch.

Runs are compared with it (`stale.py`), and what it asks for and is not there is named (`run_notes.py`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import attrs

from mmspec.errors import MmspecError, RecordError
from mmspec.plugins.plan import RunPlan
from mmspec.plugins.recorded import RecordedRun
from mmspec.plugins.registry import Registry
from mmspec.plugins.resolve import resolve
from mmspec.report.runs.missing import MadeBy
from mmspec.report.runs.selection import Selection
from mmspec.spec.load import read_document


@attrs.frozen
class Command:
    """A command that makes runs: `mmspec run SPEC`, with what it overrides and picks out of the spec."""

    spec: str
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    variants: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The command as one would type it."""
        words = ["mmspec", "run", self.spec]
        for option, values in (("set", self.overrides), ("variant", self.variants), ("seed", self.seeds)):
            words += [word for value in values for word in (f"--{option}", str(value))]
        return shlex.join(words)


@attrs.frozen(slots=False)
class Asked:
    """What a command asks for as its spec stands now: `wanted` of all `plans` of the spec."""

    command: Command
    plans: tuple[RunPlan, ...]

    @cached_property
    def by_labels(self) -> Mapping[str, RunPlan]:
        """A plan for each setting, whatever its seed."""
        return {as_key(plan.labels): plan for plan in self.plans}

    @property
    def wanted(self) -> tuple[RunPlan, ...]:
        """The plans that the command picks."""
        seeds, variants = self.command.seeds, self.command.variants
        return tuple(
            plan
            for plan in self.plans
            if (not seeds or plan.seed in seeds) and (not variants or plan.labels.get("variant") in variants)
        )


@attrs.frozen
class Present:
    """By experiment: what is asked for now, and for the others why that is not known."""

    asked: Mapping[str, tuple[Asked, ...]] = attrs.field(factory=dict)
    unknown: Mapping[str, str] = attrs.field(factory=dict)

    def of(self, run: RecordedRun, made_by: MadeBy) -> tuple[Asked, ...]:
        """What the run is to be compared with: what the report says makes it, else what it recorded."""
        asked = self.asked.get(run.experiment, ())
        if _given(run.experiment, made_by) is not None:
            return asked
        own = [_bare(command) for command in read_commands(_recorded(run))]
        return tuple(each for each in asked if each.command in own)


def as_key(labels: Mapping[str, Any]) -> str:
    """Labels as something that can be looked up; it tells true from 1."""
    return str(sorted(labels.items(), key=str))


def read_present(selection: Selection, made_by: MadeBy, registry: Registry) -> Present:
    """Resolve each spec of the experiments of a report, each once. Never fails, but says what is unknown."""
    resolved: dict[Command, tuple[RunPlan, ...] | str] = {}
    asked: dict[str, list[Asked]] = {}
    unknown: dict[str, str] = {}
    for experiment in dict.fromkeys(run.experiment for run in selection.runs):
        commands = list(_commands(experiment, selection.runs, made_by))
        reasons = [] if commands else ["no command `mmspec run SPEC` is known"]
        for command in commands:
            if command not in resolved:
                resolved[command] = _resolved(command, registry)
            plans = resolved[command]
            if isinstance(plans, str):
                reasons.append(plans)
            elif mine := tuple(plan for plan in plans if plan.experiment == experiment):
                asked.setdefault(experiment, []).append(Asked(command, mine))
            else:
                reasons.append(f"{command.spec} is called {plans[0].experiment} now")
        if experiment not in asked:
            unknown[experiment] = reasons[0]
    return Present({name: tuple(each) for name, each in asked.items()}, unknown)


def _commands(experiment: str, runs: Iterable[RecordedRun], made_by: MadeBy) -> Iterator[Command]:
    """The commands that make an experiment, each once.

    Of those that runs recorded, what they picked does not count: the spec says what belongs to it.
    """
    given = _given(experiment, made_by)
    if given is not None:
        yield from dict.fromkeys(read_commands(given))
        return
    recorded = {_recorded(run) for run in runs if run.experiment == experiment}
    yield from dict.fromkeys(_bare(command) for text in sorted(recorded) for command in read_commands(text))


def _given(experiment: str, made_by: MadeBy) -> str | None:
    """The command that the report gives for an experiment."""
    return made_by if made_by is None or isinstance(made_by, str) else made_by.get(experiment)


def _bare(command: Command) -> Command:
    return attrs.evolve(command, seeds=(), variants=())


def _recorded(run: RecordedRun) -> str:
    """The command that a run recorded; "" where it recorded none."""
    try:
        return str(run.provenance.get("command") or "")
    except RecordError:
        return ""


def _resolved(command: Command, registry: Registry) -> tuple[RunPlan, ...] | str:
    """The plans of a spec as it stands now, or why there are none."""
    if not Path(command.spec).exists():
        return f"there is no {command.spec} here"
    try:
        return resolve(read_document(command.spec, command.overrides), registry)
    except MmspecError as error:
        return f"{command.spec} cannot be read now: {error.problems[0].what}"


# ---------------------------------------------------------------- commands


@lru_cache(maxsize=1000)  # the same command made many runs
def read_commands(text: str) -> tuple[Command, ...]:
    """The commands `mmspec run SPEC …` in a line of a shell; what is none of them is passed over."""
    commands: list[Command] = []
    for part in re.split(r"&&|;|\n", text):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        if "run" in words and any(Path(word).name == "mmspec" for word in words[: words.index("run")]):
            commands += _command(words[words.index("run") + 1 :])
    return tuple(commands)


def _command(words: Sequence[str]) -> list[Command]:
    given: dict[str, list[str]] = {"--set": [], "--seed": [], "--variant": []}
    spec, option = None, None
    for word in words:
        name, equals, value = word.partition("=")
        if option is not None:
            given[option].append(word)
            option = None
        elif word in given:
            option = word
        elif equals and name in given:
            given[name].append(value)
        elif word.endswith(".toml") and spec is None:
            spec = word
    if spec is None or not all(seed.lstrip("-").isdecimal() for seed in given["--seed"]):
        return []
    seeds = tuple(int(seed) for seed in given["--seed"])
    return [Command(spec, tuple(given["--set"]), seeds, tuple(given["--variant"]))]
