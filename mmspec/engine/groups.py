"""Learning-rate groups: every trainable parameter in exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from mmspec.errors import GraphError, Problem
from mmspec.graph.network import build_network, infer_shapes
from mmspec.plugins.plan import StagePlan
from mmspec.spec.model import Group


def named_parameters(network: nn.Module, strategy: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters by the names that patterns in a spec see: branches.*, fusion.*, balancing.*."""
    own = {f"balancing.{name}": parameter for name, parameter in strategy.named_parameters()}
    return dict(network.named_parameters()) | own


def check_groups(plan: StagePlan) -> None:
    """Whether the groups of a stage fit its parameters, found on the meta device.

    Raises:
        GraphError: they do not.
    """
    if plan.spec.optimizer.groups:
        with torch.device("meta"):
            network = build_network(plan, infer_shapes(plan), seed=0)
            strategy = plan.balancing.build(network, 0)
        parameter_groups(named_parameters(network, strategy), plan.spec.optimizer.groups)


def parameter_groups(parameters: Mapping[str, nn.Parameter], groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Groups for the optimizer: those of the spec, then one of scale 1 for what no pattern names.

    Raises:
        GraphError: a pattern names no trainable parameter, or two patterns name the same one.
    """
    trainable = {name: p for name, p in parameters.items() if p.requires_grad}
    named = [[name for name in trainable if fnmatchcase(name, group.match)] for group in groups]
    problems = [
        Problem(
            f"optimizer.groups: {group.match!r} names no trainable parameter",
            hint=_nearest(group.match, trainable),
        )
        for group, names in zip(groups, named, strict=True)
        if not names
    ]
    owner: dict[str, str] = {}
    for group, names in zip(groups, named, strict=True):
        for other in dict.fromkeys(owner[name] for name in names if name in owner):
            shared = [name for name in names if owner.get(name) == other]
            what = f"optimizer.groups: {other!r} and {group.match!r} both name {shared[0]}"
            hint = f"a parameter belongs to one group; these two share {len(shared)}"
            problems.append(Problem(what, hint=hint))
        owner |= dict.fromkeys(names, group.match)
    if problems:
        raise GraphError(problems)
    scaled = [(group.lr_scale, names) for group, names in zip(groups, named, strict=True)]
    scaled.append((1.0, [name for name in trainable if name not in owner]))
    return [{"params": [trainable[n] for n in names], "lr_scale": scale} for scale, names in scaled if names]


def _nearest(pattern: str, names: Iterable[str]) -> str:
    prefixes = {".".join(name.split(".")[:n]) + ".*" for name in names for n in range(1, 4)}
    near = get_close_matches(pattern, sorted(prefixes), n=3, cutoff=0.4)
    return "parameters are named like " + ", ".join(near or sorted(prefixes)[:3])
