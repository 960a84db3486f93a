"""Passes that serve several metrics at once."""

from __future__ import annotations

import pytest
import torch
from tiny import TinyAccuracy, stage_plan

from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import Metric, SplitMetric
from mmspec_greedy.metrics import ConditionalUtilization


class Scripted(SplitMetric):
    def __init__(self, look):
        self.look = look

    def measure(self, evaluation, split):
        self.look(evaluation, split)
        return {"looked": 1.0}


def plugin(look):
    return type("Looking", (Metric,), {"build": lambda self, network: Scripted(look)})()


def trained(*metrics, **options):
    chosen = {"accuracy": TinyAccuracy(), **{str(i): metric for i, metric in enumerate(metrics)}}
    trainer = Trainer(stage_plan(metrics=chosen, **options), 0)
    for batch in trainer.batches():
        trainer.step(batch)
    return trainer


def passes_over(trainer, monkeypatch):
    """The splits that are read from here on, one entry a pass."""
    read = []
    for split, loader in trainer.loaders.items():
        ordered = loader.ordered

        def counted(split=split, ordered=ordered):
            read.append(split)
            return ordered()

        monkeypatch.setattr(loader, "ordered", counted)
    return read


def whole(evaluation, split):
    for _ in evaluation.passes(split):
        pass


def broken_off(evaluation, split):
    next(iter(evaluation.passes(split)))


def two_at_once(evaluation, split):
    for _ in zip(evaluation.passes(split), evaluation.passes(split), strict=True):
        pass


def one_within_another(evaluation, split):
    for number, _ in enumerate(evaluation.passes(split)):
        if number == 2:
            whole(evaluation, "val" if split == "test" else "test")


def squeezes(evaluation, split):
    for _ in evaluation.squeezes(split):
        pass


@pytest.mark.parametrize("look", [whole, broken_off, two_at_once, one_within_another, squeezes])
def test_streaming_metrics_are_the_same_whoever_makes_the_pass(look):
    trainer = trained(plugin(look))
    expected = trainer.evaluate("val") | trainer.evaluate("test")
    values = trainer.measure(("val", "test"), streamed=("val", "test"))
    assert values == expected | {"val/looked": 1.0, "test/looked": 1.0}
    assert trainer.measure(("val",)) == {"val/looked": 1.0}


def test_utilisation_and_streaming_metrics_share_their_passes(monkeypatch):
    trainer = trained(ConditionalUtilization())
    apart = trainer.evaluate("val") | trainer.evaluate("test") | trainer.measure(("val", "test"))
    read = passes_over(trainer, monkeypatch)
    assert trainer.measure(("val", "test"), streamed=("val", "test")) == apart
    assert read == ["train", "val", "test"]


def test_averages_come_from_the_pass_over_training_that_is_made_anyway(monkeypatch):
    trainer = trained(ConditionalUtilization(splits=("test",)))
    expected = trainer.evaluate("train")["train/accuracy"]
    read = passes_over(trainer, monkeypatch)
    values = trainer.measure(("train", "test"), streamed=("train", "test"))
    assert values["train/accuracy"] == expected
    assert sorted(read) == ["test", "train"]


def test_utilisation_is_that_of_whole_forwards():
    """By the long way: forwards with given squeezes, one a modality, counted by hand."""
    trainer = trained(ConditionalUtilization())
    values = trainer.measure(("test",))
    network = trainer.network.eval()
    right = torch.zeros(2, 2)
    with torch.no_grad():
        train, test = (list(trainer.loaders[split].ordered()) for split in ("train", "test"))
        inputs = {m: torch.cat([batch.inputs[m] for batch in train]) for m in ("a", "b")}
        averages = {u: [s.double().mean(0) for s in seen] for u, seen in network(inputs).squeezes.items()}
        for batch in test:
            for position, m in enumerate(("a", "b")):
                held = {
                    u: [None if i == position else s for i, s in enumerate(a)] for u, a in averages.items()
                }
                for row, given in enumerate((None, held)):
                    says = network(batch.inputs, squeezes=given).logits[m].argmax(1)
                    right[row, position] += (says == batch.target).sum()
    rates = ((right[0] - right[1]) / right[0]).tolist()
    assert [values["test/u(b|a)"], values["test/u(a|b)"]] == pytest.approx(rates)
