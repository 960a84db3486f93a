"""No step reads a number from the device: deciding, measuring and counting stay tensors."""

from __future__ import annotations

import attrs
import pytest
import torch
from stand_ins import small_network, take_step
from tiny import TinyAccuracy, TinyData, stage_plan
from torch.utils._python_dispatch import TorchDispatchMode

from mmspec.engine.trainer import Trainer
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.metrics import ConditionalLearningSpeed
from mmspec_greedy.strategies import GuidedBalancing, NoBalancing, RandomBalancing, Rubi
from mmspec_torch.metrics import Accuracy

#: What makes the host wait for a device: reading a scalar, and shapes that depend on values.
WAITING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select"}


class NoWaiting(TorchDispatchMode):
    """Fails on operators that would wait for a device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.name().partition(".")[0] not in WAITING, f"{func.name()} waits for the device"
        return func(*args, **kwargs or {})


def test_the_watch_sees_waiting():
    with NoWaiting(), pytest.raises(AssertionError, match="waits"):
        torch.ones(()).item()
    with NoWaiting(), pytest.raises(AssertionError, match="waits"):
        bool(torch.ones(()) > 0)


STRATEGIES = [
    NoBalancing(),
    RandomBalancing(start_epoch=1),
    GuidedBalancing(alpha=0.0, window=2, start_epoch=1),
    Rubi(hidden=(4,)),
]
each_strategy = pytest.mark.parametrize("plugin", STRATEGIES, ids=lambda plugin: type(plugin).__name__)


@pytest.mark.parametrize("modalities", [2, 3])
@each_strategy
def test_no_step_waits(plugin, modalities):
    network = small_network(modalities, units=2)
    strategy = plugin.build(network, 0).double()
    speed = ConditionalLearningSpeed().build(network)
    accuracy = Accuracy().build(network)
    with NoWaiting():
        for index in range(6):
            step = take_step(network, strategy, index, 1, metrics=[speed])
            accuracy.update(step.output, step.batch)
            strategy.figures()
            speed.figures()


def trainer_on(device, plugin):
    metrics = {"accuracy": TinyAccuracy(), "speed": ConditionalLearningSpeed()}
    plan = stage_plan(dataset=TinyData(shift=1), balancing=plugin, metrics=metrics, device=device)
    return Trainer(attrs.evolve(plan, fusion=Mmtm()), 0)


@each_strategy
def test_the_engine_uses_nothing_that_waits(plugin):
    trainer = trainer_on("cpu", plugin)
    with NoWaiting():
        for batch in trainer.batches():
            trainer.step(batch)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_strategy
def test_the_engine_does_not_wait_for_a_device(plugin):
    trainer = trainer_on("cuda", plugin)
    for batch in trainer.batches():  # what is set up once may wait
        trainer.step(batch)
    trainer.end_epoch()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in trainer.batches():
            trainer.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
