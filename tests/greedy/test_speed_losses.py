"""The replication's two losses: what they are, what gradient they have, and who sees the difference."""

from __future__ import annotations

import attrs
import pytest
import torch
from stand_ins import small_network, take_step
from tiny import stage_plan

from mmspec.engine.trainer import Trainer
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.speed_losses import LOSSES
from mmspec_greedy.strategies import GuidedBalancing
from mmspec_torch.schedules import ReduceOnPlateau


def combined(name, losses, speeds):
    """Value and gradient."""
    losses = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    loss = LOSSES[name](losses, torch.tensor(speeds, dtype=torch.float64))
    loss.backward()
    return float(loss.detach()), losses.grad.tolist()


def test_d_speed_is_added_without_a_gradient():
    assert combined("plus_d_speed", [2.0, 3.0], [-1.0, -1.5]) == (pytest.approx(5.5), [1.0, 1.0])
    assert combined("plus_d_speed", [2.0, 3.0], [-1.5, -1.0])[0] == pytest.approx(5.5)


def test_losses_are_weighted_by_speeds():
    value, gradient = combined("weighted_by_speed", [2.0, 3.0], [-1.0, -3.0])
    assert value == pytest.approx(2 * (0.25 * 2 + 0.75 * 3))
    assert gradient == pytest.approx([0.5, 1.5])


def test_speeds_of_two_signs_weigh_below_nothing():
    value, gradient = combined("weighted_by_speed", [2.0, 1.0], [-1.0, 3.0])
    assert value == pytest.approx(2 * abs(-0.5 * 2 + 1.5 * 1))
    assert gradient == pytest.approx([-1.0, 3.0])


@pytest.mark.parametrize("name", LOSSES)
def test_without_a_measurement_it_is_the_sum(name):
    nothing = [float("nan"), float("nan")]
    assert combined(name, [2.0, 3.0], nothing) == (pytest.approx(5.0), pytest.approx([1.0, 1.0]))


def guided(loss):
    network = small_network(2)
    return network, GuidedBalancing(loss=loss, alpha=0.0, window=2, start_epoch=1).build(network, 0)


def test_a_constant_changes_the_loss_and_nothing_else():
    (plain, sum_of), (other, plus) = guided("sum"), guided("plus_d_speed")
    for index in range(12):
        before = abs(float(plus.d_speed))
        a, b = take_step(plain, sum_of, index, 1), take_step(other, plus, index, 1)
        assert float((b.loss - a.loss).detach()) == pytest.approx(before, abs=1e-12)
    assert all(torch.equal(p, q) for p, q in zip(plain.parameters(), other.parameters(), strict=True))
    assert before > 0


def trainer(loss):
    plan = stage_plan(
        balancing=GuidedBalancing(alpha=0.0, window=2, loss=loss), precision="float64", select=None, epochs=6
    )
    schedule = ReduceOnPlateau(monitor="val/loss", factor=0.3, patience=0, threshold=0.5)
    return Trainer(attrs.evolve(plan, fusion=Mmtm(ratio=2), schedule=schedule), 3)


def test_the_schedule_sees_the_constant():
    plain, plus = trainer("sum"), trainer("plus_d_speed")
    for t in (plain, plus):
        for batch in t.batches():
            t.step(batch)
    a, b = plain.evaluate("val"), plus.evaluate("val")
    assert b["val/loss"] - a["val/loss"] == pytest.approx(abs(float(plus.strategy.d_speed)))
    assert b["val/loss.a"] == a["val/loss.a"]
    assert plus.end_epoch()["val/loss"] == b["val/loss"]
    assert plus.schedule.scheduler.best == b["val/loss"]
