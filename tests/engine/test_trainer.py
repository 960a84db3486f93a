"""A built run, driven by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from test_loop import same
from tiny import TinyData, stage_plan
from torch.nn.functional import cross_entropy

from mmspec.data.loader import Placement
from mmspec.engine.freezing import check_parameters
from mmspec.engine.placement import put
from mmspec.engine.trainer import Trainer
from mmspec.errors import DataError, GraphError
from mmspec.spec.model import Group
from mmspec_greedy.strategies import Rubi


def epoch(trainer):
    return [trainer.step(batch) for batch in trainer.batches()]


def test_evaluation_changes_nothing(monkeypatch):
    trainer = Trainer(stage_plan(dropout=0.5), 0)
    epoch(trainer)
    before, random = copy.deepcopy(trainer.state_dict()), torch.get_rng_state()
    trainer.evaluate("val")
    trainer.evaluate("test")
    trainer.measure(("test",))
    assert same(trainer.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert trainer.network.training


def test_state_carries_over_to_another_trainer_mid_epoch():
    a = Trainer(stage_plan(dropout=0.3), 3)
    for batch, _ in zip(a.batches(), range(4), strict=False):
        a.step(batch)
    b = Trainer(stage_plan(dropout=0.3), 3)
    b.load_state_dict(copy.deepcopy(a.state_dict()))
    for x, y in zip(epoch(a), epoch(b), strict=True):
        assert torch.equal(x.loss, y.loss)
        assert torch.equal(x.decision.rebalance, y.decision.rebalance)
    assert a.end_epoch() == b.end_epoch()
    assert same(a.state_dict(), b.state_dict())


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("float64", torch.float64)])
def test_any_dtype(precision, dtype):
    trainer = Trainer(stage_plan(precision=precision), 0)
    result = epoch(trainer)[-1]
    assert result.loss.dtype == dtype
    assert result.output.prediction.dtype == dtype
    assert {p.dtype for p in trainer.network.parameters()} == {dtype}


def test_float64_agrees_with_float32():
    a, b = (Trainer(stage_plan(precision=p), 0) for p in ("float32", "float64"))
    for x, y in zip(epoch(a), epoch(b), strict=True):
        assert float(x.loss) == pytest.approx(float(y.loss), rel=1e-4)


def test_bf16_trains():
    trainer = Trainer(stage_plan(precision="bf16"), 0)
    assert torch.isfinite(epoch(trainer)[-1].loss)
    assert {p.dtype for p in trainer.network.parameters()} == {torch.float32}


def test_epoch_values_are_means_over_samples():
    trainer = Trainer(stage_plan(), 0)  # 22 samples in batches of 4: the last one is short
    results = [(trainer.step(batch), len(batch)) for batch in trainer.batches()]
    assert [n for _, n in results] == [4, 4, 4, 4, 4, 2]
    right = sum(float(r.loss) * n for r, n in results) / 22
    assert trainer.end_epoch()["train/loss"] == pytest.approx(right, rel=1e-6)


def test_a_branch_starts_alike_alone_and_beside_others():
    both, alone = Trainer(stage_plan(), 0), Trainer(stage_plan(modalities=("b",), fusion=False), 0)
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, both.network.state_dict()[name])


def test_three_modalities():
    names = ("a", "b", "c")
    trainer = Trainer(stage_plan(dataset=TinyData(modalities=names), modalities=names), 0)
    result = epoch(trainer)[-1]
    mean = torch.stack([result.output.logits[m] for m in names]).mean(0)
    assert torch.allclose(result.output.prediction, mean)


def test_groups_scale_the_learning_rate_and_cover_everything():
    groups = (Group(match="branches.a.*", lr_scale=0.5), Group(match="fusion.*", lr_scale=0.0))
    trainer = Trainer(stage_plan(groups=groups), 0)
    before = copy.deepcopy(trainer.network.state_dict())
    sizes = [len(group["params"]) for group in trainer.optimizer.param_groups]
    assert sum(sizes) == len(trainer.named_parameters())
    epoch(trainer)
    trainer.end_epoch()
    assert [g["lr"] for g in trainer.optimizer.param_groups] == pytest.approx([0.0125, 0.0, 0.025])
    changed = [name for name, p in trainer.network.named_parameters() if not torch.equal(p, before[name])]
    assert not [name for name in changed if name.startswith("fusion.")]
    assert {"branches.a.head.weight", "branches.b.stages.two.0.weight"} <= set(changed)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((Group(match="branch.a.*"),), "'branch.a.\\*' names no trainable parameter"),
        ((Group(match="branches.*"), Group(match="*.head.*")), "both name branches.a.head"),
    ],
)
def test_groups_that_do_not_fit(groups, message):
    for check in (lambda plan: Trainer(plan, 0), check_parameters):
        with pytest.raises(GraphError, match=message):
            check(stage_plan(groups=groups))


def test_groups_of_a_strategys_own_parameters_are_checked_without_data():
    groups = (Group(match="branches.*", lr_scale=0.5), Group(match="balancing.masks.b.*", lr_scale=2.0))
    check_parameters(stage_plan(groups=groups, balancing=Rubi(biased="b"), fusion=False))


def test_samples_in_two_roles_are_refused():
    with pytest.raises(DataError, match="splits 'val' and 'train' share 22 samples"):
        Trainer(stage_plan(dataset=TinyData(overlap=True)), 0)


def test_no_cuda_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GraphError, match="torch sees no CUDA device"):
        Trainer(stage_plan(device="cuda"), 0)


def test_evaluation_has_the_loss_of_the_split():
    trainer = Trainer(stage_plan(), 0)  # 22 samples in batches of 4: the last one is short
    epoch(trainer)
    values = trainer.evaluate("val")
    inputs, target = zip(*((b.inputs, b.target) for b in trainer.loaders["val"].ordered()), strict=True)
    with torch.no_grad():
        logits = trainer.network.eval()({m: torch.cat([batch[m] for batch in inputs]) for m in "ab"}).logits
        terms = {m: float(cross_entropy(x, torch.cat(target))) for m, x in logits.items()}
    assert values["val/loss.a"] == pytest.approx(terms["a"], rel=1e-5)
    assert values["val/loss"] == pytest.approx(terms["a"] + terms["b"], rel=1e-5)


def test_convolutions_over_images_and_clips_are_laid_out_channels_last():
    place = Placement(torch.device("cpu"), torch.float64, channels_last=True)
    image, clip = put(torch.nn.Conv2d(2, 3, 3), place), put(torch.nn.Conv3d(2, 3, 3), place)
    assert image.weight.is_contiguous(memory_format=torch.channels_last)
    assert clip.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert clip(torch.zeros(1, 2, 4, 4, 4, dtype=torch.float64)).dtype == torch.float64
