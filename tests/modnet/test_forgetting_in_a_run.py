"""Animals, then canines, by the shipped specs: what is frozen is not forgotten, what learns on forgets."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import torch

import mmspec
from mmspec.engine.recorder import Silent
from mmspec.engine.run import RunResult, execute_run
from mmspec.plugins.resolve import plan_from_json
from mmspec_modnet.datasets import ClassHierarchy

SPECS = Path(__file__).parents[2] / "specs"
EPOCHS, DROP = 5, 3
TAKEN_OVER = tuple(f"branches.image.stages.{layer}." for layer in ("stem", "layer1", "layer2"))
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


@attrs.define
class Kept(Silent):
    """Keeps the rows of steps by stage, and what was said."""

    steps: dict = attrs.field(factory=dict)
    said: list = attrs.field(factory=list)

    def row(self, kind, *, stage, step, epoch, values):
        if kind == "step":
            self.steps.setdefault(stage, []).append((epoch, dict(values)))

    def say(self, message):
        self.said.append(message)


@attrs.frozen
class Done:
    """A run that is finished."""

    result: RunResult
    kept: Kept
    folder: Path

    @property
    def forgotten(self):
        return {
            key: self.result.values[f"forgetting/{key}"] for key in ("accuracy", "sensitivity", "specificity")
        }

    def weights(self, stage):
        file = self.folder / stage / self.result.stages[stage].selected.file
        return torch.load(file, weights_only=True)["network"]

    def changed(self):
        """What of the network that learnt animals is otherwise in the one that learnt canines."""
        before, after = self.weights("animals"), self.weights("grown")
        taken = {name: tensor for name, tensor in before.items() if name.startswith(TAKEN_OVER)}
        assert {name.rpartition(".")[2] for name in taken} >= STATISTICS
        return {name for name, tensor in taken.items() if not torch.equal(tensor, after[name])}


def in_little(stage, root):
    """A stage of a shipped spec on digits, in few epochs."""
    if "analysis" in stage:
        return stage
    data = {"root": str(root), "hierarchy": str(root / "is_a.txt"), "per_class": None}
    crops = {"resize": 32, "size": 28, "least_area": 0.8, "flip": 0.0}
    epochs = min(EPOCHS, stage["train"]["epochs"])
    small = {
        "epochs": epochs,
        "batch_size": 32,
        "threads": 1,
        "device": "cpu",
        "packed": False,
        "log_every": 1,
    }
    backbone = {**stage["modalities"]["image"]["backbone"], "width": 16}
    return {
        **stage,
        "dataset": {**stage["dataset"], **data, **crops},
        "train": {**stage["train"], **small},
        "schedule": {**stage["schedule"], "step_size": DROP},
        "modalities": {"image": {"backbone": backbone}},
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The run of a spec's variant and a seed, with changes of the stage that learns canines; each once."""
    root = tmp_path_factory.mktemp("digits")
    ClassHierarchy(root=root, positive=("a",), negative=("b",)).write_sample(root)
    found = {}

    def run(variant, seed=0, spec="modnet", **grown):
        key = (variant, seed, spec, *grown)
        if key not in found:
            runs = mmspec.load(SPECS / f"{spec}.toml").runs
            [plan] = [r.plan for r in runs if (r.plan.labels["variant"], r.plan.seed) == (variant, seed)]
            stages = [in_little(stage, root) for stage in plan.resolved["stages"]]
            stages = [{**stage, **grown} if stage["name"] == "grown" else stage for stage in stages]
            kept, folder = Kept(), tmp_path_factory.mktemp("run")
            result = execute_run(plan_from_json({**plan.resolved, "stages": stages}), kept, folder)
            found[key] = Done(result, kept, folder)
        return found[key]

    return run


def test_frozen_layers_are_bit_identical_and_nothing_is_forgotten(done):
    frozen = done("frozen")
    assert not frozen.changed()
    assert frozen.forgotten == {"accuracy": 0.0, "sensitivity": 0.0, "specificity": 0.0}
    assert "grown: 60 frozen tensors are as they were" in frozen.kept.said
    values = frozen.result.values
    assert values["animals/test/accuracy"] == values["animals_after/test/accuracy"] > 0.95
    assert values["grown/test/accuracy"] > 0.9


def test_conventional_training_forgets(done):
    conventional = done("conventional")
    assert conventional.forgotten["accuracy"] > 0.05
    assert {name.split(".")[3] for name in conventional.changed()} == {"stem", "layer1", "layer2"}
    values = conventional.result.values
    assert values["animals/test/accuracy"] == done("frozen").result.values["animals/test/accuracy"]
    assert values["grown/test/accuracy"] > 0.9


def test_moving_statistics_forget_though_no_parameter_changes(done):
    moving = done("frozen", freeze_statistics=False)
    assert {name.rpartition(".")[2] for name in moving.changed()} == STATISTICS
    assert moving.forgotten["accuracy"] > 0.05
    assert "grown: 30 frozen tensors are as they were" in moving.kept.said


def test_ratios_of_learning_rates_survive_every_step_of_the_schedule(done):
    steps = done("lr_scaled").kept.steps["grown"]
    rates = [(epoch, values["train/lr"]) for epoch, values in steps]
    assert {epoch for epoch, _ in rates} == set(range(1, EPOCHS + 1))
    for epoch, rate in rates:
        assert rate == pytest.approx(0.4 * (0.1 if epoch <= DROP else 0.01), rel=1e-9)
    for group, ratio in ((1, 0.4), (2, 0.65), (3, 1.0)):
        for _, values in steps:
            assert values[f"train/lr.{group}"] / values["train/lr"] == pytest.approx(ratio / 0.4, rel=1e-9)
    assert done("lr_scaled").forgotten["accuracy"] > 0.02


def test_with_all_slips_the_frozen_network_forgets_and_its_head_stays_as_drawn(done):
    frozen = done("frozen", spec="modnet_compat")
    assert {name.rpartition(".")[2] for name in frozen.changed()} == STATISTICS
    assert frozen.forgotten["accuracy"] > 0.05
    assert frozen.result.values["forgetting_trained/accuracy"] > 0.05
    rows = frozen.kept.steps["grown"]
    assert {len([name for name in values if name.startswith("train/lr")]) for _, values in rows} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_say_the_same(done, seed):
    assert done("conventional", seed).forgotten["accuracy"] > 0.05
    assert done("frozen", seed, freeze_statistics=False).forgotten["accuracy"] > 0.05
    assert set(done("frozen", seed).forgotten.values()) == {0.0}
    assert done("frozen", seed, "modnet_compat").forgotten["accuracy"] > 0.05
