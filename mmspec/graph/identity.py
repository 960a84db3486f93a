"""Who a run is: a hash of what it does, of the code that does it, and of the data it does it to.

`spec_hash` covers everything in the resolved spec that can change a number. Two runs of one spec hash and
different identities differ in code or data: the older one is stale.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import attrs

from mmspec.plugins.discovery import source_hash
from mmspec.plugins.plan import ExtractPlan, PluginOrigin, RunPlan

#: The modules of mmspec that make numbers.
ENGINE = ("mmspec.graph", "mmspec.data", "mmspec.engine", "mmspec.plugins.augment", "mmspec.plugins.working")

#: Keys of `[train]` that cannot change a number.
IRRELEVANT = frozenset({"workers", "log_every", "checkpoint_every", "packed"})


#: What the names of smoke runs and of their experiments begin with.
SMOKE = "smoke-"


@attrs.frozen
class Identity:
    """A run's identity: `id` names its folder; `code` and `data` say with what it was made.

    `smoke`: it ran on stand-ins, and its numbers mean nothing.
    """

    id: str
    spec_hash: str
    code: Mapping[str, Mapping[str, str | None]]
    data: Mapping[str, str]
    smoke: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return attrs.asdict(self)


def identify(plan: RunPlan, data: Mapping[str, str], *, smoke: bool = False) -> Identity:
    """The identity of a run on data with these fingerprints, {stage: fingerprint}."""
    spec_hash = hash_of_spec(plan, plan.seed)
    code = _code(plan.origins)
    whole = _hash([spec_hash, {k: [v["version"], v["source_hash"]] for k, v in code.items()}, data, smoke])
    name = SMOKE + label_slug(plan).removeprefix(SMOKE) if smoke else label_slug(plan)
    return Identity(f"{name}-s{plan.seed}-{whole[:8]}", spec_hash, code, dict(data), smoke)


def stage_ids(plan: RunPlan, data: Mapping[str, str], *, smoke: bool = False) -> dict[str, str]:
    """For each stage a hash of all that what it leaves depends on: its spec, code and data, and its parents.

    The seed counts where the stage draws by it. Stages of different runs with equal hashes leave the same, so
    one of them need not be run. Where its rows and values carry its name, the name counts.
    """
    ids: dict[str, str] = {}
    for stage in plan.stages:
        spec = _with_ids(_relevant(stage.resolved), ids)
        named = None if isinstance(stage, ExtractPlan) else spec.pop("name")
        seed = plan.seed if stage.is_random else None
        code = {k: [v["version"], v["source_hash"]] for k, v in _code(stage.origins).items()}
        read = {key.removeprefix(stage.name): value for key, value in data.items() if _is_of(key, stage.name)}
        ids[stage.name] = _hash([named, {**spec, "name": None}, seed, code, read, smoke])
    return ids


def _is_of(key: str, stage: str) -> bool:
    return key == stage or key.startswith(f"{stage}.")


def _with_ids(spec: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A stage's spec with the ids of the stages that it names in place of their names."""

    def by_id(part: Mapping[str, Any]) -> dict[str, Any]:
        return {**part, "stage": ids[part["stage"]]}

    found = dict(spec)
    if found.get("init_from"):
        found["init_from"] = by_id(found["init_from"])
    found["assemble"] = [by_id(part) for part in found.get("assemble") or ()]
    found["reads"] = {name: by_id(read) for name, read in (found.get("reads") or {}).items()}
    return found


def hash_of_spec(plan: RunPlan, seed: int) -> str:
    """A hash of all in the plan's spec that can change a number, with this seed."""
    return _hash([seed, [_relevant(stage.resolved) for stage in plan.stages]])


def engine_code() -> dict[str, str | None]:
    """Version and, where installed in editable form, source hash of what in mmspec makes numbers."""
    parts = [source_hash("mmspec", name) for name in ENGINE]
    return {
        "distribution": "mmspec",
        "version": version("mmspec"),
        "target": "mmspec",
        "source_hash": _hash(parts) if any(parts) else None,
    }


def label_slug(plan: RunPlan) -> str:
    """The run's labels as a folder name: readable, and the same on every system."""
    labels = "-".join(str(value) for value in plan.labels.values()) or plan.experiment
    return re.sub(r"[^a-z0-9.]+", "-", labels.lower()).strip("-.")[:60] or "run"


def _relevant(stage: Mapping[str, Any]) -> dict[str, Any]:
    if "train" not in stage:
        return dict(stage)
    train = {key: value for key, value in stage["train"].items() if key not in IRRELEVANT}
    return {**stage, "train": train}


def _code(origins: Iterable[PluginOrigin]) -> dict[str, dict[str, str | None]]:
    """Version and, where installed in editable form, source hash of the engine and of each plugin."""
    code = {"mmspec": engine_code()}
    for origin in origins:
        if origin.kind not in ("tracker", "launcher") and not _is_engine(origin.target):
            code[f"{origin.kind}/{origin.name}"] = {
                key: getattr(origin, key) for key in ("distribution", "version", "target", "source_hash")
            }
    return code


def _is_engine(target: str) -> bool:
    """Whether a plugin is a module of the engine (a sampler), whose hash covers it already."""
    return target.startswith(tuple(f"{module}." for module in ENGINE))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
