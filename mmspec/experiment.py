"""The Python face: what the command line does, for scripts, notebooks and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from mmspec.errors import Problem, RunError, SpecError
from mmspec.launch.local import INTERRUPTED
from mmspec.launch.prepare import (
    Event,
    MissingDataError,
    PreparedRun,
    check_graphs,
    default_jobs,
    launch,
    make_ready,
    prepare,
    run_label,
)
from mmspec.launch.smoke import first_seed, smoke_plans
from mmspec.plugins.api import FeatureTable, Source
from mmspec.plugins.plan import AnyStagePlan, NetworkPlan, RunPlan, StagePlan
from mmspec.plugins.registry import Registry
from mmspec.plugins.resolve import resolve
from mmspec.records import RunRecord, load_run
from mmspec.spec.load import Document, read_document

if TYPE_CHECKING:
    from mmspec.engine.trainer import Trainer

Style = Literal["text", "mermaid", "svg"]
PlanT = TypeVar("PlanT", bound=AnyStagePlan)


def load(
    path: str | Path,
    *,
    set: Sequence[str] = (),  # noqa: A002 - as on the command line
    smoke: bool = False,
    registry: Registry | None = None,
) -> Experiment:
    """The experiment of a spec, with overrides `key=value` as `--set` takes them.

    `smoke` makes its runs smoke runs: on stand-ins for the data, which are written to the cache, with short
    training and one seed, to try the whole path. Their numbers mean nothing, and no report takes them.

    `registry` adds plugins of your own to the installed ones, for runs that are built and driven here:
    `default_registry().with_plugins({("balancing", "mine"): Mine})`.

    Raises:
        SpecError: all mistakes of the spec.
        DataError: a stand-in cannot be written.
    """
    document = read_document(path, set)
    plans = resolve(document, registry)
    if smoke:
        plans = smoke_plans(first_seed(plans), registry)
    runs = tuple(Run(plan, document, tuple(set), smoke) for plan in plans)
    return Experiment(document, runs, tuple(set))


@attrs.frozen(eq=False)
class Run:
    """One run of an experiment: a variant, a point of the sweep, a seed."""

    plan: RunPlan
    document: Document = attrs.field(repr=False)
    overrides: tuple[str, ...] = ()
    smoke: bool = False

    @property
    def label(self) -> str:
        """Labels and seed."""
        return run_label(self.plan)

    def draw(self, style: Style = "text", stage: str | None = None) -> str:
        """The run as text, Mermaid or SVG: its one stage, the one named, or the graph of several stages.

        As text that is followed by the training graph of each stage.
        """
        return draw(self.plan, style, stage)

    def build(
        self,
        stage: str | None = None,
        *,
        sources: Mapping[str, Source] | None = None,
        tables: Mapping[str, FeatureTable] | None = None,
    ) -> Trainer:
        """A stage that trains (by default the first), built and ready to be driven by hand.

        `sources` stand in for the splits of the dataset, `tables` for what the stage `reads`, by name.
        """
        from mmspec.engine.trainer import Trainer

        return Trainer(_stage(self.plan, stage, StagePlan), self.plan.seed, sources=sources, tables=tables)

    def run(self, runs: str | Path = "runs") -> RunRecord:
        """Run it in a process of its own, or read it if it is finished."""
        return _run([self], Path(runs), jobs=1)[0]

    def __repr__(self) -> str:
        return f"<Run {self.label} of {self.plan.experiment}>"

    def _repr_svg_(self) -> str:
        return self.draw("svg")


@attrs.frozen(eq=False)
class Experiment:
    """A spec and the runs it stands for."""

    document: Document = attrs.field(repr=False)
    runs: tuple[Run, ...]
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The spec's name, which is the name of its folder of runs."""
        return self.runs[0].plan.experiment

    def check(self) -> None:
        """Build every network on the meta device.

        Raises:
            UserError: all that does not fit together.
        """
        check_graphs(run.plan for run in self.runs)

    def run(self, runs: str | Path = "runs", *, jobs: int | None = None) -> tuple[RunRecord, ...]:
        """Run what is not finished, `jobs` at a time, each in a process of its own; the records of all.

        Raises:
            RunError: some runs failed; the others have run.
        """
        return _run(self.runs, Path(runs), jobs=jobs or default_jobs(run.plan for run in self.runs))

    def __repr__(self) -> str:
        return f"<Experiment {self.name}: {len(self.runs)} runs>"

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{escape(run.label)}</li>" for run in self.runs)
        return f"<b>{escape(self.name)}</b><ol start=0>{rows}</ol>"


def draw(plan: RunPlan, style: Style, stage: str | None = None) -> str:
    """A run as `Run.draw` draws it.

    Raises:
        SpecError: it has no such stage, or that has no network.
        GraphError: its parts do not fit together.
    """
    from mmspec.graph import build_graph, draw, stages

    def of_stage(of: NetworkPlan) -> str:
        how = {"text": draw.as_text, "mermaid": draw.as_mermaid, "svg": draw.as_svg}[style]
        return how(build_graph(of))

    if stage is not None or len(plan.stages) == 1:
        return of_stage(_stage(plan, stage, NetworkPlan))  # type: ignore[type-abstract]
    how = {"text": stages.as_text, "mermaid": stages.as_mermaid, "svg": stages.as_svg}[style]
    whole = how(stages.stage_graph(each.resolved for each in plan.stages))
    return "\n\n".join([whole, *(map(of_stage, plan.networks) if style == "text" else ())])


def _stage(plan: RunPlan, name: str | None, kind: type[PlanT]) -> PlanT:
    """The stage of this name, by default the first, of those of a kind."""
    known = [stage for stage in plan.stages if isinstance(stage, kind)]
    for stage in known:
        if name in (None, stage.name):
            return stage
    names = ", ".join(stage.name for stage in known) or "none"
    needed = "that trains" if kind is StagePlan else "with a network"
    what = f"there is no stage {needed}" if name is None else f"there is no stage {name!r} {needed}"
    raise SpecError(what, hint=f"stages of this spec: {names}")


def _run(chosen: Sequence[Run], folder: Path, *, jobs: int) -> tuple[RunRecord, ...]:
    prepared = _prepared(chosen, folder)
    todo = make_ready(prepared, chosen[0].document, chosen[0].overrides)
    statuses = launch(todo, jobs=jobs, changed=_silent)
    if INTERRUPTED in statuses.values():
        raise KeyboardInterrupt
    records = tuple(load_run(run.path) for run in prepared)
    if failed := [record for record in records if record.status != "finished"]:
        raise RunError([_why(record) for record in failed])
    return records


def _prepared(chosen: Sequence[Run], folder: Path) -> tuple[PreparedRun, ...]:
    try:
        return prepare((run.plan for run in chosen), folder, smoke=chosen[0].smoke)
    except MissingDataError as error:
        error.add_note("Without these data: mmspec.load(…, smoke=True) tries the whole path on a stand-in.")
        raise


def _why(record: RunRecord) -> Problem:
    said = str(record.failure["error"]) if record.failure else "its process ended early"
    return Problem(f"{record.label}, seed {record.seed}: {said}", hint=f"see {record.path / 'log.txt'}")


def _silent(run: str, event: Event) -> None:
    """Say nothing when a run starts or ends."""
