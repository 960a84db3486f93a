"""What a named layer of a network gives: found once on the meta device, computed batch by batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from mmspec.errors import GraphError
from mmspec.graph.network import Branch, FusedNetwork, Shapes, build_network
from mmspec.plugins.plan import ExtractPlan
from mmspec.spec.model import FEATURES, LOGITS

#: How many samples the pass on the meta device has.
_SAMPLES = 2


class _Reached(Exception):  # noqa: N818 - no error: what lies behind the layer need not be computed
    """The layer has given its output."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


class LayerOutput:
    """What `layer` of the branch of `modality` gives for a batch, (N, …); what lies behind is not computed.

    "features" and "logits" are what pool and head of the branch give; other names are of modules in the
    branch. Of a module that runs several times, the first time counts. Without fusion no other branch runs.

    Raises:
        GraphError: the branch has no such layer.
    """

    def __init__(self, network: FusedNetwork, modality: str, layer: str) -> None:
        self._network, self._modality, self._layer = network, modality, layer
        self._branch: Branch = network.branches[modality]  # type: ignore[assignment]
        self._module = _module(self._branch, layer, modality)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """One pass as far as needed."""
        stop = self._module.register_forward_hook(_stop)
        try:
            self._run(inputs)
        except _Reached as reached:
            if not isinstance(reached.output, Tensor):
                given = type(reached.output).__name__
                raise GraphError(f"extract.layer: {self._layer} gives {given}, not a tensor") from None
            return reached.output
        finally:
            stop.remove()
        raise GraphError(f"extract.layer: {self._layer} takes no part in a forward pass")

    def _run(self, inputs: Mapping[str, Tensor]) -> None:
        if self._network.units:
            self._network(inputs)
            return
        x = inputs[self._modality]
        for stage in self._branch.stages.values():
            x = stage(x)
        self._branch.head(self._branch.pool(x))


def layer_shape(plan: ExtractPlan, shapes: Shapes) -> tuple[int, ...]:
    """The shape of the layer's output without the batch axis, by a pass on the meta device.

    Raises:
        GraphError: there is no such layer.
    """
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        network = build_network(plan, shapes, seed=0).eval()
    layer = plan.spec.extract.layer
    inputs = {m: torch.empty((_SAMPLES, *shape), device="meta") for m, shape in shapes.inputs.items()}
    with torch.no_grad():
        output = LayerOutput(network, plan.modality, layer)(inputs)
    if output.shape[:1] != (_SAMPLES,):
        given = f"{tuple(output.shape)} for {_SAMPLES} samples"
        raise GraphError(f"extract.layer: {layer} gives {given}: its first axis is not that of samples")
    return tuple(output.shape[1:])


def width(shape: tuple[int, ...], pool: str) -> int:
    """D, how many values a row has of an output of this shape."""
    return shape[0] if pool == "mean" and len(shape) > 1 else math.prod(shape)


def as_rows(output: Tensor, pool: str) -> Tensor:
    """(N, …) as rows (N, D): flattened, or with `pool` "mean" the mean over all axes but the first two."""
    if pool == "mean" and output.ndim > 2:
        return output.flatten(2).mean(2)
    return output.reshape(len(output), -1)


def _stop(_: nn.Module, __: Any, output: Any) -> None:
    raise _Reached(output)


def _module(branch: nn.Module, layer: str, modality: str) -> nn.Module:
    try:
        return branch.get_submodule({FEATURES: "pool", LOGITS: "head"}.get(layer, layer))
    except AttributeError:
        names = [name for name, _ in branch.named_modules() if name]
        near = get_close_matches(layer, names, n=3, cutoff=0.4) or names[:3]
        what = f"extract.layer: branch {modality} has no layer {layer!r}"
        hint = f"it has {', '.join(near)}, …, and {FEATURES} and {LOGITS}"
        raise GraphError(what, hint=hint) from None
