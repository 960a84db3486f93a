"""Learning-rate groups: every trainable parameter in exactly one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from mmspec.errors import GraphError, Problem
from mmspec.spec.model import Group


def named_parameters(network: nn.Module, strategy: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters by the names that patterns in a spec see: branches.*, fusion.*, balancing.*."""
    own = {f"balancing.{name}": parameter for name, parameter in strategy.named_parameters()}
    return dict(network.named_parameters()) | own


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
            hint=nearest_names(group.match, trainable),
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


def nearest_names(pattern: str, names: Iterable[str]) -> str:
    """What parameters are called that a mistaken pattern may have meant."""
    prefixes = {".".join(name.split(".")[:n]) + ".*" for name in names for n in range(1, 4)}
    near = get_close_matches(pattern, sorted(prefixes), n=3, cutoff=0.4)
    return "parameters are named like " + ", ".join(near or sorted(prefixes)[:3])
