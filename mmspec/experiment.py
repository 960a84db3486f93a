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
        """The training graph of a stage (by default the first) as text, Mermaid or SVG."""
        from mmspec.graph import build_graph
        from mmspec.graph.draw import as_mermaid, as_svg, as_text

        draw = {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}[style]
        return draw(build_graph(self._stage(stage, NetworkPlan)))  # type: ignore[type-abstract]

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

        return Trainer(self._stage(stage, StagePlan), self.plan.seed, sources=sources, tables=tables)

    def run(self, runs: str | Path = "runs") -> RunRecord:
        """Run it in a process of its own, or read it if it is finished."""
        return _run([self], Path(runs), jobs=1)[0]

    def _stage(self, name: str | None, kind: type[PlanT]) -> PlanT:
        known = [stage for stage in self.plan.stages if isinstance(stage, kind)]
        for stage in known:
            if name in (None, stage.name):
                return stage
        names = ", ".join(stage.name for stage in known) or "none"
        what = "no stage trains" if name is None else f"there is no stage {name!r} with a network"
        raise SpecError(what, hint=f"stages of this spec: {names}")

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
