"""Sensitivity and specificity: over whole splits, whatever the batches, as scikit-learn has them."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, recall_score
from test_objective_and_accuracy import output_and_batch
from tiny import stage_plan

from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import DataInfo, ModalityInfo, Outline
from mmspec_torch.metrics import BinaryRates
from mmspec_torch.rates import StreamingRates


@pytest.mark.parametrize("positive", [0, 3])
def test_rates_are_those_of_scikit_learn(positive):
    metric = StreamingRates(positive, ("grey", "color"))
    seen = [output_and_batch(seed, size) for seed, size in enumerate((64, 30, 1, 1))]
    for output, batch in seen:  # the last ones have one class only
        metric.update(output, batch)
    values = metric.compute()
    true = torch.cat([batch.target for _, batch in seen]) == positive
    for suffix, pick in (
        ("", lambda output: output.prediction),
        (".grey", lambda output: output.logits["grey"]),
        (".color", lambda output: output.logits["color"]),
    ):
        predicted = torch.cat([pick(output).argmax(1) for output, _ in seen]) == positive
        assert values[f"sensitivity{suffix}"] == pytest.approx(recall_score(true, predicted))
        assert values[f"specificity{suffix}"] == pytest.approx(recall_score(true, predicted, pos_label=0))
        assert values[f"balanced_accuracy{suffix}"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert len(values) == 9


def test_without_positive_samples_there_is_no_sensitivity():
    metric = StreamingRates(1)
    output, batch = output_and_batch(0, 8)
    batch.target.zero_()
    metric.update(output, batch)
    values = metric.compute()
    assert math.isnan(values["sensitivity"])
    assert math.isnan(values["balanced_accuracy"])
    assert 0 <= values["specificity"] <= 1


def outline(classes):
    data = DataInfo({"image": ModalityInfo((3, 8, 8))}, classes, {"train": "train", "val": "validation"})
    return Outline(
        modalities=("image",), stages={"image": ("one",)}, data=data, fusion=None,
        splits={"train": "train", "val": "validation", "test": "test"},
    )  # fmt: skip


def test_what_there_is_after_every_epoch():
    names = list(BinaryRates().epoch_metrics(outline(("no", "yes"))))
    assert "val/sensitivity" in names
    assert not [name for name in names if name.startswith("test/")]
    assert len(names) == 6


@pytest.mark.parametrize(
    ("options", "classes", "mistake"),
    [
        ({}, ("no", "yes"), None),
        ({}, ("cat", "dog", "fox"), "of 3 classes, which is positive?"),
        ({"positive": "dog"}, ("cat", "dog", "fox"), None),
        ({"positive": "cow"}, ("cat", "dog"), "the dataset has no class 'cow'"),
    ],
)
def test_the_positive_class_must_be_known(options, classes, mistake):
    found = [each.what for each in BinaryRates(**options).mistakes(outline(classes))]
    assert found == ([mistake] if mistake else [])


def test_a_model_is_selected_by_it():
    metrics = {"binary_rates": BinaryRates(positive="x")}
    trainer = Trainer(stage_plan(metrics=metrics, select="val/balanced_accuracy"), 0)
    for batch in trainer.batches():
        trainer.step(batch)
    values = trainer.end_epoch()
    assert 0 <= values["val/balanced_accuracy"] <= 1
    assert {"train/sensitivity", "val/specificity.a", "val/specificity.b"} <= values.keys()
