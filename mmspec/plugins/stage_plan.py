"""From a stage that was read, and in which nothing is wrong, to its plan."""

from __future__ import annotations

from typing import Any

import attrs

from mmspec.plugins.parts import Part
from mmspec.plugins.plan import AnalysisPlan, AnyStagePlan, ExtractPlan, StagePlan
from mmspec.plugins.stage import StageParts
from mmspec.spec.model import AnalysisStage, Evaluate, Extract, ExtractStage, Modality, Stage
from mmspec.spec.structure import plain


def plan_of(parts: StageParts) -> AnyStagePlan:
    """The plan of a stage in which nothing is wrong."""
    if parts.kind is AnalysisStage:
        return _analysis_plan(parts)
    return _extract_plan(parts) if parts.kind is ExtractStage else _training_plan(parts)


def _analysis_plan(parts: StageParts) -> AnalysisPlan:
    analysis: Any = parts.analysis
    reads = dict(parts.reads)
    return AnalysisPlan(
        name=parts.name,
        spec=AnalysisStage(analysis=analysis.use, reads=reads),
        resolved={"name": parts.name, "analysis": analysis.resolved, "reads": plain(reads)},
        origins=parts.origins,
        analysis=analysis.plugin,
    )


def _extract_plan(parts: StageParts) -> ExtractPlan:
    whole: Any = parts
    extract: Extract = whole.extract
    if extract.modality is None:  # there is one
        there = parts.modalities or whole.dataset.answer.modalities
        extract = attrs.evolve(extract, modality=next(iter(there)))
    return ExtractPlan(
        name=parts.name,
        spec=ExtractStage(**_network_spec(parts), extract=extract),
        resolved={"name": parts.name, **_network_resolved(parts), "extract": plain(extract)},
        origins=parts.origins,
        **_network_plugins(parts),
    )


def _training_plan(parts: StageParts) -> StagePlan:
    whole: Any = parts
    metrics: tuple[Any, ...] = parts.metrics
    singles = ("balancing", "objective", "optimizer", "schedule", "sampler")
    named: dict[str, Part] = {key: getattr(whole, key) for key in singles}
    uses: dict[str, Any] = {key: part.use for key, part in named.items()}
    reads = dict(parts.reads)
    stage = Stage(
        **_network_spec(parts),
        **uses,
        select=parts.select,
        evaluate=Evaluate(metrics=tuple(part.use for part in metrics), **parts.evaluated),
        freeze=parts.freeze,
        freeze_statistics=parts.freeze_statistics,
        reads=reads,
    )
    resolved = {
        "name": parts.name,
        **_network_resolved(parts),
        **{key: part.resolved for key, part in named.items()},
        "select": plain(parts.select),
        "evaluate": {
            "metrics": [part.resolved for part in metrics],
            **{key: plain(value) for key, value in parts.evaluated.items()},
        },
        "freeze": list(parts.freeze),
        "freeze_statistics": parts.freeze_statistics,
        "reads": plain(reads),
    }
    plugins: dict[str, Any] = {key: part.plugin for key, part in named.items()}
    return StagePlan(
        name=parts.name,
        spec=stage,
        resolved=resolved,
        origins=parts.origins,
        **_network_plugins(parts),
        **plugins,
        metrics={part.record.name: part.plugin for part in metrics},
    )


def _network_spec(parts: StageParts) -> dict[str, Any]:
    whole: Any = parts
    backbones: dict[str, Any] = dict(parts.backbones)
    return {
        "dataset": whole.dataset.use,
        "split": parts.split,
        "modalities": {name: Modality(backbone=part.use) for name, part in backbones.items()},
        "fusion": None if parts.fusion is None else parts.fusion.use,
        "train": parts.train,
        "init_from": parts.init_from,
        "assemble": parts.assemble,
    }


def _network_resolved(parts: StageParts) -> dict[str, Any]:
    whole: Any = parts
    backbones: dict[str, Any] = dict(parts.backbones)
    return {
        "dataset": whole.dataset.resolved,
        "split": plain(parts.split),
        "modalities": {name: {"backbone": part.resolved} for name, part in backbones.items()},
        "fusion": None if parts.fusion is None else parts.fusion.resolved,
        "train": plain(parts.train),
        "init_from": plain(parts.init_from),
        "assemble": plain(parts.assemble),
    }


def _network_plugins(parts: StageParts) -> dict[str, Any]:
    whole: Any = parts
    backbones: dict[str, Any] = dict(parts.backbones)
    return {
        "splits": parts.splits or {},
        "dataset": whole.dataset.plugin,
        "backbones": {name: part.plugin for name, part in backbones.items()},
        "fusion": None if parts.fusion is None else parts.fusion.plugin,
    }
