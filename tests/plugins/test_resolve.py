import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from toy_plugins import GOOD, REGISTRY, Digits, Gated, Guided

from mmspec.errors import DataError, SpecError
from mmspec.plugins.api import option
from mmspec.plugins.resolve import plan_from_json, resolve
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture
def plans(tmp_path):
    def make(text, *overrides, registry=REGISTRY):
        path = tmp_path / "spec.toml"
        path.write_text(text)
        return resolve(read_document(path, overrides), registry)

    return make


def test_a_plan_holds_typed_options_and_working_defaults(plans):
    plan = plans(GOOD)[0]
    (stage,) = plan.stages

    assert (plan.experiment, plan.seed, plan.labels) == ("toy", 0, {})
    assert stage.name == "train"
    assert stage.dataset == Digits()
    assert stage.fusion == Gated()
    assert stage.spec.fusion.at == ("conv2", "conv4")
    assert stage.balancing == Guided(alpha=0.1)
    assert list(stage.backbones) == ["grey", "color"]
    assert stage.backbones["color"].channels == (8, 8)
    assert stage.spec.optimizer.groups[0].lr_scale == 0.5
    assert list(stage.metrics) == ["accuracy"]
    assert stage.splits == {"train": "train", "val": "validation", "test": "test", "test_iid": "test"}
    assert [o.name for o in plan.origins][:3] == ["digits", "cnn", "gated"]


def test_resolved_is_plain_json_with_every_default(plans):
    plan = plans(GOOD)[1]

    assert json.loads(json.dumps(plan.resolved)) == plan.resolved
    assert plan.resolved["seed"] == 1
    stage = plan.resolved["stages"][0]
    assert stage["fusion"] == {"use": "gated", "at": ["conv2", "conv4"], "ratio": 4, "compat": "right"}
    assert stage["dataset"] == {"use": "digits", "root": "data", "noise": 0.02}
    assert stage["schedule"] == {"use": "constant"}
    assert stage["train"]["batch_size"] == 32
    assert stage["evaluate"] == {
        "metrics": [{"use": "accuracy"}],
        "splits": None,
        "each_epoch": None,
        "random_transforms": False,
    }


STAGED = (
    GOOD
    + """
[[stages]]
name = "first"
[[stages]]
name = "second"
init_from = { stage = "first", exclude = ["heads.*"] }
train.epochs = 9
"""
)
RICH = (
    GOOD
    + """
[schedule]
use = "plateau"
[track]
use = "wandb"
tags = ["a"]
[evaluate]
metrics = ["accuracy", { use = "top_k", k = 2 }]
splits = ["test"]
[train.stop]
metric = "val/accuracy"
reaches = 1
[sweep]
"optimizer.lr" = [1, 0.5]
"fusion.at" = [["conv2"], [{ grey = "conv1", color = "conv3" }]]
[[variants]]
name = "plain"
balancing = "none"
"""
)


@pytest.mark.parametrize("text", [GOOD, STAGED, RICH], ids=["good", "staged", "rich"])
def test_a_plan_comes_back_from_its_json(plans, text):
    for plan in plans(text):
        again = plan_from_json(json.loads(json.dumps(plan.resolved)), REGISTRY)

        assert again == plan
        assert again.resolved == plan.resolved


def test_a_plan_whose_plugin_is_gone_is_a_spec_error(plans):
    resolved = json.loads(json.dumps(plans(GOOD)[0].resolved))
    resolved["stages"][0]["fusion"]["use"] = "gone"

    with pytest.raises(SpecError) as caught:
        plan_from_json(resolved, REGISTRY)
    assert str(caught.value) == (
        'spec.json: fusion.use: there is no fusion "gone"\n  hint: installed: gated, plain'
    )


@pytest.mark.parametrize(
    "resolved", [{}, {"mmspec": 2}, {"mmspec": 1, "stages": 3}, {"mmspec": 1, "stages": [{}]}]
)
def test_what_is_no_plan_is_a_spec_error(resolved):
    with pytest.raises(SpecError, match=r"spec\.json: this is no plan"):
        plan_from_json(resolved, REGISTRY)


def test_variants_then_sweep_then_seeds(plans):
    text = (
        GOOD
        + """
[[variants]]
name = "guided"
[[variants]]
name = "uni-modal"
drop = ["modalities.color", "fusion"]
balancing = "none"
[sweep]
"optimizer.lr" = [0.1, 0.2]
"train.epochs" = [1, 2]
"""
    )
    found = [(*plan.labels.values(), plan.seed) for plan in plans(text)]

    assert found[:5] == [
        ("guided", 0.1, 1, 0), ("guided", 0.1, 1, 1), ("guided", 0.1, 2, 0), ("guided", 0.1, 2, 1),
        ("guided", 0.2, 1, 0),
    ]  # fmt: skip
    assert len(found) == 2 * 4 * 2
    last = plans(text)[-1]
    assert last.labels == {"variant": "uni-modal", "optimizer.lr": 0.2, "train.epochs": 2}
    assert list(last.stages[0].backbones) == ["grey"]
    assert last.stages[0].fusion is None
    assert last.stages[0].optimizer.lr == 0.2


def test_another_use_drops_the_options_that_were_beside_it(plans):
    text = GOOD + '[sweep]\n"balancing.use" = ["none", "guided", "picky"]\n'

    found = [plan.resolved["stages"][0]["balancing"] for plan in plans(text)[::2]]

    assert found == [
        {"use": "none"},
        {"use": "guided", "alpha": 0.1, "window": 5, "start_epoch": 2},
        {"use": "picky", "biased": "all"},
    ]


def test_overrides_win_over_variants_sweeps_and_stages(plans):
    text = STAGED + '[[variants]]\nname = "long"\ntrain.epochs = 100\n'

    plan = plans(text, "train.epochs=2", "seeds=[7]", "balancing=none", "optimizer.groups=[]")[0]

    assert [stage.spec.train.epochs for stage in plan.stages] == [2, 2]
    assert plan.seed == 7
    assert plan.resolved["stages"][0]["balancing"] == {"use": "none"}


def test_stages_take_from_the_top_and_from_one_another(plans):
    first, second = plans(STAGED)[0].stages

    assert (first.name, second.name) == ("first", "second")
    assert (first.spec.train.epochs, second.spec.train.epochs) == (3, 9)
    assert first.spec.init_from is None
    assert second.spec.init_from.exclude == ("heads.*",)


def test_split_makes_a_validation_set(plans):
    text = GOOD.replace('"digits"', '"subjects"').replace("grey", "rgb").replace("color]", "depth]")

    splits = plans(text + '[split]\nfraction = 0.2\ngroup_by = "subject"\n')[0].stages[0].splits

    assert splits == {"train": "train", "test": "test", "val": "validation"}


def test_several_modalities_need_no_fusion(plans):
    text = GOOD.replace('[fusion]\nuse = "gated"\nat = ["conv2", "conv4"]\n', "").replace(
        'use = "guided"\nalpha = 0.1', 'use = "none"'
    )

    assert plans(text)[0].stages[0].fusion is None


def test_a_list_of_trackers(plans):
    plan = plans(GOOD + '[[track]]\nuse = "wandb"\nmode = "offline"\n')[0]

    assert plan.resolved["track"] == [{"use": "wandb", "project": None, "mode": "offline", "tags": []}]


def test_a_dataset_that_fails_to_describe_itself_is_told(plans):
    @attrs.frozen(kw_only=True)
    class Lost(Digits):
        how: str = option("how it fails", default="data")

        def describe(self):
            raise DataError("no index file", hint="get it") if self.how == "data" else IndexError("3")

    registry = REGISTRY.with_plugins({("dataset", "digits"): Lost})

    with pytest.raises(SpecError, match=r"dataset: no index file"):
        plans(GOOD, registry=registry)
    with pytest.raises(SpecError, match=r"dataset: dataset digits failed to describe itself: IndexError: 3"):
        plans(GOOD, "dataset.how=bug", registry=registry)


def test_one_plugin_that_cannot_be_made_is_told_with_its_error(plans):
    @attrs.frozen(kw_only=True)
    class Abstract(Gated):
        def __attrs_post_init__(self):
            raise RuntimeError("not today")

    with pytest.raises(SpecError, match=r"fusion: fusion gated failed: RuntimeError: not today"):
        plans(GOOD, registry=REGISTRY.with_plugins({("fusion", "gated"): Abstract}))


def test_a_large_sweep_shares_what_its_runs_have_in_common(plans):
    values = ", ".join(map(str, range(1, 41)))
    text = GOOD + f'[sweep]\n"train.epochs" = [{values}]\n"balancing.window" = [{values}]\n'

    found = plans(text.replace("seeds = [0, 1]", "seeds = [0]"))

    assert len(found) == 1600
    assert found[0].stages[0].dataset is found[-1].stages[0].dataset


#: Of specs that are not one cell with three seeds.
RUNS = {
    "cadieu_controls": 12,
    "cadieu_finetune": 60,
    "cadieu_neural": 2,
    "cadieu_sit": 20,
    "colored_digits": 18,
    "colored_mnist": 18,
    "modelnet40": 18,
    "modelnet40_compat": 9,
    "modnet": 9,
    "modnet_compat": 9,
    "modnet_felines": 9,
    "nn_exam": 15,
    "nvgesture_pretrained": 18,
    "nvgesture_scratch": 18,
}


def shipped():
    return sorted(path for path in SPECS.glob("*.toml") if not path.name.startswith("_"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_specs_resolve_without_torch(path):
    code = (
        "import sys; from mmspec.spec.load import read_document; from mmspec.plugins.resolve import resolve; "
        "print(len(resolve(read_document(sys.argv[1])))); "
        "assert not {'torch', 'wandb'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == RUNS.get(path.stem, 3)
