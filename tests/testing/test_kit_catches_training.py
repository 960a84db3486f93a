"""Each promise of what trains and measures, broken, is told."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch
from broken_plugins import plugin, told

from mmspec import testing
from mmspec.errors import RecordError
from mmspec.plugins.api import (
    Balancing,
    Decision,
    LabelledArray,
    Metric,
    Objective,
    Optimizer,
    Schedule,
    SplitMetric,
    Strategy,
    StreamingMetric,
    Tracker,
    TrackerSession,
    TrainingMetric,
)
from mmspec.testing.toys import Unchanging

# ---------------------------------------------------------------- strategies


def balancing(strategy):
    return plugin(Balancing, build=lambda self, network, seed: strategy())


class Amnesic(Strategy):
    """Counts in an attribute."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def loss(self, step):
        self.steps += 1
        return super().loss(step) * (1 + self.steps % 5)


class Asking(Strategy):
    def after_backward(self, step):
        self.last = step.loss.item()


class Drawing(Strategy):
    """Draws from Python's state, which is nobody's."""

    def loss(self, step):
        return super().loss(step) * random.uniform(0.5, 1)


class OneForEach(Strategy):
    def loss(self, step):
        return torch.stack(list(step.terms.values()))


class OneTooMany(Strategy):
    def decide(self, index, epoch):
        return Decision(torch.zeros(3))


class Plain(Strategy):
    def figures(self):
        return {"weight": 0.5}


@pytest.mark.parametrize(
    ("strategy", "what"),
    [
        (Amnesic, "interrupted after step 1, the loss of step 1 is another"),
        (Asking, "after_backward() waits for the device"),
        (Drawing, "two runs with one seed differ"),
        (OneForEach, "raises RuntimeError"),
        (OneTooMany, "Decision.rebalance is (3,) torch.float32, not (2,) bool"),
        (Plain, "figure 'weight' is float, not a tensor"),
    ],
)
def test_strategies(strategy, what):
    assert what in told(testing.check_balancing, balancing(strategy), 2)


# ---------------------------------------------------------------- objectives, optimizers, schedules


def objective(terms):
    return plugin(Objective, build=lambda self: terms)


def drawn_together(output, batch):
    """A term that needs groups and a table: features of a group towards the table's."""
    target = batch.tables["target"].mean(1)
    spread = [x[batch.groups["object"] == g].std() for x in output.features.values() for g in range(4)]
    return {m: (x.mean(1) - target).square().mean() + sum(spread) for m, x in output.features.items()}


def named_otherwise(output, batch):
    return {m: (x.mean(1) - batch.tables["teacher"].mean(1)).mean() for m, x in output.features.items()}


def test_an_objective_may_look_at_groups_and_tables():
    testing.check_objective(objective(without_waiting))
    testing.check_objective(objective(named_otherwise), tables=("teacher",))
    assert "KeyError: 'teacher'" in told(testing.check_objective, objective(named_otherwise))
    assert "waits for the device" in told(testing.check_objective, objective(drawn_together))


def without_waiting(output, batch):
    """The means of groups, and no group asked whether it is there."""
    groups = batch.groups["object"][:, None] == torch.arange(len(batch.group_names["object"]))
    target = groups.T.to(batch.tables["target"].dtype) @ batch.tables["target"]
    return {
        m: ((groups.T.to(x.dtype) @ x)[:, 0] - target[:, 0]).square().mean() + x.square().mean()
        for m, x in output.features.items()
    }


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        (lambda output, batch: {"one": output.logits["one"].sum()}, "there is no term for ['two']"),
        (lambda output, batch: dict(output.logits), "term 'one' is (12, 3), not a scalar"),
        (lambda output, batch: {m: x.detach().sum() for m, x in output.logits.items()}, "raises"),
        (lambda output, batch: {m: x.sum().item() for m, x in output.logits.items()}, "waits for the device"),
    ],
)
def test_objectives(terms, what):
    if what == "raises":
        with pytest.raises(RuntimeError):
            testing.check_objective(objective(terms))
    else:
        assert what in told(testing.check_objective, objective(terms))


def unscaled(self, groups):
    return torch.optim.SGD([{"params": group["params"]} for group in groups], lr=0.1)


def half_of_them(self, groups):
    return torch.optim.SGD([{"params": groups[0]["params"]}], lr=0.1)


class Counting(torch.optim.SGD):
    """Its steps grow; how many there were is not in its state."""

    count = 0

    def step(self, closure=None):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.data.sub_(p.grad, alpha=1e-3 * self.count)


def counting(self, groups):
    return Counting([{"params": g["params"], "lr": 0.1 * g["lr_scale"]} for g in groups], lr=0.1)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (unscaled, "lr of a group is lr * lr_scale"),
        (half_of_them, "does not hold every parameter once"),
        (counting, "gone on with from its state_dict, the optimizer takes other steps"),
    ],
)
def test_optimizers(build, what):
    assert what in told(testing.check_optimizer, plugin(Optimizer, build=build))


class Levelling(Unchanging):
    def __init__(self, optimizer):
        self.optimizer, self.rate = optimizer, 0.1

    def after_epoch(self, metrics):
        self.rate /= 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate


class Forgetting(Levelling):
    def after_epoch(self, metrics):
        self.rate /= 2
        for group, scale in zip(self.optimizer.param_groups, (1, 0.5), strict=True):
            group["lr"] = self.rate * scale


@pytest.mark.parametrize(
    ("schedule", "what"),
    [
        (Levelling, "the ratio between groups was"),
        (Forgetting, "gone on with after epoch 1, learning rates are"),
    ],
)
def test_schedules(schedule, what):
    broken = plugin(Schedule, build=lambda self, optimizer, *, epochs, steps_per_epoch: schedule(optimizer))
    assert what in told(testing.check_schedule, broken)


# ---------------------------------------------------------------- metrics


class MeanOfBatches(StreamingMetric):
    """Averages over batches, as one must not."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("batches", torch.zeros(()))

    def update(self, output, batch):
        self.total += (output.prediction.argmax(1) == batch.target).float().mean().square()
        self.batches += 1

    def compute(self):
        return {"mean": float(self.total / self.batches)}

    def reset(self):
        self.total.zero_()
        self.batches.zero_()


class Tensors(MeanOfBatches):
    def compute(self):
        return {"mean": self.total}


class Unregistered(StreamingMetric):
    seen = 0

    def update(self, output, batch):
        self.seen += len(batch)

    def compute(self):
        return {"seen": float(self.seen)}

    def reset(self):
        self.seen = 0


class Waiting(Unregistered):
    def update(self, output, batch):
        self.seen += (output.prediction.argmax(1) == batch.target).sum().item()


class Leaving(StreamingMetric):
    """Leaves what it has seen as an array."""

    final = True

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def update(self, output, batch):
        self.seen.index_add_(0, batch.target, torch.ones(len(batch)))

    def compute(self):
        return {}

    def arrays(self):
        return {"seen": LabelledArray(self.seen.numpy().copy(), ("class",), (("a", "b", "c"),))}

    def reset(self):
        self.seen.zero_()


class Mislabelled(Leaving):
    def arrays(self):
        return {"seen": LabelledArray(self.seen.numpy().copy(), ("class",), (("a", "b"),))}


class OnTheDevice(Leaving):
    def arrays(self):
        return {"seen": LabelledArray(self.seen, ("class",), (("a", "b", "c"),))}


class KeepingTheLast(Leaving):
    def update(self, output, batch):
        self.seen.zero_()
        super().update(output, batch)


class OfGroups(Leaving):
    """Sums rows of a table by group."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(6, dtype=torch.float64))

    def update(self, output, batch):
        self.seen.index_add_(0, batch.groups["object"], batch.tables["target"][:, 0].double())

    def arrays(self):
        return {"seen": LabelledArray(self.seen.numpy().copy(), ("object",), (tuple("abcdef"),))}


def test_a_metric_may_look_at_groups_and_tables():
    testing.check_metric(plugin(Metric, build=lambda self, network: OfGroups()))


def test_a_metric_may_leave_arrays_alone():
    testing.check_metric(plugin(Metric, build=lambda self, network: Leaving()))


class Spoiling(SplitMetric):
    def measure(self, evaluation, split):
        for parameter in evaluation.network.parameters():
            parameter.data.zero_()
        return {"it": 1.0}


class LastLoss(TrainingMetric):
    def __init__(self):
        super().__init__()
        self.total = torch.zeros(())

    def after_backward(self, step):
        self.total = self.total + step.loss.detach()

    def figures(self):
        return {"total": self.total}


class ScalingGradients(LastLoss):
    def __init__(self, network):
        super().__init__()
        self.all = list(network.parameters())

    def after_backward(self, step):
        for parameter in self.all:
            if parameter.grad is not None:
                parameter.grad.mul_(0.5)


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (lambda network: MeanOfBatches(), "cut into other batches, a split gives"),
        (lambda network: Mislabelled(), "has the shape (3,), but axes"),
        (lambda network: OnTheDevice(), "arrays(): 'seen' holds Tensor"),
        (lambda network: KeepingTheLast(), "a split leaves other arrays"),
        (lambda network: Tensors(), "'mean' is Tensor, not a float"),
        (lambda network: Unregistered(), "counters must be buffers"),
        (lambda network: Waiting(), "update() waits for the device"),
        (lambda network: Spoiling(), "measuring changes the network"),
        (lambda network: LastLoss(), "figures are others: what is gathered must be buffers"),
        (ScalingGradients, "measuring changes what the network learns"),
        (lambda network: SimpleNamespace(), "build() gives SimpleNamespace, not one of"),
    ],
)
def test_metrics(metric, what):
    broken = plugin(Metric, build=lambda self, network: metric(network))
    assert what in told(testing.check_metric, broken)


# ---------------------------------------------------------------- trackers


class Session(TrackerSession):
    def log(self, values, step):
        pass

    def finish(self, status, values):
        pass


class Raising(Session):
    def log(self, values, step):
        raise ConnectionError("no network")


class Rolling(Session):
    def log(self, values, step):
        random.random()


@pytest.mark.parametrize(
    ("session", "what"),
    [(Raising, "log() raises ConnectionError: no network"), (Rolling, "draws from Python's random state")],
)
def test_trackers(session, what, tmp_path):
    broken = plugin(Tracker, start=lambda self, run, **about: session())
    assert what in told(testing.check_tracker, broken, tmp_path)


def refuse(self, folder, *, say):
    raise RecordError("no key")


class Moving(Session):
    def artifact(self, name, files):
        next(iter(files.values())).unlink()


@pytest.mark.parametrize(
    ("methods", "what"),
    [
        ({"keeps": lambda self: ["worst"]}, "keeps() gives ['worst']"),
        ({"keeps": lambda self: ["best"]}, "artifact() must leave the files as they are"),
        ({"sync": lambda self, folder, *, say: None}, "sync() must say whether there was anything"),
        ({"sync": lambda self, folder, *, say: True}, "uploaded something where nothing is recorded"),
        ({"sync": lambda self, folder, *, say: say(1) or False}, "must be text"),
        ({"sync": refuse}, "must not fail where nothing is recorded"),
    ],
)
def test_what_trackers_keep_and_upload(methods, what, tmp_path):
    broken = plugin(Tracker, start=lambda self, run, **about: Moving(), **methods)
    assert what in told(testing.check_tracker, broken, tmp_path)


def test_a_silent_tracker_passes(tmp_path):
    testing.check_tracker(plugin(Tracker, start=lambda self, run, **about: Session()), tmp_path)
