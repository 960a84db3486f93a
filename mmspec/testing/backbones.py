"""Does a backbone keep its promises?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmspec.plugins.api import Backbone, Cut
from mmspec.testing.claims import claim, finite, same, works
from mmspec.testing.options import check_options


def check_backbone(plugin: Backbone, shape: tuple[int, ...] = (3, 32, 32)) -> None:
    """Check a backbone for samples of `shape` (C, *space)."""
    check_options(plugin)
    names = plugin.stage_names()
    fits = isinstance(names, tuple) and names and all(isinstance(name, str) and name for name in names)
    claim(fits, f"stage_names() gives {names!r}, not a tuple of names")
    claim(len(set(names)) == len(names), f"stage_names() names a stage twice: {names}")
    sizes = _on_the_meta_device(plugin, shape)
    cut = _build(plugin, shape, seed=0)
    _is_cut_as_named(cut, names)
    _initialises_from_torch(plugin, cut, shape)
    x = torch.randn(2, *shape)
    claim(_sizes(cut, x) == sizes, "shapes on the meta device differ from those of real samples")
    _learns(cut, x)
    _state_is_whole(plugin, cut, x, shape)
    _evaluates_each_sample_alone(cut, x)
    double = works("a float64 forward", _run, _modules(cut).double(), x.double())
    claim(double.dtype == torch.float64, f"a float64 network gives {double.dtype}")


def _build(plugin: Backbone, shape: tuple[int, ...], *, seed: int) -> Cut:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cut = works(f"build({shape})", plugin.build, shape)
    claim(isinstance(cut, Cut), f"build() gives {type(cut).__name__}, not a Cut")
    return cut


def _modules(cut: Cut) -> nn.ModuleList:
    return nn.ModuleList([*cut.stages.values(), cut.pool])


def _run(modules: nn.ModuleList, x: Tensor) -> Tensor:
    for module in modules:
        x = module(x)
    return x


def _sizes(cut: Cut, x: Tensor) -> list[tuple[int, ...]]:
    sizes = []
    with torch.no_grad():
        for name, module in [*cut.stages.items(), ("the pooling", cut.pool)]:
            x = works(f"the forward of {name}", module, x)
            claim(isinstance(x, Tensor), f"{name} gives {type(x).__name__}, not one tensor")
            sizes.append(tuple(x.shape))
    claim(len(sizes[-1]) == 2, f"the pooling gives {sizes[-1]}, not (N, features)")
    return sizes


def _on_the_meta_device(plugin: Backbone, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    with torch.device("meta"):
        cut = works("build() on the meta device", plugin.build, shape)
    there = all(tensor.is_meta for tensor in _modules(cut).state_dict().values())
    claim(there, "built under torch.device('meta'), some weights are elsewhere: do not name a device")
    return _sizes(cut, torch.empty((2, *shape), device="meta"))


def _is_cut_as_named(cut: Cut, names: tuple[str, ...]) -> None:
    claim(
        tuple(cut.stages) == names,
        f"build() gives the stages {tuple(cut.stages)}, stage_names() says {names}",
    )
    parameters = [p for module in _modules(cut) for p in module.parameters()]
    claim(len({id(p) for p in parameters}) == len(parameters), "two stages share a parameter")


def _initialises_from_torch(plugin: Backbone, cut: Cut, shape: tuple[int, ...]) -> None:
    state = _modules(cut).state_dict()
    claim(
        same(state, _modules(_build(plugin, shape, seed=0)).state_dict()),
        "two builds from the same random state of torch have different weights",
    )
    if not any(True for _ in _modules(cut).parameters()):
        return
    if plugin.is_random:
        other = _modules(_build(plugin, shape, seed=1)).state_dict()
        claim(not same(state, other), "weights do not depend on torch's random state, and is_random says so")
        return
    first, second = (_initialised(plugin, shape, seed) for seed in (0, 1))
    claim(same(first, second), "is_random says that all weights are given, and some are drawn")


def _initialised(plugin: Backbone, shape: tuple[int, ...], seed: int) -> dict[str, Tensor]:
    """The weights before training."""
    cut = _build(plugin, shape, seed=seed)
    works("initialise()", plugin.initialise, cut)
    return _modules(cut).state_dict()


def _learns(cut: Cut, x: Tensor) -> None:
    modules = _modules(cut).train()
    output = _run(modules, x)
    output.square().sum().backward()  # type: ignore[no-untyped-call]
    idle = [n for n, p in modules.named_parameters() if p.requires_grad and p.grad is None]
    claim(not idle, f"no gradient reaches {', '.join(idle)}")
    claim(finite([output, *(p.grad for p in modules.parameters() if p.grad is not None)]), "NaN or infinity")
    modules.zero_grad()


def _state_is_whole(plugin: Backbone, cut: Cut, x: Tensor, shape: tuple[int, ...]) -> None:
    modules, other = _modules(cut).eval(), _modules(_build(plugin, shape, seed=1)).eval()
    works("load_state_dict()", other.load_state_dict, modules.state_dict())
    with torch.no_grad():
        alike = same(_run(modules, x), _run(other, x))
    claim(alike, "with the same state_dict, two networks give different features: register what changes")


def _evaluates_each_sample_alone(cut: Cut, x: Tensor) -> None:
    modules = _modules(cut).eval()
    before = {name: tensor.clone() for name, tensor in modules.state_dict().items()}
    with torch.no_grad():
        together, alone = _run(modules, x), _run(modules, x[:1])
    claim(
        torch.allclose(together[:1], alone, rtol=1e-3, atol=1e-4),
        "in evaluation, a sample's features depend on the batch it is in",
    )
    claim(same(before, modules.state_dict()), "a forward in evaluation changes the network's state")
