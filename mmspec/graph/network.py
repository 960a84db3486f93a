"""The network of one stage: branches cut into stages, fusion units between them, a classifier each.

The branches advance in lockstep: each up to its stage before the next fusion unit, then the unit, and so
on to the end. Predictions are the mean of the branches' logits (Wu et al. 2022, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import torch
from torch import Tensor, nn

from mmspec.errors import GraphError
from mmspec.graph.keyed import keyed_random
from mmspec.plugins.api import Cut
from mmspec.plugins.plan import NetworkPlan
from mmspec.plugins.working import FusionOutput, FusionUnit, GatedFusionUnit, NetworkOutput


class Branch(nn.Module):
    """One modality: its stages in order, the pooling that ends in (N, features), and the classifier."""

    def __init__(self, stages: Mapping[str, nn.Module], pool: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stages = _module_dict(stages)
        self.pool: nn.Module = pool
        self.head: nn.Module = head


@attrs.frozen(eq=False)
class UnitSpec:
    """Where a fusion unit stands: its name, and for each branch how many stages run before it."""

    name: str
    after: tuple[int, ...]


class FusedNetwork(nn.Module):
    """M branches with fusion units; the `MultiModalNetwork` that strategies and metrics see."""

    def __init__(
        self,
        branches: Mapping[str, Branch],
        units: Mapping[str, FusionUnit],
        places: Sequence[UnitSpec],
        *,
        classes: int,
        feature_sizes: Mapping[str, int],
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.modalities = tuple(branches)
        self.classes = classes
        self.class_names = tuple(map(str, range(classes))) if class_names is None else tuple(class_names)
        self.feature_sizes = dict(feature_sizes)
        self.branches = _module_dict(branches)
        self.fusion = _module_dict(units)
        self._places = tuple(places)

    @property
    def units(self) -> Mapping[str, FusionUnit]:
        """The fusion units by name, in the order in which they run."""
        return {place.name: self.fusion[place.name] for place in self._places}  # type: ignore[misc]

    def branch_parameters(self, modality: str) -> list[nn.Parameter]:
        """θ_m: the branch's own parameters, its classifier included."""
        return list(self.branches[modality].parameters())

    def fusion_parameters(self, modality: str) -> list[nn.Parameter]:
        """θ'_m: the fusion parameters that feed this branch, over all units."""
        position = self.modalities.index(modality)
        return [parameter for unit in self.units.values() for parameter in unit.feeding(position)]

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        rebalance: Tensor | None = None,
        squeezes: Mapping[str, Sequence[Tensor | None]] | None = None,
    ) -> NetworkOutput:
        """One pass; `rebalance` (M,) bool as in `Decision`, `squeezes` {unit: (C_m,) or None a modality}."""
        features = self._before_units(inputs)
        seen: dict[str, Sequence[Tensor]] = {}
        for name, after, until in self._hops():
            fused = self._fuse(name, features, rebalance, squeezes[name] if squeezes else None)
            seen[name] = fused.squeezes
            features = self._advance(fused.features, after, until)
        return self._answer(features, seen)

    def isolated(
        self,
        inputs: Mapping[str, Tensor],
        squeezes: Mapping[str, Sequence[Tensor]],
        rebalance: Tensor | None = None,
    ) -> tuple[NetworkOutput, dict[str, Tensor]]:
        """The output, and {m: logits (N, K) of branch m while the others' squeezes are held at `squeezes`}.

        The logits are those of a forward that is given these squeezes. What lies before the first unit is
        computed once for all, and behind it only branch m itself. They leave no trace in the units' averages.
        """
        features = alone = self._before_units(inputs)
        seen: dict[str, Sequence[Tensor]] = {}
        for name, after, until in self._hops():
            fused = self._fuse(name, features, rebalance)
            isolated = self._isolate(name, features, alone, squeezes[name], rebalance)
            seen[name] = fused.squeezes
            features = self._advance(fused.features, after, until)
            alone = self._advance(isolated, after, until)
        return self._answer(features, seen), self._logits(self._pool(alone))

    def squeezes(
        self, inputs: Mapping[str, Tensor], rebalance: Tensor | None = None
    ) -> dict[str, Sequence[Tensor]]:
        """{unit: squeezes (N, C_m)} of a forward; what comes after the last unit is not computed."""
        features = self._before_units(inputs)
        seen: dict[str, Sequence[Tensor]] = {}
        for name, after, until in self._hops():
            with _unchanged(self.fusion[name]):
                fused = self._fuse(name, features, rebalance)
            seen[name] = fused.squeezes
            if until is not None:
                features = self._advance(fused.features, after, until)
        return seen

    def _branches(self) -> list[Branch]:
        return list(self.branches.values())  # type: ignore[arg-type]

    def _before_units(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """The feature maps that the first unit sees; without units, those after the last stages."""
        first = self._places[0].after if self._places else None
        return self._advance([inputs[m] for m in self.modalities], (0,) * len(self.modalities), first)

    def _hops(self) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...] | None]]:
        """Of each unit its name, and from and up to where the branches run behind it (None: the end)."""
        ends = [*(place.after for place in self._places[1:]), None]
        for place, until in zip(self._places, ends, strict=False):
            yield place.name, place.after, until

    def _advance(
        self, features: Sequence[Tensor], done: Sequence[int], until: Sequence[int] | None
    ) -> list[Tensor]:
        """Run each branch's stages from `done` up to `until` (None: the end)."""
        advanced = []
        for m, (branch, x) in enumerate(zip(self._branches(), features, strict=True)):
            for stage in list(branch.stages.values())[done[m] : until[m] if until else None]:
                x = stage(x)  # noqa: PLW2901 - the feature map as it flows through the stages
            advanced.append(x)
        return advanced

    def _fuse(
        self,
        name: str,
        features: Sequence[Tensor],
        rebalance: Tensor | None,
        squeezes: Sequence[Tensor | None] | None = None,
    ) -> FusionOutput:
        unit = self.fusion[name]
        if isinstance(unit, GatedFusionUnit):
            if squeezes is not None:
                pairs = zip(squeezes, features, strict=True)
                squeezes = [None if squeeze is None else squeeze.to(x.dtype) for squeeze, x in pairs]
            output: FusionOutput = unit(features, rebalance=rebalance, squeezes=squeezes)
        elif squeezes is None:
            output = unit(features)
        else:
            raise GraphError(f"fusion unit {name!r} has no gates: its squeezes cannot be given")
        return output

    def _isolate(
        self,
        name: str,
        features: Sequence[Tensor],
        alone: Sequence[Tensor],
        squeezes: Sequence[Tensor],
        rebalance: Tensor | None,
    ) -> list[Tensor]:
        """Each modality's feature map in `alone` through a unit that is given the others' squeezes."""
        corners = [_corner(x) for x in features]  # where the squeeze is given, that will do
        isolated = []
        for m, own in enumerate(alone):
            seen = [own if i == m else corner for i, corner in enumerate(corners)]
            given = [None if i == m else squeeze for i, squeeze in enumerate(squeezes)]
            with _unchanged(self.fusion[name]):
                isolated.append(self._fuse(name, seen, rebalance, given).features[m])
        return isolated

    def _pool(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """{modality: (N, F_m)} of the feature maps after the last stages."""
        pairs = zip(self._branches(), features, strict=True)
        return dict(zip(self.modalities, [branch.pool(x) for branch, x in pairs], strict=True))

    def _logits(self, pooled: Mapping[str, Tensor]) -> dict[str, Tensor]:
        pairs = zip(self._branches(), pooled.values(), strict=True)
        return dict(zip(self.modalities, [branch.head(x) for branch, x in pairs], strict=True))

    def _answer(self, features: Sequence[Tensor], squeezes: Mapping[str, Sequence[Tensor]]) -> NetworkOutput:
        pooled = self._pool(features)
        logits = self._logits(pooled)
        prediction = torch.stack(list(logits.values())).mean(0)
        return NetworkOutput(pooled, logits, prediction, squeezes)


@attrs.frozen(eq=False)
class Shapes:
    """What the pass on the meta device found, all without the batch axis.

    `stages` {modality: {stage: output shape}}, `features` {modality: F_m}; `places` are the fusion units.
    """

    inputs: Mapping[str, tuple[int, ...]]
    stages: Mapping[str, Mapping[str, tuple[int, ...]]]
    features: Mapping[str, int]
    places: tuple[UnitSpec, ...]

    def at(self, place: UnitSpec) -> list[tuple[int, ...]]:
        """The shapes that a fusion unit sees, one a modality."""
        return [list(self.stages[m].values())[n - 1] for m, n in zip(self.stages, place.after, strict=True)]


def infer_shapes(plan: NetworkPlan) -> Shapes:
    """Run every branch on the meta device: no data, no arithmetic, only shapes.

    Raises:
        GraphError: a stage cannot take what the one before it gives, or a branch does not end in (N, F).
    """
    info = plan.dataset.describe().modalities
    inputs = {m: tuple(info[m].shape) for m in plan.backbones}
    stages: dict[str, dict[str, tuple[int, ...]]] = {}
    features: dict[str, int] = {}
    for m, backbone in plan.backbones.items():
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            cut = backbone.build(inputs[m])
        stages[m] = {}
        x = torch.empty((2, *inputs[m]), device="meta")
        for name, stage in cut.stages.items():
            x = _meta_pass(stage, x, f"stage {name!r} of modality {m!r}")
            stages[m][name] = tuple(x.shape[1:])
        pooled = _meta_pass(cut.pool, x, f"the pooling of modality {m!r}")
        if pooled.ndim != 2:
            raise GraphError(f"the pooling of modality {m!r} must give (N, features), not {_show(pooled)}")
        features[m] = pooled.shape[1]
    return Shapes(inputs, stages, features, _places(plan, stages))


def build_network(plan: NetworkPlan, shapes: Shapes, seed: int) -> FusedNetwork:
    """The network with fresh weights.

    Each part is initialised from (seed, its name): a branch starts from the same weights whether it stands
    alone or beside others.
    """
    names = plan.dataset.describe().classes
    classes = len(names)
    branches = {}
    for m, backbone in plan.backbones.items():
        with keyed_random(seed, f"branches.{m}"):
            cut = backbone.build(shapes.inputs[m])
        with keyed_random(seed, f"branches.{m}.head"):
            head = nn.Linear(shapes.features[m], classes)
        branches[m] = Branch(cut.stages, cut.pool, head)
    units = {}
    for place in shapes.places:
        assert plan.fusion is not None
        with keyed_random(seed, f"fusion.{place.name}"):
            units[place.name] = plan.fusion.build(shapes.at(place))
    return FusedNetwork(
        branches,
        units,
        shapes.places,
        classes=classes,
        feature_sizes=shapes.features,
        class_names=names,
    )


def initialise(plan: NetworkPlan, network: FusedNetwork) -> tuple[str, ...]:
    """Give the branches the weights that their backbones' options name; what there is to say of them."""
    remarks: list[str] = []
    for m, backbone in plan.backbones.items():
        branch: Branch = network.branches[m]  # type: ignore[assignment]
        cut = Cut(dict(branch.stages.items()), branch.pool)
        remarks += [f"modality {m}: {remark}" for remark in backbone.initialise(cut)]
    return tuple(remarks)


def _places(plan: NetworkPlan, stages: Mapping[str, Mapping[str, object]]) -> tuple[UnitSpec, ...]:
    """The fusion units in the order in which they run; none without fusion."""
    if plan.spec.fusion is None:
        return ()
    places = []
    for at in plan.spec.fusion.at:
        names = {m: at if isinstance(at, str) else at[m] for m in stages}
        after = tuple(list(stages[m]).index(names[m]) + 1 for m in stages)
        places.append(UnitSpec("_".join(dict.fromkeys(names.values())).replace(".", "_"), after))
    return tuple(places)


def _meta_pass(module: nn.Module, x: Tensor, what: str) -> Tensor:
    """`module(x)` on the meta device, its complaints turned into ours."""
    try:
        with torch.no_grad():
            output = module(x)
    except Exception as error:  # whatever a plugin's module raises is about its input
        raise GraphError(f"{what} cannot take an input of {_show(x)}: {error}") from error
    if not isinstance(output, Tensor):
        raise GraphError(f"{what} gives {type(output).__name__}, not a tensor")
    return output


def _corner(x: Tensor) -> Tensor:
    """One position of a feature map (N, C, *space): (N, C, 1, …, 1)."""
    for axis in range(2, x.ndim):
        x = x.narrow(axis, 0, 1)
    return x


@contextmanager
def _unchanged(unit: nn.Module) -> Iterator[None]:
    """Within it a unit may change its buffers, as some do even in evaluation; then all is as before."""
    before = [buffer.clone() for buffer in unit.buffers()]
    yield
    for buffer, value in zip(unit.buffers(), before, strict=True):
        buffer.copy_(value)


def _show(x: Tensor) -> str:
    return "(" + ", ".join(["N", *map(str, x.shape[1:])]) + ")"


def _module_dict(modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    try:
        return nn.ModuleDict(modules)
    except KeyError as error:
        raise GraphError(f"a part of a network cannot have this name: {error.args[0]}") from error
