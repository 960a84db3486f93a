"""Frozen parts of a network: they neither learn nor change in any other way while a stage trains.

A parameter that takes no gradient is not enough. A normalisation layer in training mode goes on averaging
its statistics, and normalises by those of the batch. So a module whose parameters are all frozen also stays
in evaluation mode, through every `.train()`, whoever calls it. With `freeze_statistics = false` it does not,
as in published code that overlooked this: only parameters are frozen then, and compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MethodType

import torch
from torch import Tensor, nn

from mmspec.engine.groups import named_parameters, nearest_names, parameter_groups
from mmspec.errors import GraphError, Problem, RunError
from mmspec.graph.network import build_network, infer_shapes
from mmspec.plugins.plan import StagePlan


class Frozen:
    """What the `freeze` patterns of a stage hold, by name: parameters, and the buffers of held modules.

    Without `statistics` nothing but parameters is held.

    Raises:
        GraphError: a pattern names no parameter, or nothing is left to learn.
    """

    def __init__(
        self, network: nn.Module, strategy: nn.Module, patterns: Sequence[str], *, statistics: bool = True
    ) -> None:
        named = named_parameters(network, strategy)
        problems = [
            Problem(f"freeze: {pattern!r} names no parameter", hint=nearest_names(pattern, named))
            for pattern in patterns
            if not any(fnmatchcase(name, pattern) for name in named)
        ]
        frozen = {n: p for n, p in named.items() if any(fnmatchcase(n, pattern) for pattern in patterns)}
        if named and len(frozen) == len(named):
            problems.append(Problem("freeze: nothing is left to learn", hint="freeze less"))
        if problems:
            raise GraphError(problems)
        for parameter in frozen.values():
            parameter.requires_grad_(False)
        self.tensors: dict[str, Tensor] = dict(frozen)
        held = (*_held(network, ""), *_held(strategy, "balancing")) if statistics else ()
        for path, module in held:
            _stay_in_evaluation(module)
            self.tensors |= {_join(path, name): buffer for name, buffer in module.named_buffers()}

    def digests(self) -> dict[str, str]:
        """A hash of every frozen tensor, by name."""
        return {name: _digest(tensor) for name, tensor in self.tensors.items()}

    def check(self, before: Mapping[str, str]) -> None:
        """See that no frozen tensor has changed since `before`, some earlier `digests()`.

        Raises:
            RunError: one has, which no part of mmspec does: a plugin wrote to it.
        """
        changed = [name for name, digest in self.digests().items() if before.get(name) != digest]
        if changed:
            raise RunError(
                f"frozen tensors have changed: {', '.join(changed[:3])}{', …' * (len(changed) > 3)}",
                hint="a plugin writes to them; until it does not, nothing can be said of frozen parts",
            )


def check_parameters(plan: StagePlan) -> None:
    """Whether frozen names and learning-rate groups of a stage fit its parameters, on the meta device.

    Raises:
        GraphError: they do not.
    """
    groups, freeze = plan.spec.optimizer.groups, plan.spec.freeze
    if groups or freeze:
        with torch.device("meta"):
            network = build_network(plan, infer_shapes(plan), seed=0)
            strategy = plan.balancing.build(network, 0)
        Frozen(network, strategy, freeze)
        parameter_groups(named_parameters(network, strategy), groups)


def _held(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The outermost modules that have parameters, all of them frozen, with their paths."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        yield path, module
        return
    for name, child in module.named_children():
        yield from _held(child, _join(path, name))


def _stay_in_evaluation(module: nn.Module) -> None:
    module.eval()
    for inner in module.modules():
        inner.train = MethodType(_keep_mode, inner)  # type: ignore[method-assign]


def _keep_mode(module: nn.Module, mode: bool = True) -> nn.Module:
    """What `train` of a held module does."""
    del mode
    return module


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _digest(tensor: Tensor) -> str:
    """SHA-256 over type, shape and bytes."""
    values = tensor.detach().cpu().contiguous()
    hashed = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
    hashed.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return hashed.hexdigest()
