"""Confusion matrices: counted over whole splits, after training, on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from test_objective_and_accuracy import output_and_batch
from tiny import stage_plan

from mmspec.engine.trainer import Trainer
from mmspec.testing.claims import unsynced
from mmspec_torch.accuracy import StreamingAccuracy
from mmspec_torch.confusion import StreamingConfusion
from mmspec_torch.metrics import Accuracy, ConfusionMatrix

NAMES = ("cat", "dog", "fox", "owl")


def test_counts_are_those_of_scikit_learn():
    metric, accuracy = StreamingConfusion(NAMES, ("grey", "color")), StreamingAccuracy(("grey", "color"))
    seen = [output_and_batch(seed, size) for seed, size in enumerate((7, 3, 1))]
    for output, batch in seen:
        unsynced("update()", metric.update, output, batch)
        accuracy.update(output, batch)
    true = torch.cat([batch.target for _, batch in seen])
    for name, pick in (
        ("confusion", lambda output: output.prediction),
        ("confusion.grey", lambda output: output.logits["grey"]),
        ("confusion.color", lambda output: output.logits["color"]),
    ):
        array = metric.arrays()[name]
        predicted = torch.cat([pick(output).argmax(1) for output, _ in seen])
        np.testing.assert_array_equal(array.values, confusion_matrix(true, predicted, labels=range(4)))
        assert (array.axes, array.entries) == (("true class", "predicted class"), (NAMES, NAMES))
        share = np.trace(array.values) / array.values.sum()
        assert share == pytest.approx(accuracy.compute()[name.replace("confusion", "accuracy")])
    assert metric.compute() == {}


def test_what_is_given_away_is_a_copy():
    metric = StreamingConfusion(NAMES)
    metric.update(*output_and_batch())
    kept = metric.arrays()["confusion"].values
    metric.reset()
    assert (kept.sum(), metric.arrays()["confusion"].values.sum()) == (7, 0)


@pytest.mark.parametrize("branches", [False, True])
def test_it_is_counted_after_training_only(branches):
    metrics = {"accuracy": Accuracy(), "confusion_matrix": ConfusionMatrix(branches=branches)}
    trainer = Trainer(stage_plan(metrics=metrics), 0)
    for batch in trainer.batches():
        trainer.step(batch)
    values, left = trainer.end_epoch(), {}
    assert not [name for name in values if "confusion" in name]
    assert not [name for name in trainer.state_dict()["metrics"] if "confusion" in name]
    values = trainer.measure(("val", "test"), streamed=("val", "test"), keep=left.update)
    names = ["confusion", "confusion.a", "confusion.b"] if branches else ["confusion"]
    assert sorted(left) == sorted(f"{split}/{name}" for split in ("val", "test") for name in names)
    for name, array in left.items():
        assert array.entries == (("x", "y", "z"),) * 2
        share = np.trace(array.values) / array.values.sum()
        assert share == pytest.approx(values[name.replace("confusion", "accuracy")])
