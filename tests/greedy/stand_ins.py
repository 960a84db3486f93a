"""Small float64 networks and hand-made evaluations for the tests of the greedy plugins."""

from __future__ import annotations

import torch
from torch import nn

from mmspec.graph.network import Branch, FusedNetwork, UnitSpec
from mmspec.plugins.api import Batch, Decision, NetworkOutput, Step
from mmspec_greedy.mmtm import MmtmUnit

torch.set_num_threads(1)

NAMES = ("a", "b", "c", "d")
CLASSES = 3


def small_network(modalities: int, *, units: int = 1, seed: int = 0, compat=None) -> FusedNetwork:
    """Branches of linear stages over 5 numbers, an MMTM unit after each of the first `units` stages."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        names = NAMES[:modalities]
        branches = {
            m: Branch(
                {
                    f"s{i}": nn.Sequential(nn.Linear(5 if i == 0 else 4, 4), nn.Tanh())
                    for i in range(units + 1)
                },
                nn.Flatten(),
                nn.Linear(4, CLASSES),
            )
            for m in names
        }
        fusion = {f"u{i}": MmtmUnit([4] * modalities, compat=compat) for i in range(units)}
        places = [UnitSpec(f"u{i}", (i + 1,) * modalities) for i in range(units)]
        sizes = dict.fromkeys(names, 4)
        return FusedNetwork(branches, fusion, places, classes=CLASSES, feature_sizes=sizes).double()


def random_batch(modalities: int, index: int, samples: int = 6) -> Batch:
    """A batch that depends on `index` alone."""
    generator = torch.Generator().manual_seed(1000 + index)
    inputs = {
        m: torch.randn(samples, 5, dtype=torch.float64, generator=generator) for m in NAMES[:modalities]
    }
    target = torch.randint(CLASSES, (samples,), generator=generator)
    return Batch(inputs, target, torch.arange(samples))


def take_step(network, strategy, index: int, epoch: int, *, lr: float = 0.1, metrics=()) -> Step:
    """What the engine's loop does in one step, with plain SGD."""
    batch = random_batch(len(network.modalities), index)
    decision = strategy.decide(index, epoch)
    network.zero_grad(set_to_none=True)
    output = network(batch.inputs, rebalance=decision.rebalance)
    step = Step(index, epoch, batch, decision, output)
    step.terms = {m: nn.functional.cross_entropy(x, batch.target) for m, x in output.logits.items()}
    step.loss = strategy.loss(step)
    step.loss.backward()
    with torch.no_grad():
        strategy.after_backward(step)
        for metric in metrics:
            metric.after_backward(step)
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.sub_(lr * parameter.grad)
    return step


def rebalanced(decision: Decision) -> int | None:
    """The modality that a decision re-balances; None for a regular step."""
    if decision.rebalance is None or not decision.rebalance.any():
        return None
    (chosen,) = decision.rebalance.nonzero()
    return int(chosen)


class ScriptedStep:
    """A step whose measured μ is given: for driving a state machine by hand."""

    def __init__(self, epoch: int, measured=None, index: int = 0, decision: Decision | None = None) -> None:
        self.epoch, self.index = epoch, index
        self.decision = decision or Decision()
        self._measured = measured

    def once(self, what, compute):
        del what, compute
        return torch.tensor(self._measured, dtype=torch.float64)


class ScriptedEvaluation:
    """An evaluation whose passes are given: `answer(split, squeezes)` yields (NetworkOutput, Batch).

    `isolated` goes the long way: a pass as it is, and one for each modality with the others' squeezes held.
    """

    train_split = "train"

    def __init__(self, network, answer) -> None:
        self.network, self._answer = network, answer
        self._memo: dict[object, object] = {}
        self.asked: list[str] = []

    def passes(self, split, squeezes=None):
        self.asked.append(split)
        return self._answer(split, squeezes)

    def squeezes(self, split):
        for output, batch in self.passes(split):
            yield output.squeezes, batch

    def isolated(self, split, squeezes):
        ms = range(len(self.network.modalities))
        held = [
            {unit: [None if i == m else s for i, s in enumerate(given)] for unit, given in squeezes.items()}
            for m in ms
        ]
        alone = zip(*(self._answer(split, others) for others in held), strict=True)
        for (output, batch), outputs in zip(self.passes(split), alone, strict=True):
            pairs = zip(self.network.modalities, outputs, strict=True)
            yield output, {m: other.logits[m] for m, (other, _) in pairs}, batch

    def once(self, what, compute):
        if what not in self._memo:
            self._memo[what] = compute()
        return self._memo[what]


def predicted(classes: dict[str, list[int]], target: list[int], squeezes=None) -> tuple[NetworkOutput, Batch]:
    """An output whose branches predict these classes."""
    one_hot = nn.functional.one_hot
    logits = {m: one_hot(torch.tensor(c), CLASSES).double() for m, c in classes.items()}
    mean = torch.stack(list(logits.values())).mean(0)
    batch = Batch({}, torch.tensor(target), torch.arange(len(target)))
    return NetworkOutput({}, logits, mean, squeezes or {}), batch
