"""Frozen parts neither learn nor change in any other way, and a run sees to it."""

from __future__ import annotations

import copy
import json

import attrs
import pytest
import torch
from test_loop import Rows, same, weights
from tiny import run_plan, stage_plan
from torch import nn

from mmspec.engine.freezing import check_parameters
from mmspec.engine.loop import Interrupted
from mmspec.engine.run import execute_run
from mmspec.engine.trainer import Trainer
from mmspec.errors import GraphError, RunError
from mmspec.spec.model import Group, InitFrom

FROZEN = "branches.a.stages.one.*"


def state(trainer, prefix):
    return {k: v.clone() for k, v in trainer.network.state_dict().items() if k.startswith(prefix.rstrip("*"))}


def train(trainer, epochs=2):
    for _ in range(epochs):
        for batch in trainer.batches():
            trainer.step(batch)
        trainer.end_epoch()


def test_frozen_tensors_are_bit_identical_statistics_of_normalisation_included():
    trainer = Trainer(stage_plan(freeze=[FROZEN]), 0)
    before, others = state(trainer, FROZEN), copy.deepcopy(trainer.network.state_dict())
    assert any("running_mean" in name for name in before)
    train(trainer)
    after = trainer.network.state_dict()
    assert same(before, {name: after[name] for name in before})
    assert set(before) == set(trainer.frozen.tensors)
    changed = [name for name, value in others.items() if not torch.equal(value, after[name])]
    assert any("branches.b" in name and "running_mean" in name for name in changed)
    assert any("branches.a.stages.two" in name for name in changed)


def test_without_freezing_these_tensors_change():
    trainer = Trainer(stage_plan(), 0)
    before = state(trainer, FROZEN)
    train(trainer)
    after = trainer.network.state_dict()
    same_still = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert [name.rpartition(".")[2] for name in same_still] in ([], ["bias"])  # a norm takes out a bias


def test_frozen_modules_stay_in_evaluation_mode_whoever_calls_train():
    trainer = Trainer(stage_plan(freeze=["branches.a.*"], dropout=0.5), 0)
    branch = trainer.network.branches["a"]
    for module in (trainer.network, trainer.network.branches, branch, branch.stages):
        module.train()
        assert not any(inner.training for inner in branch.modules())
    assert trainer.network.branches["b"].training
    x = torch.rand(4, 3, 4, 4)
    assert torch.equal(branch.stages["two"](x), branch.stages["two"](x))  # no dropout


def test_a_norm_is_frozen_with_its_parameters_alone():
    trainer = Trainer(stage_plan(freeze=["branches.a.stages.one.1.weight"]), 0)
    norm = trainer.network.branches["a"].stages["one"][1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.training  # its bias still learns
    trainer = Trainer(stage_plan(freeze=["branches.a.stages.one.1.*"]), 0)
    assert not trainer.network.branches["a"].stages["one"][1].training
    assert trainer.network.branches["a"].stages["one"][0].training


def test_with_moving_statistics_only_parameters_are_frozen():
    plan = stage_plan(freeze=[FROZEN])
    trainer = Trainer(attrs.evolve(plan, spec=attrs.evolve(plan.spec, freeze_statistics=False)), 0)
    before, digests = state(trainer, FROZEN), trainer.frozen.digests()
    train(trainer)
    after = trainer.network.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.rpartition(".")[2] for name in changed} == {
        "running_mean", "running_var", "num_batches_tracked"
    }  # fmt: skip
    assert set(digests) == {name for name in before if name.endswith(("weight", "bias"))}
    trainer.frozen.check(digests)


def test_the_optimizer_never_sees_frozen_parameters():
    groups = (Group(match="branches.a.stages.two.*", lr_scale=0.5),)
    trainer = Trainer(stage_plan(freeze=[FROZEN], groups=groups), 0)
    seen = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    named = trainer.named_parameters()
    assert {name for name, p in named.items() if id(p) not in seen} == {
        name for name in named if name.startswith("branches.a.stages.one.")
    }


def test_a_run_says_that_frozen_tensors_are_as_they_were(tmp_path):
    rows = Rows()
    execute_run(run_plan(stage_plan(freeze=[FROZEN])), rows, tmp_path)
    count = len(Trainer(stage_plan(freeze=[FROZEN]), 0).frozen.tensors)
    assert f"train: {count} frozen tensors are as they were" in rows.said


def test_a_resumed_run_compares_with_the_beginning(tmp_path):
    plan, whole, parts = run_plan(stage_plan(freeze=[FROZEN])), Rows(), Rows()
    execute_run(plan, whole, tmp_path / "whole")
    stops = iter([False] * 7 + [True])
    with pytest.raises(Interrupted):
        execute_run(plan, parts, tmp_path / "parts", should_stop=lambda: next(stops, True))
    execute_run(plan, parts, tmp_path / "parts")
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert parts.said[-1] == whole.said[-1]


def test_whoever_writes_to_a_frozen_tensor_is_found_out(tmp_path, monkeypatch):
    end_epoch = Trainer.end_epoch

    def writing(self):
        self.network.branches["a"].stages["one"][0].weight.data.mul_(1.0001)
        return end_epoch(self)

    monkeypatch.setattr(Trainer, "end_epoch", writing)
    with pytest.raises(RunError, match=r"frozen tensors have changed: branches\.a\.stages\.one\.0\.weight\n"):
        execute_run(run_plan(stage_plan(freeze=[FROZEN])), Rows(), tmp_path)


def test_a_later_stage_freezes_what_an_earlier_one_learnt(tmp_path):
    first = stage_plan(name="first")
    second = stage_plan(name="second", init_from=InitFrom(stage="first"), freeze=[FROZEN], select=None)
    execute_run(run_plan(first, second), Rows(), tmp_path)
    learnt = torch.load(tmp_path / "first" / chosen(tmp_path / "first"), weights_only=True)["network"]
    later = weights(tmp_path, "second")["network"]
    held = [name for name in learnt if name.startswith("branches.a.stages.one.")]
    assert held
    assert all(torch.equal(learnt[name], later[name]) for name in held)


def chosen(folder):
    return json.loads((folder / "result.json").read_text())["selected"]["file"]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["branches.c.*"], r"freeze: 'branches\.c\.\*' names no parameter"),
        (["*"], "freeze: nothing is left to learn"),
    ],
)
def test_mistakes_are_found_without_data(patterns, message):
    for check in (lambda plan: Trainer(plan, 0), check_parameters):
        with pytest.raises(GraphError, match=message):
            check(stage_plan(freeze=patterns))


def test_a_group_that_is_frozen_names_nothing_to_learn():
    groups = (Group(match=FROZEN, lr_scale=0.5),)
    with pytest.raises(GraphError, match="names no trainable parameter"):
        check_parameters(stage_plan(freeze=[FROZEN], groups=groups))
