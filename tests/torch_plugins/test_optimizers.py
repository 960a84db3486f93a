"""Every optimizer builds, scales its groups, and steps as torch's own does."""

from __future__ import annotations

import copy

import attrs
import pytest
import torch

from mmspec.plugins.api import Outline
from mmspec_torch.optimizers import Adagrad, Adam, AdamW, RmsProp, Sgd

OUTLINE = Outline(modalities=("a",), stages={}, data=None, splits={}, fusion=None)

CASES = [
    (Sgd(lr=0.1), torch.optim.SGD, {}),
    (
        Sgd(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
        torch.optim.SGD,
        {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    ),
    (Sgd(lr=0.1, momentum=0.9, dampening=0.5), torch.optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
    (Adam(lr=0.1), torch.optim.Adam, {}),
    (
        Adam(lr=0.1, betas=(0.5, 0.9), amsgrad=True, weight_decay=0.1),
        torch.optim.Adam,
        {"betas": (0.5, 0.9), "amsgrad": True, "weight_decay": 0.1},
    ),
    (AdamW(lr=0.1), torch.optim.AdamW, {}),
    (AdamW(lr=0.1, weight_decay=0.3), torch.optim.AdamW, {"weight_decay": 0.3}),
    (RmsProp(lr=0.1), torch.optim.RMSprop, {}),
    (
        RmsProp(lr=0.1, alpha=0.5, momentum=0.9, centered=True),
        torch.optim.RMSprop,
        {"alpha": 0.5, "momentum": 0.9, "centered": True},
    ),
    (Adagrad(lr=0.1), torch.optim.Adagrad, {}),
    (
        Adagrad(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.2),
        torch.optim.Adagrad,
        {"lr_decay": 0.1, "initial_accumulator_value": 0.2},
    ),
]


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(3, generator=generator, dtype=torch.float64)) for _ in range(2)]


def train(optimizer, values, steps=4):
    for step in range(steps):
        optimizer.zero_grad()
        sum(((v - step) ** 2 * (i + 1)).sum() for i, v in enumerate(values)).backward()
        optimizer.step()
    return [v.detach().clone() for v in values]


@pytest.mark.parametrize(("plugin", "reference", "options"), CASES)
def test_steps_as_torch_does(plugin, reference, options):
    ours, theirs = parameters(), parameters()
    built = plugin.build([{"params": [ours[0]], "lr_scale": 1.0}, {"params": [ours[1]], "lr_scale": 0.25}])
    expected = reference(
        [{"params": [theirs[0]]}, {"params": [theirs[1]], "lr": 0.1 * 0.25}], lr=0.1, **options
    )
    assert type(built) is reference
    assert [group["lr"] for group in built.param_groups] == [0.1, 0.025]
    for a, b in zip(train(built, ours), train(expected, theirs), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("plugin", [case[0] for case in CASES])
def test_options_and_defaults_are_torchs(plugin):
    """An option is an argument of torch's, and what an option leaves out keeps torch's default."""
    defaults = plugin.optimizer_class()(parameters()).defaults
    fresh = type(plugin)(lr=0.1)
    for field in attrs.fields(type(plugin)):
        assert field.name in defaults
        if field.name != "lr":
            assert getattr(fresh, field.name) == defaults[field.name], field.name


@pytest.mark.parametrize("plugin", [case[0] for case in CASES])
def test_state_carries_over(plugin):
    first, second = parameters(), parameters()
    a = plugin.build([{"params": first, "lr_scale": 0.5}])
    train(a, first)
    b = plugin.build([{"params": second, "lr_scale": 0.5}])
    with torch.no_grad():
        for x, y in zip(second, first, strict=True):
            x.copy_(y)
    b.load_state_dict(copy.deepcopy(a.state_dict()))
    for x, y in zip(train(a, first), train(b, second), strict=True):
        assert torch.equal(x, y)


def test_a_group_of_scale_zero_stands_still():
    values = parameters()
    before = values[0].detach().clone()
    train(Sgd(lr=0.1).build([{"params": values, "lr_scale": 0.0}]), values)
    assert torch.equal(values[0], before)


@pytest.mark.parametrize(
    ("plugin", "mistakes"),
    [
        (Sgd(lr=1.0, nesterov=True), 1),
        (Sgd(lr=1.0, nesterov=True, momentum=0.9, dampening=0.1), 1),
        (Sgd(lr=1.0, nesterov=True, momentum=0.9), 0),
        (Sgd(lr=1.0), 0),
    ],
)
def test_nesterov_needs_momentum(plugin, mistakes):
    assert [m.option for m in plugin.mistakes(OUTLINE)] == ["nesterov"] * mistakes


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        (Sgd, {"lr": -0.1}),
        (Sgd, {"lr": 0.1, "momentum": -1.0}),
        (Adam, {"lr": 0.1, "betas": (0.9,)}),
        (Adam, {"lr": 0.1, "betas": (0.9, 1.0)}),
        (AdamW, {"lr": 0.1, "weight_decay": -1.0}),
        (RmsProp, {"lr": 0.1, "alpha": 1.0}),
        (Adagrad, {"lr": 0.1, "eps": 0.0}),
    ],
)
def test_options_out_of_range_are_refused(plugin, options):
    with pytest.raises(ValueError, match="must be"):
        plugin(**options)
