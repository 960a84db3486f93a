"""Smoke runs: the whole path of a spec in little, on stand-ins for its data.

Every dataset is replaced by the stand-in it writes of itself, every other plugin by its own small form,
training is made short, and trackers are left out. What comes out of it are plans like any other; only their
identity says that they are smoke, and their experiment has a name of its own, so that their runs lie apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from mmspec.errors import PluginError, Problem, SpecError
from mmspec.graph.identity import SMOKE
from mmspec.launch.standin import stand_in
from mmspec.plugins.api import Dataset, Plugin, cache_folder
from mmspec.plugins.plan import AnyStagePlan, NetworkPlan, PluginOrigin, RunPlan, StagePlan
from mmspec.plugins.registry import Registry
from mmspec.plugins.resolve import plan_from_json
from mmspec.spec.model import Train
from mmspec.spec.structure import plain

#: Strategies that change the second epoch show in the third what they do.
EPOCHS = 3
BATCH = 8


def smoke_plans(plans: Sequence[RunPlan], registry: Registry | None = None) -> tuple[RunPlan, ...]:
    """The same runs in little. Stand-ins that are not in the cache are written.

    Raises:
        DataError: a stand-in cannot be written, or a dataset writes none.
        PluginError: a plugin's small form is none, or does not fit the rest.
    """
    made: dict[str, Dataset] = {}
    return tuple(_replanned(_resolved(plan, made), registry) for plan in plans)


def first_seed(plans: Sequence[RunPlan]) -> tuple[RunPlan, ...]:
    """The runs of the spec's first seed: more of them would try nothing more."""
    return tuple(plan for plan in plans if plan.seed == plans[0].seed)


def in_words(plans: Iterable[RunPlan]) -> str:
    """What smoke runs are, in a line: where their data lie, how many samples, how many epochs."""
    stages = [stage for plan in plans for stage in plan.networks]
    sizes = {}
    for stage in stages:
        key = json.dumps(stage.resolved["dataset"], sort_keys=True)
        if key not in sizes:
            sources = stage.dataset.open(stage.read_modalities)
            sizes[key] = f"{len(sources['train'])} training samples of {stage.spec.dataset.use}"
    epochs = max(stage.spec.train.epochs for stage in stages)
    samples = ", ".join(dict.fromkeys(sizes.values()))
    trained = f"; {epochs} epochs" if epochs else ""
    return f"on stand-ins in {cache_folder('smoke')}: {samples}{trained}"


def _resolved(plan: RunPlan, made: dict[str, Dataset]) -> dict[str, Any]:
    """The plan as plain JSON, in little."""
    return {
        **plan.resolved,
        "name": f"{SMOKE}{plan.experiment}",
        "stages": [_stage(stage, plan.origins, made) for stage in plan.stages],
        "track": [],
        "launch": _small(plan.resolved["launch"], plan.launcher),
    }


def _stage(stage: AnyStagePlan, origins: Sequence[PluginOrigin], made: dict[str, Dataset]) -> dict[str, Any]:
    resolved = dict(stage.resolved)
    for key in ("fusion", "balancing", "objective", "optimizer", "schedule", "sampler", "analysis"):
        if resolved.get(key) is not None:
            resolved[key] = _small(resolved[key], getattr(stage, key))
    if isinstance(stage, NetworkPlan):
        resolved["dataset"] = {**resolved["dataset"], **plain(_dataset(stage, origins, made))}
        resolved["train"] = plain(_short(stage.spec.train))
        resolved["modalities"] = {
            name: {**branch, "backbone": _small(branch["backbone"], stage.backbones[name])}
            for name, branch in resolved["modalities"].items()
        }
    if isinstance(stage, StagePlan):
        measured = zip(resolved["evaluate"]["metrics"], stage.metrics.values(), strict=True)
        small = [_small(table, metric) for table, metric in measured]
        resolved["evaluate"] = {**resolved["evaluate"], "metrics": small}
    return resolved


def _small(table: Mapping[str, Any], plugin: Plugin) -> dict[str, Any]:
    """A plugin's table with the options of its small form."""
    try:
        return {**table, **plain(plugin.smoke())}
    except Exception as error:
        what = f"{plugin.kind} {table['use']} failed in smoke(): {type(error).__name__}: {error}"
        raise PluginError(what, hint="this is a mistake of the plugin") from error


def _dataset(stage: NetworkPlan, origins: Sequence[PluginOrigin], made: dict[str, Dataset]) -> Dataset:
    """The stand-in, written or found once."""
    key = json.dumps(stage.resolved["dataset"], sort_keys=True)
    if key not in made:
        name = stage.spec.dataset.use.rpartition(":")[2]
        code = [
            [origin.distribution, origin.version, origin.source_hash]
            for origin in origins
            if (origin.kind, origin.name) == ("dataset", name)
        ]
        made[key] = stand_in(name, stage.dataset, code)
    return made[key]


def _short(train: Train) -> Train:
    """Few epochs of small batches, on one thread a run; arithmetic and device as they are."""
    return attrs.evolve(
        train,
        epochs=min(train.epochs, EPOCHS),
        batch_size=min(train.batch_size, BATCH),
        eval_batch_size=None if train.eval_batch_size is None else min(train.eval_batch_size, BATCH),
        threads=1,
        workers=min(train.workers, 1),
        log_every=min(train.log_every, 5),
        stop=None,
    )


def _replanned(resolved: Mapping[str, Any], registry: Registry | None) -> RunPlan:
    try:
        return plan_from_json(resolved, registry)
    except SpecError as error:
        hint = "this is a mistake of the smoke() or write_sample() of one of its plugins"
        problems = [Problem(f"in little, it does not fit: {p.what}", hint=p.hint) for p in error.problems]
        raise PluginError([*problems, Problem("no smoke run can be made of this spec", hint=hint)]) from None
