"""Guided training of two ResNet-18 in float64, decision by decision, against a plain loop from the paper.

The plain loop shares no code with mmspec: torchvision's networks, MMTM by hand between their layers, running
averages and bookkeeping in Python. With `slips` it errs as the authors' released code is known to: the second
branch's average is made of the first branch's gates, evaluations update the averages, and they run with the
decision that is pending.

Rounding grows fiftyfold in a step here (BatchNorm over a handful of values), so two runs do not stay together
by themselves. After each step all weights are compared, and the plain loop goes on from ours; what it decides
and averages stays its own all the way.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest
import torch
from tiny import TinyAccuracy, stage_plan
from torch.nn.functional import cross_entropy

from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import ArraySource, DataInfo, Dataset, ModalityInfo, load_torchvision
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.metrics import ConditionalLearningSpeed, ConditionalUtilization
from mmspec_greedy.strategies import GuidedBalancing
from mmspec_torch.backbones import ResNet18
from mmspec_torch.optimizers import Sgd
from mmspec_torch.schedules import Constant

NAMES, CLASSES, SIZE = ("a", "b"), 4, 32
BATCH, TRAIN = 4, 27  # seven steps an epoch, the last with three samples
FUSED = ("layer2", "layer3", "layer4")
ALPHA, WINDOW, START = 0.01, 5, 2
RATE = 0.02


@attrs.frozen(kw_only=True)
class Patterns(Dataset):
    """Noise around a faint pattern for each class and modality."""

    def describe(self):
        infos = dict.fromkeys(NAMES, ModalityInfo((3, SIZE, SIZE), mean=(0.5,) * 3, std=(0.5,) * 3))
        splits = {"train": "train", "val": "validation", "test": "test"}
        return DataInfo(infos, tuple("wxyz"), splits)

    def open(self, modalities):
        sources, first = {}, 0
        for number, (split, n) in enumerate({"train": TRAIN, "val": 6, "test": 5}.items()):
            random = np.random.default_rng(number)
            targets = random.integers(0, CLASSES, n)
            patterns = np.random.default_rng(7).integers(0, 56, (2, CLASSES, 3, SIZE, SIZE))
            noise = random.integers(0, 200, (2, n, 3, SIZE, SIZE))
            arrays = dict(zip(NAMES, (patterns[:, targets] + noise).astype(np.uint8), strict=True))
            sources[split] = ArraySource(arrays, targets, np.arange(first, first + n))
            first += n
        return sources

    def fingerprint(self):
        return "patterns"


def built(seed, compat):
    metrics = {
        "accuracy": TinyAccuracy(),
        "conditional_learning_speed": ConditionalLearningSpeed(),
        "conditional_utilization": ConditionalUtilization(),
    }
    plan = stage_plan(
        dataset=Patterns(),
        modalities=NAMES,
        at=FUSED,
        balancing=GuidedBalancing(alpha=ALPHA, window=WINDOW, start_epoch=START, compat=compat),
        metrics=metrics,
        precision="float64",
        batch_size=BATCH,
        epochs=100,
    )
    parts = {
        "backbones": {m: ResNet18() for m in NAMES},
        "fusion": Mmtm(ratio=4, compat=compat),
        "optimizer": Sgd(lr=RATE, momentum=0.0),
        "schedule": Constant(),
    }
    return Trainer(attrs.evolve(plan, **parts), seed)


class PlainNetwork:
    """Two ResNet-18 of torchvision's, with MMTM behind layers 2 to 4, that begin with the weights of ours."""

    def __init__(self, network, *, slips):
        self.slips = slips
        models = load_torchvision().models
        self.branches = [models.resnet18(num_classes=CLASSES).double() for _ in NAMES]
        # W_z and b_z, then W_m and b_m for each modality
        self.units = [
            [[t.detach().clone().requires_grad_() for t in (x.weight, x.bias)] for x in layers]
            for layers in ([unit.joint, *unit.gates] for unit in network.units.values())
        ]
        self.averages = [[0.0, 0.0] for _ in FUSED]
        self.forwards = 0
        self.take_weights(network)

    def pairs(self, network):
        """Each tensor of ours with the one that is to be the same."""
        for name, branch in zip(NAMES, self.branches, strict=True):
            theirs = branch.state_dict()
            for key, mine in network.branches[name].state_dict().items():
                plain = key.removeprefix("stages.").removeprefix("stem.").replace("head.", "fc.")
                yield mine, theirs.pop(plain)
            assert not theirs
        for unit, layers in zip(network.units.values(), self.units, strict=True):
            for x, (weight, bias) in zip([unit.joint, *unit.gates], layers, strict=True):
                yield from ((x.weight, weight), (x.bias, bias))

    @torch.no_grad()
    def take_weights(self, network):
        for mine, theirs in self.pairs(network):
            theirs.copy_(mine)

    def forward(self, inputs, care, *, training):
        """Logits of both branches; `care`: whose gates are replaced, if any's."""
        self.forwards += training or self.slips
        for branch in self.branches:
            branch.train(training)
        maps = []
        for branch, x in zip(self.branches, inputs, strict=True):
            stem = branch.maxpool(branch.relu(branch.bn1(branch.conv1(x))))
            maps.append(branch.layer1(stem))
        for number, layer in enumerate(FUSED):
            maps = [getattr(branch, layer)(x) for branch, x in zip(self.branches, maps, strict=True)]
            maps = self._fuse(number, maps, care, averaging=training or self.slips)
        return [branch.fc(x.mean((2, 3))) for branch, x in zip(self.branches, maps, strict=True)]

    def _fuse(self, number, maps, care, *, averaging):
        (w, b), *excitations = self.units[number]
        joint = (torch.cat([x.mean((2, 3)) for x in maps], 1) @ w.T + b).clamp(min=0)
        gates = [1 / (1 + torch.exp(-(joint @ w.T + b))) for w, b in excitations]
        averages = self.averages[number]
        if averaging:
            for m in (0, 1):
                mean = gates[0 if self.slips else m].detach().mean(0)
                averages[m] = averages[m] + (mean - averages[m]) / self.forwards
        gates = [averages[m].expand_as(gate) if m == care else gate for m, gate in enumerate(gates)]
        return [x * gate[:, :, None, None] for x, gate in zip(maps, gates, strict=True)]

    def own(self, m):
        return list(self.branches[m].parameters())

    def feeding(self, m):
        return [p for unit in self.units for layer in (unit[0], unit[1 + m]) for p in layer]

    def parameters(self):
        fusion = [p for unit in self.units for layer in unit for p in layer]
        return [*self.own(0), *self.own(1), *fusion]


class PlainTraining:
    """Algorithm 1 of the paper, step by step, with plain gradient descent."""

    def __init__(self, network):
        self.network = network
        self.care, self.left = None, 0
        self.fused, self.alone = [0.0, 0.0], [0.0, 0.0]
        self.d_speed = 0.0

    def step(self, inputs, target, epoch):
        network = self.network
        loss = sum(cross_entropy(x, target) for x in network.forward(inputs, self.care, training=True))
        for p in network.parameters():
            p.grad = torch.zeros_like(p)  # to a replaced gate's parameters no gradient comes
        loss.backward()
        self._decide(epoch)
        with torch.no_grad():
            for p in network.parameters():
                p.sub_(p.grad, alpha=RATE)
        return float(loss.detach())

    def _decide(self, epoch):
        if self.care is not None:
            self.left -= 1
            self.care = self.care if self.left else None
            return
        for m in (0, 1):
            self.fused[m] += _mu(self.network.feeding(m))
            self.alone[m] += _mu(self.network.own(m))
        s = [math.log10(f / a) for f, a in zip(self.fused, self.alone, strict=True)]
        self.d_speed = s[0] - s[1]
        if epoch >= START and abs(self.d_speed) > ALPHA:
            self.care, self.left = (0 if self.d_speed > 0 else 1), WINDOW

    @torch.no_grad()
    def evaluate(self, batches):
        """Accuracy and loss over a split."""
        right, loss, seen = 0, 0.0, 0
        care = self.care if self.network.slips else None
        for batch in batches:
            logits = self.network.forward(list(batch.inputs.values()), care, training=False)
            right += int((sum(logits).argmax(1) == batch.target).sum())
            loss += sum(float(cross_entropy(x, batch.target)) for x in logits) * len(batch)
            seen += len(batch)
        return right / seen, loss / seen


def _mu(parameters):
    gradients = sum(float(p.grad.flatten().dot(p.grad.flatten())) for p in parameters)
    return gradients / sum(float(p.detach().flatten().dot(p.detach().flatten())) for p in parameters)


def cared_for(decision):
    chosen = [] if decision.rebalance is None else decision.rebalance.nonzero().flatten().tolist()
    return chosen[0] if chosen else None


def train_both(ours, plain, steps, *, slips):
    """Train for so many steps and compare everything on the way; what was decided, step by step."""
    cares = []
    while len(cares) < steps:
        epoch = ours.epoch
        for place, batch in enumerate(ours.batches()):
            cares.append(plain.care)
            result = ours.step(batch)
            assert cared_for(result.decision) == plain.care, f"step {len(cares)}"
            loss = plain.step([batch.inputs[m] for m in NAMES], batch.target, epoch)
            assert float(result.loss) == pytest.approx(loss, rel=1e-10)
            assert float(result.figures["d_speed"]) == pytest.approx(plain.d_speed, abs=1e-10)
            same_weights(ours.network, plain.network)
            plain.network.take_weights(ours.network)
            if place == 3:  # in the middle of an epoch, and mostly of re-balancing steps
                same_values(ours.evaluate("test"), "test", plain, ours)
                if not slips and epoch % 5 == 1:
                    ours.measure(("val",))  # many forwards, with squeezes held: they must change nothing
        same_values(ours.end_epoch(), "val", plain, ours)
    return cares


def same_values(values, split, plain, ours):
    accuracy, loss = plain.evaluate(ours.loaders[split].ordered())
    assert values[f"{split}/accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert values[f"{split}/loss"] == pytest.approx(loss, rel=1e-9)


def same_weights(ours, network):
    """All parameters and statistics, and the running averages of the gates."""
    with torch.no_grad():
        mine, theirs = (list(tensors) for tensors in zip(*network.pairs(ours), strict=True))
        apart = torch._foreach_norm([x.double() for x in torch._foreach_sub(mine, theirs)], math.inf)
    assert float(max(apart)) < 1e-10
    for unit, averages in zip(ours.units.values(), network.averages, strict=True):
        for mine, theirs in zip(unit.averages, averages, strict=True):
            assert float((mine - theirs).abs().max()) < 1e-10


CASES = [
    pytest.param(14, 5, None, 0, id="first steps"),
    pytest.param(14, 1, "wu2022", 1, id="first steps with slips"),
    pytest.param(203, 5, None, 0, id="all steps", marks=pytest.mark.slow),
    pytest.param(203, 1, "wu2022", 1, id="all steps with slips", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("steps", "seed", "compat", "care"), CASES)
def test_two_resnets_learn_as_the_paper_says(steps, seed, compat, care):
    slips = compat is not None
    ours = built(seed, compat)
    network = PlainNetwork(ours.network, slips=slips)
    cares = train_both(ours, PlainTraining(network), steps, slips=slips)
    assert len(cares) == steps
    assert {None, care} <= set(cares)  # slip 1 shows where the second branch is cared for, and only there
