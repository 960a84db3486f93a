"""Stages that extract and analyse in a spec: what they take over from the top, and what they do not."""

from __future__ import annotations

import pytest
from toy_plugins import GOOD, REGISTRY, STAGES

from mmspec.errors import SpecError
from mmspec.plugins.plan import AnalysisPlan, ExtractPlan, StagePlan
from mmspec.plugins.resolve import plan_from_json, resolve
from mmspec.spec.load import read_document


def plans(tmp_path, text, *overrides):
    path = tmp_path / "toy.toml"
    path.write_text(text)
    return resolve(read_document(path, list(overrides)), REGISTRY)


def stages(tmp_path, text, *overrides):
    """The stages of the first run, by name."""
    return {stage.name: stage for stage in plans(tmp_path, text, *overrides)[0].stages}


def test_each_stage_is_of_its_kind(tmp_path):
    (run, _) = plans(tmp_path, GOOD + STAGES)
    assert [type(stage) for stage in run.stages] == [StagePlan, StagePlan, ExtractPlan, AnalysisPlan]
    assert [stage.parents for stage in run.stages] == [(), ("model",), ("model",), ("features", "model")]
    assert [stage.name for stage in run.networks] == ["model", "measured", "features"]
    assert [stage.name for stage in run.trained] == ["model", "measured"]


def test_a_plan_comes_back_from_plain_values(tmp_path):
    (run, _) = plans(tmp_path, GOOD + STAGES)
    again = plan_from_json(run.resolved, REGISTRY)
    assert again.resolved == run.resolved
    assert [type(stage) for stage in again.stages] == [type(stage) for stage in run.stages]
    assert again.stages[2].spec.train == run.stages[2].spec.train


def test_a_stage_that_only_measures_does_not_begin_to_train(tmp_path):
    """Its own table says so: neither --set nor a sweep nor a variant is meant for it."""
    for made in (
        stages(tmp_path, GOOD + STAGES, "train.epochs=1"),
        stages(tmp_path, GOOD.replace("[dataset]", 'sweep = { "train.epochs" = [1] }\n[dataset]') + STAGES),
        stages(tmp_path, GOOD + '[[variants]]\nname = "v"\ntrain.epochs = 1\n' + STAGES),
        stages(tmp_path, GOOD + STAGES, "train={epochs=1, batch_size=8}"),
    ):
        assert made["model"].spec.train.epochs == 1
        assert made["measured"].spec.train.epochs == 0
    assert made["measured"].spec.train.batch_size == 8
    assert stages(tmp_path, GOOD, "train.epochs=0")["train"].spec.train.epochs == 0


def test_what_makes_a_stage_extract_or_analyse_holds_for_those_that_do(tmp_path):
    """A sweep over layers, or an option that is set, leaves stages alone that train."""
    swept = GOOD.replace("[dataset]", 'sweep = { "extract.layer" = ["logits", "stages.conv2"] }\n[dataset]')
    made = plans(tmp_path, swept + STAGES, "analysis.draws=7")
    assert len(made) == 4
    for run, layer in zip(made[::2], ["logits", "stages.conv2"], strict=True):
        model, measured, features, compare = run.stages
        assert isinstance(model, StagePlan)
        assert isinstance(measured, StagePlan)
        assert features.spec.extract.layer == layer
        assert compare.analysis.draws == 7
    top = GOOD.replace("[dataset]", 'extract = { modality = "grey", layer = "logits" }\n[dataset]')
    made = stages(tmp_path, top + STAGES)
    assert isinstance(made["model"], StagePlan)
    assert made["features"].spec.extract.layer == "logits"
    (only,) = plans(tmp_path, top)[0].stages
    assert isinstance(only, ExtractPlan)


def test_the_one_modality_there_is_need_not_be_named(tmp_path):
    one = GOOD + '[[variants]]\nname = "v"\ndrop = ["modalities.color", "fusion", "balancing"]\n'
    made = stages(tmp_path, one + '[[stages]]\nname = "f"\nextract = "features"\n')
    assert made["f"].modality == made["f"].resolved["extract"]["modality"] == "grey"
    assert made["f"].spec.extract.modality == "grey"


def test_an_extracting_stage_needs_no_epochs(tmp_path):
    text = GOOD.replace("epochs = 3", "batch_size = 5\neval_batch_size = 7\nworkers = 2")
    text = text.replace('[select]\nmetric = "val/accuracy"\n', "") + STAGES[STAGES.index("[[stages]]") :]
    with pytest.raises(SpecError, match="train: epochs is missing"):
        plans(tmp_path, text)
    only = '[[stages]]\nname = "f"\nextract = { modality = "grey" }\ntrain.precision = "float64"\n'
    train = stages(tmp_path, text[: text.index("[[stages]]")] + only)["f"].spec.train
    assert (train.epochs, train.batch_size, train.workers, train.precision) == (0, 7, 2, "float64")
    assert train.eval_batch_size is None


def test_the_input_takes_no_network(tmp_path):
    made = stages(
        tmp_path, GOOD + '[[stages]]\nname = "f"\nextract = { layer = "input", modality = "color" }\n'
    )
    assert made["f"].of_samples
    assert made["f"].read_modalities == ("color",)
    assert made["f"].plugins.keys() == {"dataset"}
    assert made["f"].resolved["modalities"] == {}
