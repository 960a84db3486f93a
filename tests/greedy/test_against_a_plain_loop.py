"""Whole runs in float64 against a plain loop that shares no code with the engine but the branches' layers.

The plain loop is written from the paper: its own fusion arithmetic, its own running averages, its own
bookkeeping in Python numbers. Losses, weights and every decision must agree.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest
import torch
from tiny import TinyAccuracy, TinyData, stage_plan
from torch.nn.functional import cross_entropy

from mmspec.engine.trainer import Trainer
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.metrics import ConditionalLearningSpeed
from mmspec_greedy.random_balancing import draw
from mmspec_greedy.strategies import GuidedBalancing, NoBalancing, RandomBalancing

EPOCHS = 6


def built(names, balancing):
    data = TinyData(modalities=names, samples=34)
    metrics = {"accuracy": TinyAccuracy(), "conditional_learning_speed": ConditionalLearningSpeed()}
    plan = stage_plan(
        dataset=data,
        modalities=names,
        balancing=balancing,
        precision="float64",
        metrics=metrics,
        epochs=EPOCHS,
    )
    return Trainer(attrs.evolve(plan, fusion=Mmtm(ratio=2)), 5)


class Plain:
    """M branches, two MMTM units and a strategy, by hand."""

    def __init__(self, trainer):
        self.branches = list(trainer.network.branches.values())
        self.units = list(trainer.network.units.values())
        self.averages = [[0.0] * len(self.branches) for _ in self.units]
        self.forwards = 0

    def forward(self, inputs, care):
        self.forwards += 1
        maps = list(inputs.values())
        for number, unit in enumerate(self.units):
            maps = [list(b.stages.values())[number](x) for b, x in zip(self.branches, maps, strict=True)]
            squeezed = torch.cat([x.flatten(2).mean(2) for x in maps], 1)
            joint = (squeezed @ unit.joint.weight.T + unit.joint.bias).clamp(min=0)
            gates = [1 / (1 + torch.exp(-(joint @ g.weight.T + g.bias))) for g in unit.gates]
            for m, gate in enumerate(gates):
                mean = gate.detach().mean(0)
                self.averages[number][m] += (mean - self.averages[number][m]) / self.forwards
            gates = [
                self.averages[number][m].expand_as(gate) if care == m else gate
                for m, gate in enumerate(gates)
            ]
            maps = [x * gate[:, :, None, None] for x, gate in zip(maps, gates, strict=True)]
        return [b.head(b.pool(x)) for b, x in zip(self.branches, maps, strict=True)]

    def ratio(self, parameters):
        square = sum(float((p.grad**2).sum()) for p in parameters)
        return square / sum(float((p.detach() ** 2).sum()) for p in parameters)

    def mu(self):
        own = [self.ratio(list(b.parameters())) for b in self.branches]
        fusion = [
            self.ratio([p for u in self.units for p in (*u.gates[m].parameters(), *u.joint.parameters())])
            for m in range(len(self.branches))
        ]
        return own, fusion


def guided(alpha, window, start_epoch):
    """Algorithm 1: given measures, which branch to care for next; None for a regular step."""
    state = {"own": None, "fusion": None, "left": 0, "care": None}

    def after(care, mu, epoch, step):
        if care is not None:
            state["left"] -= 1
            return care if state["left"] else None
        own, fusion = mu
        state["own"] = own if state["own"] is None else np.add(state["own"], own)
        state["fusion"] = fusion if state["fusion"] is None else np.add(state["fusion"], fusion)
        if epoch < start_epoch:
            return None
        speed = [math.log10(f / o) for f, o in zip(state["fusion"], state["own"], strict=True)]
        if max(speed) - min(speed) <= alpha:
            return None
        state["left"] = window
        return speed.index(max(speed))

    return after


def random(seed, modalities, start_epoch):
    def after(care, mu, epoch, step):
        choice = draw(seed, step, modalities) if epoch >= start_epoch else 0
        return None if choice == 0 else choice - 1

    return after


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("strategy", ["none", "random", "guided", "guided, tolerant"])
def test_every_step_agrees(names, strategy):
    balancing, reference = {
        "none": (NoBalancing(), lambda *_: None),
        "random": (RandomBalancing(start_epoch=2), random(5, len(names), 2)),
        "guided": (GuidedBalancing(alpha=0.01, window=5, start_epoch=2), guided(0.01, 5, 2)),
        "guided, tolerant": (GuidedBalancing(alpha=0.05, window=2, start_epoch=1), guided(0.05, 2, 1)),
    }[strategy]
    ours, other = built(names, balancing), built(names, balancing)
    plain, care, cares = Plain(other), None, []
    optimizer = torch.optim.SGD(other.network.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, EPOCHS + 1):
        for step, (batch, same) in enumerate(
            zip(ours.batches(), other.loaders["train"].shuffled(epoch), strict=True)
        ):
            result = ours.step(batch)
            rebalance = result.decision.rebalance
            decided = rebalance.nonzero().flatten().tolist() if rebalance is not None else []
            assert decided == ([] if care is None else [care])

            optimizer.zero_grad()
            loss = sum(cross_entropy(logits, same.target) for logits in plain.forward(same.inputs, care))
            loss.backward()
            for parameter in other.network.parameters():  # a replaced gate passes on nothing, which is zero
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            cares.append(care)
            care = reference(care, plain.mu(), epoch, (epoch - 1) * len(other.loaders["train"]) + step)
            optimizer.step()
            assert float(result.loss) == pytest.approx(float(loss.detach()), rel=1e-12)
        ours.end_epoch()
        optimizer.param_groups[0]["lr"] *= 0.5
    for mine, theirs in zip(ours.network.parameters(), other.network.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-10, atol=1e-13)
    if strategy != "none":
        assert len(set(cares)) > 1
