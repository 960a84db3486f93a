"""The network of one stage: branches cut into stages, fusion units between them, a classifier each.

The branches advance in lockstep: each up to its stage before the next fusion unit, then the unit, and so
on to the end. Predictions are the mean of the branches' logits (Wu et al. 2022, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import torch
from torch import Tensor, nn

from mmspec.errors import GraphError
from mmspec.graph.keyed import keyed_random
from mmspec.plugins.api import Cut
from mmspec.plugins.plan import StagePlan
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
    ) -> None:
        super().__init__()
        self.modalities = tuple(branches)
        self.classes = classes
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
        features: Sequence[Tensor] = [inputs[m] for m in self.modalities]
        done = (0,) * len(features)
        seen: dict[str, Sequence[Tensor]] = {}
        for place in self._places:
            features = self._advance(features, done, place.after)
            fused = self._fuse(place.name, features, rebalance, squeezes)
            features, seen[place.name], done = fused.features, fused.squeezes, place.after
        features = self._advance(features, done, None)
        branches = self._branches()
        pooled = [branch.pool(x) for branch, x in zip(branches, features, strict=True)]
        logits = [branch.head(x) for branch, x in zip(branches, pooled, strict=True)]
        return NetworkOutput(
            features=dict(zip(self.modalities, pooled, strict=True)),
            logits=dict(zip(self.modalities, logits, strict=True)),
            prediction=torch.stack(logits).mean(0),
            squeezes=seen,
        )

    def _branches(self) -> list[Branch]:
        return list(self.branches.values())  # type: ignore[arg-type]

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
        squeezes: Mapping[str, Sequence[Tensor | None]] | None,
    ) -> FusionOutput:
        unit = self.fusion[name]
        if isinstance(unit, GatedFusionUnit):
            given = squeezes[name] if squeezes else None
            output: FusionOutput = unit(features, rebalance=rebalance, squeezes=given)
        else:
            output = unit(features)
        return output


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


def infer_shapes(plan: StagePlan) -> Shapes:
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


def build_network(plan: StagePlan, shapes: Shapes, seed: int) -> FusedNetwork:
    """The network with fresh weights.

    Each part is initialised from (seed, its name): a branch starts from the same weights whether it stands
    alone or beside others.
    """
    classes = len(plan.dataset.describe().classes)
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
    return FusedNetwork(branches, units, shapes.places, classes=classes, feature_sizes=shapes.features)


def initialise(plan: StagePlan, network: FusedNetwork) -> tuple[str, ...]:
    """Give the branches the weights that their backbones' options name; what there is to say of them."""
    remarks: list[str] = []
    for m, backbone in plan.backbones.items():
        branch: Branch = network.branches[m]  # type: ignore[assignment]
        cut = Cut(dict(branch.stages.items()), branch.pool)
        remarks += [f"modality {m}: {remark}" for remark in backbone.initialise(cut)]
    return tuple(remarks)


def _places(plan: StagePlan, stages: Mapping[str, Mapping[str, object]]) -> tuple[UnitSpec, ...]:
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


def _show(x: Tensor) -> str:
    return "(" + ", ".join(["N", *map(str, x.shape[1:])]) + ")"


def _module_dict(modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    try:
        return nn.ModuleDict(modules)
    except KeyError as error:
        raise GraphError(f"a part of a network cannot have this name: {error.args[0]}") from error
