"""From plans to run directories: identities, what is there already, what is stale, how to start the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs

from mmspec.errors import DataError, MmspecError, Problem, RecordError
from mmspec.plugins.api import Dataset, Plugin
from mmspec.plugins.plan import RunPlan, StagePlan
from mmspec.records import RunDirectory, RunRecord, Status, find_runs
from mmspec.records.provenance import provenance
from mmspec.records.read import status_of
from mmspec.spec.load import Document
from mmspec.system import cores

if TYPE_CHECKING:
    from mmspec.graph.identity import Identity

State = Literal[Status, "new"]
Event = Literal["started", "retried", "finished", "failed", "interrupted"]


class MissingDataError(DataError):
    """Data of a dataset are missing or damaged on this machine; a smoke run would do without them."""


@attrs.frozen
class PreparedRun:
    """A run with its place: `path` is where its directory is, or will be.

    `stale` are finished runs of the same spec that other code or other data made.
    """

    plan: RunPlan
    identity: Identity
    path: Path
    state: State
    stale: tuple[RunRecord, ...] = ()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.identity.id

    @property
    def label(self) -> str:
        """The run's labels and seed, for a reader."""
        return run_label(self.plan)


def run_label(plan: RunPlan) -> str:
    """The labels and the seed of a run, for a reader."""
    labels = ", ".join(map(str, plan.labels.values())) or plan.experiment
    return f"{labels}, seed {plan.seed}"


def prepare(plans: Iterable[RunPlan], runs: Path, *, smoke: bool = False) -> tuple[PreparedRun, ...]:
    """Say for each plan which run it is, and whether it is there already. Reads data, to fingerprint them.

    `smoke`: the plans are those of smoke runs.

    Raises:
        DataError: data are missing or damaged.
    """
    from mmspec.graph.identity import identify

    plans = tuple(plans)
    check_machine(plans)
    fingerprints: dict[str, str | None] = {}
    existing: dict[str, list[RunRecord]] = {}
    prepared = []
    for plan in plans:
        identity = identify(plan, _fingerprints(plan, fingerprints), smoke=smoke)
        folder = runs / plan.experiment
        if plan.experiment not in existing:
            existing[plan.experiment] = list(find_runs(folder).runs)
        stale = [run for run in existing[plan.experiment] if _is_older(run, identity)]
        path = folder / identity.id
        state: State = status_of(path) if path.exists() else "new"
        prepared.append(PreparedRun(plan, identity, path, state, tuple(stale)))
    return tuple(prepared)


def check_graphs(plans: Iterable[RunPlan]) -> None:
    """Build every stage on the meta device: graph, frozen names, learning-rate groups; equal stages once.

    Raises:
        UserError: all that does not fit together.
    """
    from mmspec.data.transforms import check_transforms
    from mmspec.engine.freezing import check_parameters
    from mmspec.graph import build_graph

    seen: set[str] = set()
    problems: list[Problem] = []
    failure: type[MmspecError] | None = None
    for plan in plans:
        for stage in plan.networks:
            key = json.dumps(stage.resolved, sort_keys=True, default=str)
            if key not in seen:
                seen.add(key)
                try:
                    build_graph(stage)
                    check_transforms(stage)
                    if isinstance(stage, StagePlan):
                        check_parameters(stage)
                except MmspecError as error:
                    problems += [problem for problem in error.problems if problem not in problems]
                    failure = failure or type(error)
    if failure:
        raise failure(problems)


def make_ready(
    runs: Iterable[PreparedRun], document: Document, overrides: Sequence[str]
) -> tuple[PreparedRun, ...]:
    """Check the runs that are not finished, make their directories, and return them.

    Raises:
        RecordError: another process works on one of them.
        UserError: parts of one do not fit together.
    """
    todo = tuple(run for run in runs if run.state != "finished")
    if busy := [run for run in todo if run.state == "running"]:
        raise RecordError(
            [Problem(f"another process is working on {run.path}", hint="stop it first") for run in busy]
        )
    check_graphs(run.plan for run in todo)
    for run in todo:
        RunDirectory.create(
            run.path,
            spec=run.plan.resolved,
            identity=run.identity.to_json(),
            sources=_sources(document, overrides),
            provenance=provenance((origin.distribution for origin in run.plan.origins), Path.cwd()),
        )
    return todo


def default_jobs(plans: Iterable[RunPlan]) -> int:
    """Runs at a time: two where each takes one of at least two cores, else one."""
    one_thread = all(stage.spec.train.threads == 1 for plan in plans for stage in plan.networks)
    return 2 if one_thread and cores() >= 2 else 1


def command(path: Path) -> list[str]:
    """The command that executes the run in this directory.

    `-P` keeps the working folder off the import path: a folder `wandb` there would be taken for the package.
    """
    return [sys.executable, "-P", "-m", "mmspec", "execute", str(path.absolute())]


def launch(
    runs: Sequence[PreparedRun], *, jobs: int, changed: Callable[[str, Event], None]
) -> Mapping[str, int]:
    """Execute these runs, whose directories are made, by the launcher that their spec names."""
    if not runs:
        return {}
    commands = {run.id: command(run.path) for run in runs}
    return runs[0].plan.launcher.launch(commands, jobs=jobs, changed=changed)


def _is_older(run: RunRecord, identity: Identity) -> bool:
    """Whether a finished run has this spec, but another identity."""
    same_spec = run.identity["spec_hash"] == identity.spec_hash and run.is_smoke == identity.smoke
    return run.status == "finished" and same_spec and run.id != identity.id


def check_machine(plans: Iterable[RunPlan]) -> None:
    """Ask every plugin whether this machine has what it needs; equal plugins once.

    Raises:
        MissingDataError: all that is missing or damaged, that of a dataset included.
        DataError: all that is missing or damaged, but no dataset's.
    """
    plugins = {_key(p): p for plan in plans for stage in plan.stages for p in stage.plugins.values()}
    found = [(plugin, problem) for plugin in plugins.values() for problem in plugin.check()]
    if found:
        of_data = any(isinstance(plugin, Dataset) for plugin, _ in found)
        error = MissingDataError if of_data else DataError
        raise error(dict.fromkeys(problem for _, problem in found))


def _fingerprints(plan: RunPlan, known: dict[str, str | None]) -> dict[str, str]:
    """Hashes of what a run's plugins read, each found once: that of a stage's dataset under the stage's name,
    others under their place, such as "train.modalities.rgb.backbone".
    """
    found: dict[str, str] = {}
    for stage in plan.stages:
        for place, plugin in stage.plugins.items():
            key = _key(plugin)
            if key not in known:
                known[key] = plugin.fingerprint()
            if (fingerprint := known[key]) is not None:
                found[stage.name if place == "dataset" else f"{stage.name}.{place}"] = fingerprint
    return found


def _key(plugin: Plugin) -> str:
    """Equal plugins have equal keys; some cannot be hashed."""
    return f"{type(plugin).__module__}.{plugin!r}"


def _sources(document: Document, overrides: Sequence[str]) -> dict[str, str]:
    """The spec's files by name, the names of like-named ones numbered; overrides one a line."""
    sources: dict[str, str] = {}
    for source in document.sources:
        name, number = Path(source.file).name, 2
        while name in sources:
            name, number = f"{Path(source.file).stem}-{number}.toml", number + 1
        sources[name] = source.text
    if overrides:
        sources["overrides.txt"] = "".join(f"{line}\n" for line in overrides)
    return sources
