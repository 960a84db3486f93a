"""A network grown from one task to the next by a spec: frozen layers stay, the others learn."""

from __future__ import annotations

import json

import pytest
import torch

import mmspec
from mmspec_modnet.datasets import ClassHierarchy

SPEC = """\
mmspec = 1
name = "grown"
modalities.image.backbone = {{ use = "growing_resnet", depth = 1, width = 8 }}
split = {{ fraction = 0.2 }}
optimizer = {{ use = "sgd", lr = 0.05, momentum = 0.9 }}
train = {{ epochs = 4, batch_size = 32, threads = 1, device = "cpu" }}
select = {{ metric = "val/balanced_accuracy" }}
evaluate.metrics = ["accuracy", "binary_rates"]

[dataset]
use = "class_hierarchy"
root = "{root}"
hierarchy = "{root}/is_a.txt"
positive = ["n00015388"]
negative = ["n00021939"]
resize = 32
size = 28
least_area = 0.8
flip = 0.0

[[stages]]
name = "animals"

[[stages]]
name = "canines"
dataset.positive = ["n02083346"]
dataset.negative = ["n00015388", "n00021939"]
modalities.image.backbone.depth = 2
init_from = {{ stage = "animals", exclude = ["branches.*.head.*"] }}
freeze = [{freeze}]
"""
EARLIER = ("branches.image.stages.stem.", "branches.image.stages.layer1.", "branches.image.stages.layer2.")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    root = tmp_path_factory.mktemp("digits")
    ClassHierarchy(root=root, positive=("a",), negative=("b",)).write_sample(root)
    return root


def grown(folder, root, freeze=""):
    """Values of the run, and the weights of each stage at its selected checkpoint."""
    path = folder / "grown.toml"
    path.write_text(SPEC.format(root=root, freeze=freeze))
    experiment = mmspec.load(path)
    experiment.check()
    record = experiment.runs[0].run(folder / "runs")
    assert record.status == "finished"
    weights = {}
    for stage in ("animals", "canines"):
        [found] = (folder / "runs").rglob(f"checkpoints/{stage}/result.json")
        file = found.parent / json.loads(found.read_text())["selected"]["file"]
        weights[stage] = torch.load(file, weights_only=True)["network"]
    return record, weights


def changed(weights):
    """The tensors of the earlier network that the later one has otherwise."""
    earlier = {n: t for n, t in weights["animals"].items() if n.startswith(EARLIER)}
    assert any("running_var" in name for name in earlier)
    assert any("num_batches_tracked" in name for name in earlier)
    return {name for name, tensor in earlier.items() if not torch.equal(tensor, weights["canines"][name])}


def test_frozen_layers_are_bit_identical_and_both_tasks_are_learnt(tmp_path, digits):
    freeze = '"branches.image.stages.stem.*", "branches.image.stages.layer[12].*"'
    record, weights = grown(tmp_path, digits, freeze)
    assert not changed(weights)
    assert record.values["test/balanced_accuracy"] > 0.8
    assert {"test/sensitivity", "test/specificity", "test/accuracy"} <= set(record.values)


def test_unfrozen_layers_go_on_learning(tmp_path, digits):
    _, weights = grown(tmp_path, digits)
    found = changed(weights)
    assert {name.split(".")[3] for name in found} == {"stem", "layer1", "layer2"}
