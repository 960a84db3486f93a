"""Cross-entropy by branch, and accuracy over whole splits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmspec.plugins.api import Batch, NetworkOutput
from mmspec_torch.accuracy import StreamingAccuracy
from mmspec_torch.objectives import CrossEntropy


def output_and_batch(seed=0, samples=7, classes=4, names=("grey", "color")):
    generator = torch.Generator().manual_seed(seed)
    logits = {m: torch.randn(samples, classes, generator=generator, dtype=torch.float64) for m in names}
    target = torch.randint(classes, (samples,), generator=generator)
    prediction = torch.stack(list(logits.values())).mean(0)
    return NetworkOutput({}, logits, prediction), Batch({}, target, torch.arange(samples))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_is_one_term_a_modality(smoothing):
    output, batch = output_and_batch()

    terms = CrossEntropy(label_smoothing=smoothing).build()(output, batch)

    assert list(terms) == ["grey", "color"]
    for name, term in terms.items():
        logits = output.logits[name].numpy()
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        wanted = np.full(logits.shape, smoothing / 4)
        wanted[np.arange(7), batch.target.numpy()] += 1 - smoothing
        assert float(term) == pytest.approx(-(wanted * log_p).sum(axis=1).mean())


@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(ValueError, match="must be between"):
        CrossEntropy(label_smoothing=smoothing)


def test_accuracy_counts_over_batches_of_different_sizes():
    metric = StreamingAccuracy(("grey", "color"))
    right = np.zeros(3)
    samples = 0
    for seed, size in enumerate((7, 3, 1)):
        output, batch = output_and_batch(seed, size)
        metric.update(output, batch)
        for i, logits in enumerate((output.prediction, *output.logits.values())):
            right[i] += (logits.argmax(1) == batch.target).sum()
        samples += size
    values = metric.compute()
    assert list(values) == ["accuracy", "accuracy.grey", "accuracy.color"]
    assert list(values.values()) == pytest.approx(right / samples)


def test_one_modality_has_one_accuracy():
    metric = StreamingAccuracy(("grey",))
    metric.update(*output_and_batch(names=("grey",)))
    assert list(metric.compute()) == ["accuracy"]


def test_accuracy_forgets_and_carries_over():
    metric, other = StreamingAccuracy(("grey", "color")), StreamingAccuracy(("grey", "color"))
    metric.update(*output_and_batch())
    other.load_state_dict(metric.state_dict())
    assert other.compute() == metric.compute()
    metric.reset()
    assert all(math.isnan(value) for value in metric.compute().values())
