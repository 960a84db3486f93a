"""Learning rates over whole trainings, group by group."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

from mmspec.errors import GraphError
from mmspec_torch.optimizers import Sgd
from mmspec_torch.schedules import (
    Constant,
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Step,
)

EPOCHS, STEPS = 6, 4
SCALES = (1.0, 0.4, 0.0, 1e-9)

SCHEDULES = [
    Constant(),
    Step(step_size=2),
    MultiStep(milestones=(2, 3), gamma=0.5),
    Exponential(gamma=0.7),
    Cosine(),
    Cosine(warmup_epochs=2, final=0.1),
    OneCycle(),
    OneCycle(anneal="linear", pct_start=0.5, div_factor=10.0, final_div_factor=100.0),
    ReduceOnPlateau(patience=0, factor=0.5, min_lr=0.03),
    ReduceOnPlateau(patience=1, factor=0.5, cooldown=1, threshold_mode="abs", threshold=0.1),
]


def make(plugin, lr=0.1):
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr_scale": scale} for scale in SCALES]
    optimizer = Sgd(lr=lr).build(groups)
    return optimizer, plugin.build(optimizer, epochs=EPOCHS, steps_per_epoch=STEPS)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def train(optimizer, schedule, epochs=range(EPOCHS), loss=lambda epoch: 1.0):
    """The learning rates that each step uses, and those after the end."""
    used = []
    for epoch in epochs:
        for _ in range(STEPS):
            used.append(rates(optimizer))
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch({"train/loss": loss(epoch)})
    return [*used, rates(optimizer)]


@pytest.mark.parametrize("plugin", SCHEDULES, ids=str)
def test_ratios_between_groups_survive_every_step(plugin):
    for first, *others in train(*make(plugin)):
        for rate, scale in zip(others, SCALES[1:], strict=True):
            assert math.isclose(rate, first * scale, rel_tol=1e-9, abs_tol=0.0)


@pytest.mark.parametrize("plugin", SCHEDULES, ids=str)
def test_state_carries_over(plugin):
    whole = train(*make(plugin))
    optimizer, schedule = make(plugin)
    train(optimizer, schedule, range(3))
    state = copy.deepcopy([optimizer.state_dict(), schedule.state_dict()])
    again, resumed = make(plugin)
    again.load_state_dict(state[0])
    resumed.load_state_dict(state[1])
    assert train(again, resumed, range(3, EPOCHS)) == whole[3 * STEPS :]


@pytest.mark.parametrize("plugin", SCHEDULES, ids=str)
def test_state_is_plain_values(plugin):
    _, schedule = make(plugin)
    json.dumps(schedule.state_dict(), default=lambda value: pytest.fail(f"{type(value)} in the state"))


def first_group(plugin, **options):
    return [group[0] for group in train(*make(plugin), **options)]


def by_epoch(plugin, **options):
    used = first_group(plugin, **options)
    assert all(len(set(used[i : i + STEPS])) == 1 for i in range(0, EPOCHS * STEPS, STEPS))
    return used[::STEPS]


def test_constant():
    assert set(first_group(Constant())) == {0.1}


def test_step():
    assert by_epoch(Step(step_size=2)) == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001])


def test_multistep():
    assert by_epoch(MultiStep(milestones=(2, 3), gamma=0.5)) == pytest.approx(
        [0.1] * 2 + [0.05] + [0.025] * 4
    )


def test_exponential():
    assert by_epoch(Exponential(gamma=0.7)) == pytest.approx([0.1 * 0.7**i for i in range(7)])


def test_cosine():
    expected = [0.05 * (1 + math.cos(math.pi * i / 24)) for i in range(25)]
    assert first_group(Cosine()) == pytest.approx(expected)


def test_cosine_with_warmup():
    expected = [0.1 * (i + 1) / 8 for i in range(8)]
    expected += [0.1 * (0.1 + 0.45 * (1 + math.cos(math.pi * i / 16))) for i in range(17)]
    assert first_group(Cosine(warmup_epochs=2, final=0.1)) == pytest.approx(expected)


def test_cosine_that_only_warms_up():
    assert first_group(Cosine(warmup_epochs=EPOCHS))[-2] == pytest.approx(0.1)


def test_one_cycle_goes_up_and_far_down():
    used = first_group(OneCycle(pct_start=0.25, div_factor=10.0, final_div_factor=100.0))
    assert used[0] == pytest.approx(0.01)
    assert max(used) == pytest.approx(0.1, rel=0.01)
    assert used.index(max(used)) in (5, 6)
    assert used[-1] == pytest.approx(0.01 / 100)
    assert used[6:] == sorted(used[6:], reverse=True)


def test_plateau_waits_for_patience():
    plugin = ReduceOnPlateau(factor=0.5, patience=1)
    assert by_epoch(plugin) == pytest.approx([0.1] * 3 + [0.05] * 2 + [0.025] * 2)
    assert by_epoch(plugin, loss=lambda epoch: -epoch) == pytest.approx([0.1] * 7)


def test_plateau_stops_at_the_smallest_rate():
    plugin = ReduceOnPlateau(factor=0.5, patience=0, min_lr=0.03)
    assert by_epoch(plugin) == pytest.approx([0.1] * 2 + [0.05] + [0.03] * 4)


def test_plateau_can_watch_for_larger():
    plugin = ReduceOnPlateau(monitor="train/loss", mode="max", factor=0.5, patience=0)
    assert by_epoch(plugin, loss=lambda epoch: epoch) == pytest.approx([0.1] * 7)
    assert by_epoch(plugin, loss=lambda epoch: -epoch)[-1] < 0.1


def test_plateau_names_what_there_is():
    _, schedule = make(ReduceOnPlateau(monitor="val/acuracy"))
    with pytest.raises(GraphError, match=r"val/acuracy(.|\n)*val/accuracy"):
        schedule.after_epoch({"val/accuracy": 0.5, "train/loss": 1.0})


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        (Step, {"step_size": 0}),
        (Step, {"step_size": 1, "gamma": 0.0}),
        (MultiStep, {"milestones": ()}),
        (MultiStep, {"milestones": (3, 3)}),
        (MultiStep, {"milestones": (0, 3)}),
        (Exponential, {"gamma": -1.0}),
        (Cosine, {"final": 1.5}),
        (Cosine, {"warmup_epochs": -1}),
        (OneCycle, {"pct_start": 1.0}),
        (ReduceOnPlateau, {"factor": 1.0}),
        (ReduceOnPlateau, {"patience": -1}),
    ],
)
def test_options_out_of_range_are_refused(plugin, options):
    with pytest.raises(ValueError, match="must be"):
        plugin(**options)
