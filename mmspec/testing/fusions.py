"""Does a fusion keep its promises?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from mmspec.plugins.api import Fusion, FusionOutput, FusionUnit, GatedFusionUnit
from mmspec.testing.claims import claim, finite, same, works
from mmspec.testing.options import check_options

Shapes = Sequence[tuple[int, ...]]
SAMPLES = 5


def check_fusion(plugin: Fusion, shapes: Shapes = ((8, 6, 6), (8, 6, 6))) -> None:
    """Check a fusion for feature maps of these shapes (C_m, *space_m), one a modality."""
    check_options(plugin)
    claim(isinstance(plugin.capabilities, frozenset), "capabilities must be a frozenset")
    unknown = plugin.capabilities - {"gates"}
    claim(not unknown, f"capabilities {sorted(unknown)} are not known; there is 'gates'")
    unit = _build(plugin, shapes, seed=0)
    again = _build(plugin, shapes, seed=0)
    claim(
        same(unit.state_dict(), again.state_dict()),
        "two units from the same random state of torch have different weights",
    )
    features = _features(shapes)
    _keeps_shapes(unit, features)
    _says_what_feeds_what(unit, features)
    _state_is_whole(plugin, unit, shapes, features)
    double = unit.double()([x.double() for x in features]).features
    claim(all(x.dtype == torch.float64 for x in double), "a float64 unit does not give float64")
    if "gates" in plugin.capabilities:
        _check_gates(_trained(_build(plugin, shapes, seed=0), shapes), features)


def _build(plugin: Fusion, shapes: Shapes, *, seed: int) -> FusionUnit:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unit = works(f"build({list(shapes)})", plugin.build, list(shapes))
    claim(isinstance(unit, FusionUnit), f"build() gives {type(unit).__name__}, not a FusionUnit")
    gated = isinstance(unit, GatedFusionUnit)
    claim(
        gated == ("gates" in plugin.capabilities),
        "capability 'gates' and GatedFusionUnit go together: one is there without the other",
    )
    return unit


def _features(shapes: Shapes, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(SAMPLES, *shape, generator=generator) for shape in shapes]


def _trained(unit: FusionUnit, shapes: Shapes) -> FusionUnit:
    """The unit after some training forwards, in evaluation mode."""
    unit.train()
    for seed in range(1, 4):
        unit(_features(shapes, seed))
    return unit.eval()


def _keeps_shapes(unit: FusionUnit, features: Sequence[Tensor]) -> None:
    output = works("the forward", unit, features)
    claim(isinstance(output, FusionOutput), f"the forward gives {type(output).__name__}, not a FusionOutput")
    given, wanted = [tuple(x.shape) for x in output.features], [tuple(x.shape) for x in features]
    claim(given == wanted, f"the forward gives feature maps {given} for {wanted}; shapes must stay")
    claim(finite(output.features), "the forward gives NaN or infinity")
    squeezed = [tuple(s.shape) for s in output.squeezes]
    claim(
        not squeezed or squeezed == [tuple(x.shape[:2]) for x in features],
        f"squeezes are {squeezed}, not one (N, C_m) a modality",
    )


def _says_what_feeds_what(unit: FusionUnit, features: Sequence[Tensor]) -> None:
    """`feeding(m)` is what the output of modality m has a gradient for, neither more nor less."""
    names = {id(parameter): name for name, parameter in unit.named_parameters()}
    unit.train()
    for m in range(len(features)):
        promised = works(f"feeding({m})", unit.feeding, m)
        claim(all(id(p) in names for p in promised), f"feeding({m}) gives what is no parameter of the unit")
        claim(len({id(p) for p in promised}) == len(promised), f"feeding({m}) gives a parameter twice")
        unit.zero_grad()
        output = unit([x.clone() for x in features]).features[m]
        if output.requires_grad:
            output.square().sum().backward()
        reached = {names[id(p)] for p in unit.parameters() if p.grad is not None}
        said = {names[id(p)] for p in promised}
        claim(
            reached == said,
            f"feeding({m}) gives {sorted(said)}, but modality {m} is fed through {sorted(reached)}",
        )
    unit.zero_grad()


def _state_is_whole(plugin: Fusion, unit: FusionUnit, shapes: Shapes, features: Sequence[Tensor]) -> None:
    other = _build(plugin, shapes, seed=1)
    _trained(unit, shapes)
    works("load_state_dict()", other.load_state_dict, unit.state_dict())
    before = {name: tensor.clone() for name, tensor in unit.state_dict().items()}
    with torch.no_grad():
        first, second = unit(features).features, other.eval()(features).features
    claim(same(first, second), "with the same state_dict, two units give different features: register state")
    claim(same(before, unit.state_dict()), "a forward in evaluation changes the unit's state")


def _check_gates(unit: FusionUnit, features: Sequence[Tensor]) -> None:
    m_all = range(len(features))
    with torch.no_grad():
        regular = unit(features)
        nothing = unit(features, rebalance=torch.zeros(len(features), dtype=torch.bool))
        none_given = unit(features, squeezes=[None] * len(features))
    claim(len(regular.squeezes) == len(features), "a unit with gates must give the squeezes that it saw")
    claim(same(regular.features, nothing.features), "rebalance = all False is not a regular forward")
    claim(same(regular.features, none_given.features), "squeezes = all None is not a regular forward")
    for m in m_all:
        _replaced_gates_are_isolated(unit, features, m, regular.features)
        _given_squeezes_hide(unit, features, m)
    before = {name: tensor.clone() for name, tensor in unit.state_dict().items()}
    unit.train()
    unit(features)
    changed = not same(before, unit.state_dict())
    claim(changed, "a training forward changes no state: gates need their running averages")
    unit.eval()


def _replaced_gates_are_isolated(
    unit: FusionUnit, features: Sequence[Tensor], m: int, regular: Sequence[Tensor]
) -> None:
    """With the gates of modality m replaced, it learns alone, and the others go on as they were."""
    chosen = torch.arange(len(features)) == m
    unit.zero_grad()
    inputs = [x.clone().requires_grad_() for x in features]
    output = unit(inputs, rebalance=chosen).features
    others = [i for i in range(len(features)) if i != m]
    alike = all(torch.equal(output[i], regular[i]) for i in others)
    claim(alike, f"replacing the gates of modality {m} changes the output of another modality")
    output[m].square().sum().backward()
    reached = [n for n, p in unit.named_parameters() if p.grad is not None and p.grad.any()]
    claim(not reached, f"the replaced gates of modality {m} still carry a gradient, to {', '.join(reached)}")
    leaks = [i for i in others if _any(inputs[i].grad)]
    claim(not leaks, f"with the gates of modality {m} replaced, a gradient still reaches modality {leaks}")
    claim(_any(inputs[m].grad), f"with its gates replaced, modality {m} gets no gradient at all")


def _given_squeezes_hide(unit: FusionUnit, features: Sequence[Tensor], m: int) -> None:
    """With the squeezes of the others given, modality m does not see them, nor how large they are."""
    others = [i for i in range(len(features)) if i != m]
    given = [None if i == m else torch.full(x.shape[1:2], 0.5) for i, x in enumerate(features)]
    changed = [x if i == m else x + 1 for i, x in enumerate(features)]
    corners = [x if i == m else _corner(x) for i, x in enumerate(features)]
    with torch.no_grad():
        first, second = unit(features, squeezes=given), unit(changed, squeezes=given)
        alike = torch.equal(first.features[m], second.features[m])
        claim(alike, f"modality {m} sees modality {others} although the squeezes of these are given")
        third = works("the forward of one position a map", partial(unit, corners, squeezes=given))
    alike = torch.equal(first.features[m], third.features[m])
    claim(alike, f"modality {m} sees the size of modality {others} although their squeezes are given")


def _corner(x: Tensor) -> Tensor:
    """One position of a feature map: (N, C, 1, …, 1)."""
    return x.reshape(*x.shape[:2], -1)[:, :, 0].reshape(*x.shape[:2], *[1] * (x.ndim - 2))


def _any(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())
