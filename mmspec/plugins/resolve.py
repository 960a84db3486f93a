"""From a document to plans of runs: all variants, points of the sweep and seeds, each fully checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from mmspec.errors import Location, Problem, SpecError
from mmspec.plugins.checks import check_stage
from mmspec.plugins.parts import Part, Workshop
from mmspec.plugins.plan import PluginOrigin, RunPlan
from mmspec.plugins.registry import Registry, default_registry
from mmspec.plugins.stage import StageParts, StageReader, plugin_list
from mmspec.plugins.stage_plan import plan_of
from mmspec.spec.expand import Expansion, Point, StageTree, expand
from mmspec.spec.findings import Context, Findings
from mmspec.spec.load import Document
from mmspec.spec.model import LANGUAGE, Header
from mmspec.spec.source import Place, Source
from mmspec.spec.tree import Node, from_plain


def resolve(document: Document, registry: Registry | None = None) -> tuple[RunPlan, ...]:
    """The plans of all runs a document asks for: variants × sweep × seeds, in this order.

    Raises:
        SpecError: with all mistakes of the spec at once, by file and line.
    """
    findings = Findings()
    expansion = expand(document, findings)
    return tuple(_plans(expansion, findings, registry or default_registry()))


def plan_from_json(resolved: Mapping[str, Any], registry: Registry | None = None) -> RunPlan:
    """The plan that a `RunPlan.resolved` came from, made again in another process.

    Raises:
        SpecError: it is no such plan, or a plugin it needs is not here.
    """
    source = Source("spec.json", "")
    try:
        expansion = _expansion(resolved, source)
    except (KeyError, TypeError, AttributeError) as error:
        what = "this is no plan that this mmspec can read"
        raise SpecError(Problem(what, Location(source.file))) from error
    (plan,) = _plans(expansion, Findings(), registry or default_registry())
    return plan


def _expansion(resolved: Mapping[str, Any], source: Source) -> Expansion:
    """The one run of a plan, as if a document had asked for it."""
    if resolved["mmspec"] != LANGUAGE:
        raise KeyError("mmspec")
    stages = tuple(
        StageTree(
            stage["name"],
            from_plain({k: v for k, v in stage.items() if k != "name"}, source),
            {"stage": stage["name"]},
        )
        for stage in resolved["stages"]
    )
    return Expansion(
        name=resolved["name"],
        seeds=(resolved["seed"],),
        points=(Point(resolved["labels"], stages),),
        track=from_plain(resolved["track"], source),
        launch=from_plain(resolved["launch"], source),
        home=Location(source.file),
    )


def _plans(expansion: Expansion, findings: Findings, registry: Registry) -> Iterator[RunPlan]:
    workshop = Workshop(registry, findings)
    reader = StageReader(workshop, expansion.home)
    trackers, launcher = _around(expansion, workshop)
    points: list[tuple[Point, list[StageParts]]] = []
    contexts: list[Context] = []
    for point in expansion.points:
        stages: list[StageParts] = []
        for tree in point.stages:
            parts = reader.read(tree)
            for misfit in check_stage(parts, {stage.name: stage for stage in stages}):
                findings.add(misfit.what, misfit.where, misfit.hint, tree.context)
            stages.append(parts)
            contexts.append(tree.context)
        points.append((point, stages))
    findings.raise_any(contexts)
    for point, stages in points:
        yield from _runs(expansion, point, stages, trackers, launcher)


def _around(expansion: Expansion, workshop: Workshop) -> tuple[tuple[Part, ...], Part | None]:
    """Trackers and launcher: what is the same for all runs of a spec."""
    place = Place(Source(expansion.home.file, ""), -1)
    track = expansion.track or Node((), place)
    several = isinstance(track.value, tuple)
    trackers = (
        plugin_list(workshop, "tracker", track, ("track",), None)
        if several
        else (workshop.part("tracker", track, ("track",), None),)
    )
    default: Any = attrs.fields_dict(Header)["launch"].default
    launch = expansion.launch or Node(default.use, place, place)
    return tuple(t for t in trackers if t is not None), workshop.part("launcher", launch, ("launch",), None)


def _runs(
    expansion: Expansion,
    point: Point,
    stages: list[StageParts],
    trackers: tuple[Part, ...],
    launcher: Any,
) -> Iterator[RunPlan]:
    """One run for each seed."""
    plans = tuple(plan_of(parts) for parts in stages)
    resolved = {
        "mmspec": LANGUAGE,
        "name": expansion.name,
        "labels": dict(point.labels),
        "stages": [plan.resolved for plan in plans],
        "track": [tracker.resolved for tracker in trackers],
        "launch": launcher.resolved,
    }
    origins = _origins([*(p for parts in stages for p in parts.parts), *trackers, launcher])
    for seed in expansion.seeds:
        yield RunPlan(
            experiment=expansion.name,
            labels=dict(point.labels),
            seed=seed,
            stages=plans,
            trackers={tracker.record.name: tracker.plugin for tracker in trackers},
            launcher=launcher.plugin,
            origins=origins,
            resolved={**resolved, "seed": seed},
        )


def _origins(parts: Iterable[Part]) -> tuple[PluginOrigin, ...]:
    """Where the plugins come from, each once, in the order of their use."""
    return tuple(dict.fromkeys(part.record.origin for part in parts))
