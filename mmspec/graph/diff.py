"""How two runs differ, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmspec.plugins.plan import RunPlan

#: Stands where one side has no such key.
ABSENT = "(absent)"


def diff_plans(a: RunPlan, b: RunPlan) -> list[tuple[str, str, str]]:
    """(key, left, right) for every key of the resolved specs whose values differ, in spec order."""
    left, right = flatten(_by_stage(a)), flatten(_by_stage(b))
    keys = dict.fromkeys([*left, *right])
    return [
        (key, left.get(key, ABSENT), right.get(key, ABSENT))
        for key in keys
        if left.get(key) != right.get(key)
    ]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """{dotted key: value as text} of a nested table."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = str(value)
    return flat


def _by_stage(plan: RunPlan) -> dict[str, Any]:
    """The resolved spec with the keys of a single stage at the top, as the user wrote them."""
    stages = {stage.name: dict(stage.resolved) for stage in plan.stages}
    if len(stages) == 1:
        (stages,) = stages.values()
    return {"seed": plan.seed, **{k: v for k, v in stages.items() if k != "name"}}
