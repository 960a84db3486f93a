"""Whether the parts of a stage fit each other. Each check notes what does not, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmspec.plugins.api import Outline
from mmspec.plugins.parts import Part
from mmspec.plugins.stage import SPLIT_LISTS, VALIDATION, StageParts
from mmspec.plugins.stage_graph import Misfit, at, check_graph, data_of, key_at
from mmspec.spec.model import AnalysisStage
from mmspec.spec.scan import Path
from mmspec.spec.words import dotted, listed, show, suggestion


def check_stage(parts: StageParts, earlier: Mapping[str, StageParts]) -> Iterator[Misfit]:
    """All that does not fit in one stage; `earlier` are the stages before it, by name."""
    if parts.kind is not AnalysisStage:
        for check in _CHECKS:
            yield from check(parts)
    yield from check_graph(parts, earlier)


# ---------------------------------------------------------------- branches and fusion


def _modalities_exist(parts: StageParts) -> Iterator[Misfit]:
    data = data_of(parts)
    if data is None or parts.dataset is None:
        return
    for name in parts.modalities:
        if name not in data.modalities:
            yield Misfit(
                key_at(parts, "modalities", name),
                f"{dotted(('modalities', name))}: dataset {parts.dataset.record.name} has no such modality",
                suggestion(name, data.modalities, of="it has"),
            )


def _fusion_has_something_to_fuse(parts: StageParts) -> Iterator[Misfit]:
    if parts.fusion is not None and len(parts.modalities) == 1:
        yield Misfit(
            at(parts, "fusion"),
            f"fusion: there is nothing to fuse, {next(iter(parts.modalities))} is the only modality",
            'remove [fusion] (in a variant: drop = ["fusion"]), or add a second [modalities.NAME]',
        )


def _fusion_places(parts: StageParts) -> Iterator[Misfit]:
    """`fusion.at` names stages of every branch, in their order."""
    if parts.fusion is None or parts.fusion.use is None:
        return
    last: dict[str, int] = {}
    for index, entry in enumerate(parts.fusion.use.at):
        path: Path = ("fusion", "at", index)
        if isinstance(entry, dict):
            yield from _fusion_modalities(parts, entry, path)
            named = {(*path, modality): {modality: stage} for modality, stage in entry.items()}
        else:
            named = {path: dict.fromkeys(parts.modalities, entry)}
        for spot, stages in named.items():
            yield from _fusion_spot(parts, spot, stages, last)


def _fusion_spot(
    parts: StageParts, spot: Path, stages: Mapping[str, str], last: dict[str, int]
) -> Iterator[Misfit]:
    """Whether branches have the stage that one place names, behind their `last`; alike branches at once."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for modality in stages:
        part = parts.backbones.get(modality)
        if part is not None and part.answer is not None:
            alike.setdefault(part.answer, []).append(modality)
    for order, modalities in alike.items():
        stage, where = stages[modalities[0]], at(parts, *spot)
        branches = ("branch " if len(modalities) == 1 else "branches ") + " and ".join(modalities)
        if stage not in order:
            has = "has" if len(modalities) == 1 else "have"
            hint = suggestion(stage, order, of="stages")
            yield Misfit(where, f"{dotted(spot)}: {branches} {has} no stage {show(stage)}", hint)
            continue
        position, before = order.index(stage), last.get(modalities[0], -1)
        if position <= before:
            yield Misfit(
                where,
                f"{dotted(spot)}: {stage} does not come after {order[before]} in {branches}",
                f"name stages in their order: {listed(order)}",
            )
        last.update(dict.fromkeys(modalities, max(position, before)))


def _fusion_modalities(parts: StageParts, entry: Mapping[str, str], path: Path) -> Iterator[Misfit]:
    for modality in entry:
        if modality not in parts.modalities:
            yield Misfit(
                key_at(parts, *path, modality),
                f"{dotted((*path, modality))}: there is no such modality",
                suggestion(modality, parts.modalities, of="modalities"),
            )
    for modality in parts.modalities:
        if modality not in entry:
            yield Misfit(
                at(parts, *path),
                f"{dotted(path)}: the stage of modality {modality} is missing",
                f'add {modality} = "…"',
            )


def _balancing_has_what_it_needs(parts: StageParts) -> Iterator[Misfit]:
    if parts.balancing is None:
        return
    strategy, where = parts.balancing.record.name, parts.balancing.node.find(("use",)).where()
    plugin = parts.balancing.cls
    needs = sorted(plugin.requires)
    if 0 < len(parts.modalities) < plugin.min_modalities:
        yield Misfit(
            where,
            f"balancing: {strategy} needs {plugin.min_modalities} modalities or more, "
            f"and here {'is' if len(parts.modalities) == 1 else 'are'} {len(parts.modalities)}",
            'use = "none" trains without balancing',
        )
    elif needs and "fusion" not in parts.root.table:
        yield Misfit(
            where,
            f"balancing: {strategy} needs a fusion with {listed(needs)}, and there is no [fusion]",
            "add [fusion], or choose another balancing",
        )
    elif parts.fusion is not None:
        lacking = [need for need in needs if need not in parts.fusion.cls.capabilities]
        if lacking:
            yield Misfit(
                where,
                f"balancing: {strategy} needs a fusion with {listed(lacking)}, "
                f"and {parts.fusion.record.name} has none",
                "choose another fusion or another balancing",
            )


# ---------------------------------------------------------------- splits


def _splits_are_distinct(parts: StageParts) -> Iterator[Misfit]:
    data = data_of(parts)
    if data is None or parts.dataset is None:
        return
    if [name for name, role in data.splits.items() if role == "train"] != ["train"]:
        yield Misfit(
            at(parts, "dataset", "use"),
            f"dataset: {parts.dataset.record.title} has no split train that is the only one to train on",
            "this is a mistake of the plugin, not of the spec",
        )
    if "split" in parts.root.table and VALIDATION in data.splits:
        yield Misfit(
            at(parts, "split"),
            f"split: dataset {parts.dataset.record.name} has a split {VALIDATION} of its own",
            "remove [split]",
        )
    for key in ("group_by", "stratify"):
        group = getattr(parts.split, key, None)
        if isinstance(group, str) and group not in data.groups:
            yield Misfit(
                at(parts, "split", key),
                f"split.{key}: dataset {parts.dataset.record.name} has no groups {show(group)}",
                suggestion(group, data.groups, of="it has"),
            )
    if parts.split is not None and parts.split.group_by and isinstance(parts.split.stratify, str):
        yield Misfit(
            at(parts, "split", "stratify"),
            "split: group_by keeps groups whole, and stratify takes a share of each",
            "choose one of them",
        )


def _evaluated_splits_exist(parts: StageParts) -> Iterator[Misfit]:
    for key in SPLIT_LISTS:
        yield from _listed_splits_exist(parts, ("evaluate", key), parts.evaluated.get(key))
    if parts.extract is not None:
        yield from _listed_splits_exist(parts, ("extract", "splits"), parts.extract.splits)


def _listed_splits_exist(
    parts: StageParts, path: tuple[str, str], names: tuple[str, ...] | None
) -> Iterator[Misfit]:
    seen: set[str] = set()
    for index, name in enumerate(names or ()):
        where, what = at(parts, *path, index), f"{dotted((*path, index))}: "
        if parts.splits is not None and name not in parts.splits:
            hint = suggestion(name, parts.splits, of="splits")
            yield Misfit(where, f"{what}there is no split {show(name)}", hint)
        if name in seen:
            yield Misfit(where, f"{what}{name} stands here twice")
        seen.add(name)


def _nothing_is_selected_on_test(parts: StageParts) -> Iterator[Misfit]:
    """Whatever steers a run reads a metric of a split that exists and is not for testing."""
    watched: list[tuple[Path, Any]] = []
    if parts.select is not None:
        watched.append((("select", "metric"), parts.select.metric))
    if parts.train is not None and parts.train.stop is not None:
        watched.append((("train", "stop", "metric"), parts.train.stop.metric))
    if parts.schedule is not None:
        watched.append((("schedule", "monitor"), getattr(parts.schedule.plugin, "monitor", None)))
    for path, metric in watched:
        if isinstance(metric, str):
            yield from _metric_is_usable(parts, path, metric)


def _metric_is_usable(parts: StageParts, path: Path, metric: str) -> Iterator[Misfit]:
    split, slash, name = metric.partition("/")
    where, what = at(parts, *path), f"{dotted(path)}: {show(metric)}"
    if not (split and slash and name):
        yield Misfit(where, f"{what} names no metric", 'write "<split>/<name>", for example "val/accuracy"')
        return
    splits, each = parts.splits, parts.evaluated["each_epoch"]
    if splits is None:
        return
    usable = [s for s, role in splits.items() if role != "test"]
    if split not in splits:
        yield Misfit(
            where,
            f"{what}: there is no split {show(split)}",
            suggestion(split, usable, of="splits to choose from"),
        )
    elif splits[split] == "test":
        yield Misfit(
            where,
            f"{what}: {split} is a test split, and nothing is selected on test",
            f"choose on {' or '.join(f'{s}/{name}' for s in usable)}"
            + ("" if "validation" in splits.values() else "; [split] makes a validation set"),
        )
    elif split not in ("train", *(splits if each is None else each)):
        yield Misfit(
            where,
            f"{what}: {split} is not measured after each epoch",
            f"add {show(split)} to evaluate.each_epoch",
        )
    elif (known := _after_an_epoch(parts)) and metric not in known:
        yield Misfit(
            where,
            f"{what}: there is no such metric after an epoch",
            suggestion(metric, known, of="to choose from"),
        )


def _after_an_epoch(parts: StageParts) -> list[str] | None:
    """The metrics there are after every epoch; None where the plugins do not tell."""
    outline = _outline(parts)
    if outline is None:
        return None
    losses = ["loss", *(f"loss.{name}" for name in parts.modalities)]
    chosen_on = [split for split, role in outline.splits.items() if role != "test"]
    known = [f"{split}/{name}" for split in chosen_on for name in losses] + ["train/lr"]
    for part in parts.metrics:
        if part is None or part.plugin is None:
            return None
        try:
            told = part.plugin.epoch_metrics(outline)
        except Exception:  # noqa: BLE001 - `mistakes` is where a plugin's failure is told
            return None
        if told is None:
            return None
        known += told
    return known


# ---------------------------------------------------------------- what plugins say, and stages


def _outline(parts: StageParts) -> Outline | None:
    """What plugins are told of the stage; None while its branches are not known."""
    stages = {n: p.answer for n, p in parts.backbones.items() if p is not None and p.answer is not None}
    if not parts.modalities or len(stages) < len(parts.modalities):
        return None
    return Outline(
        modalities=tuple(parts.modalities),
        stages=stages,
        data=data_of(parts),
        splits=parts.splits or {},
        fusion=parts.fusion.cls if parts.fusion is not None else None,
        metric_names=tuple(part.record.name for part in parts.metrics if part is not None),
        reads=tuple(parts.reads),
    )


def _plugins_agree(parts: StageParts) -> Iterator[Misfit]:
    """What each plugin has against the rest of the spec."""
    outline = _outline(parts)
    if outline is None:
        return
    for part in parts.parts:
        if part.plugin is not None:
            yield from _asked(part, outline)


def _asked(part: Part, outline: Outline) -> Iterator[Misfit]:
    try:
        mistakes = tuple(part.plugin.mistakes(outline))
    except Exception as error:  # noqa: BLE001 - a plugin's own code runs here
        yield Misfit(
            part.node.find(("use",)).where(),
            f"{dotted(part.path)}: {part.record.title} failed to check the spec: "
            f"{type(error).__name__}: {error}",
            "this is a mistake of the plugin, not of the spec",
        )
        return
    for mistake in mistakes:
        path, spot = part.path, part.node.find(("use",))
        if mistake.option is not None:
            path = (*part.path, mistake.option)
            spot = part.node.table.get(mistake.option, spot)
        yield Misfit(spot.where(), f"{dotted(path)}: {mistake.what}", mistake.hint)


_CHECKS: tuple[Callable[[StageParts], Iterator[Misfit]], ...] = (
    _modalities_exist,
    _fusion_has_something_to_fuse,
    _fusion_places,
    _balancing_has_what_it_needs,
    _splits_are_distinct,
    _evaluated_splits_exist,
    _nothing_is_selected_on_test,
    _plugins_agree,
)
