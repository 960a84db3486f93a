"""Conditional utilisation rate on evaluations made by hand."""

from __future__ import annotations

import math

import pytest
import torch
from stand_ins import ScriptedEvaluation, predicted, random_batch, small_network

from mmspec.plugins.api import Outline
from mmspec_greedy.fusions import Mmtm
from mmspec_greedy.metrics import ConditionalUtilization
from mmspec_greedy.utilization import average_squeezes, difference, utilization


def squeezes(*rows):
    """Squeezes of one unit: (N, 1) for each modality."""
    return {"u": [torch.tensor(row, dtype=torch.float64)[:, None] for row in rows]}


def answer_for(network, full, without):
    """Predictions of two batches: `full` regularly, `without[m]` when only m's own squeeze is left."""

    def answer(split, given):
        if split == "train":
            yield predicted(full, [0, 0, 0, 0], squeezes(*[[1.0, 2.0, 3.0, 6.0]] * len(full)))
            yield predicted({m: c[:1] for m, c in full.items()}, [0], squeezes(*[[8.0]] * len(full)))
            return
        classes = full
        if given is not None:
            (m,) = [i for i, s in enumerate(given["u"]) if s is None]
            assert all(float(s) == 4.0 for s in given["u"] if s is not None)  # the mean of 1, 2, 3, 6, 8
            classes = without[network.modalities[m]]
        yield predicted({m: c[:3] for m, c in classes.items()}, [0, 0, 0])
        yield predicted({m: c[3:] for m, c in classes.items()}, [0])

    return answer


def test_two_modalities_by_hand():
    network = small_network(2)
    full = {"a": [0, 0, 0, 0], "b": [0, 0, 1, 1]}
    without = {"a": {"a": [0, 1, 1, 1], "b": [2] * 4}, "b": {"a": [2] * 4, "b": [0, 1, 0, 0]}}
    evaluation = ScriptedEvaluation(network, answer_for(network, full, without))

    values = ConditionalUtilization().build(network).measure(evaluation, "test")

    # a: (1 - 1/4) / 1;  b: (1/2 - 3/4) / (1/2)
    assert values == {"u(b|a)": 0.75, "u(a|b)": -0.5, "d_util": 1.25}


def test_three_modalities_take_the_spread():
    network = small_network(3)
    full = {m: [0, 0, 0, 0] for m in network.modalities}
    hits = {"a": 1, "b": 4, "c": 2}
    without = {m: dict.fromkeys(network.modalities, [0] * n + [1] * (4 - n)) for m, n in hits.items()}
    evaluation = ScriptedEvaluation(network, answer_for(network, full, without))

    values = ConditionalUtilization().build(network).measure(evaluation, "val")

    assert values == {"u(b+c|a)": 0.75, "u(a+c|b)": 0.0, "u(a+b|c)": 0.5, "d_util": 0.75}


def test_a_branch_that_is_never_right_has_no_rate():
    network = small_network(2)
    full = {"a": [1, 1, 1, 1], "b": [0, 0, 0, 0]}
    evaluation = ScriptedEvaluation(network, answer_for(network, full, {"a": full, "b": full}))
    values = ConditionalUtilization().build(network).measure(evaluation, "test")
    assert math.isnan(values["u(b|a)"])
    assert values["u(a|b)"] == 0.0
    assert math.isnan(values["d_util"])


def test_averages_over_training_are_made_once_for_all_splits():
    network = small_network(2)
    full = {"a": [0] * 4, "b": [0] * 4}
    evaluation = ScriptedEvaluation(network, answer_for(network, full, {"a": full, "b": full}))
    metric = ConditionalUtilization().build(network)
    metric.measure(evaluation, "val")
    metric.measure(evaluation, "test")
    assert evaluation.asked == ["train", "val", "test"]


def test_only_the_splits_that_were_asked_for():
    network = small_network(2)
    metric = ConditionalUtilization(splits=("test",)).build(network)
    evaluation = ScriptedEvaluation(network, lambda split, given: pytest.fail("no pass is needed"))
    assert metric.measure(evaluation, "val") == {}


def test_on_a_real_network_nothing_crosses_over():
    """Branch a's accuracy with b held at its average does not depend on b."""
    network = small_network(2, units=2)

    def answer_from(noise):
        def answer(split, given):
            network.eval()
            for index in range(3):
                batch = random_batch(2, index)
                inputs = dict(batch.inputs)
                if split != "train":
                    inputs["b"] = inputs["b"] + noise
                with torch.no_grad():
                    yield network(inputs, squeezes=given), batch

        return answer

    averages = average_squeezes(ScriptedEvaluation(network, answer_from(0.0)))
    assert {unit: [tuple(a.shape) for a in s] for unit, s in averages.items()} == {
        "u0": [(4,), (4,)],
        "u1": [(4,), (4,)],
    }
    held = {unit: [None, s[1]] for unit, s in averages.items()}
    plain, shifted = (
        [output.logits["a"] for output, _ in answer_from(noise)("test", held)] for noise in (0.0, 5.0)
    )
    assert all(torch.equal(x, y) for x, y in zip(plain, shifted, strict=True))


def test_rates_and_differences():
    assert utilization(0.8, 0.2) == pytest.approx(0.75)
    assert math.isnan(utilization(0.0, 0.2))
    assert difference([0.5, -0.25]) == 0.75
    assert difference([-0.25, 0.5]) == -0.75
    assert difference([0.0, 0.5, 0.25]) == 0.5
    assert math.isnan(difference([0.5, math.nan, 0.1]))


@pytest.mark.parametrize(
    ("modalities", "fusion", "splits", "what"),
    [
        (("a", "b"), Mmtm, None, None),
        (("a", "b"), Mmtm, ("test",), None),
        (("a", "b"), Mmtm, ("tset",), "there is no split 'tset'"),
        (("a", "b"), None, None, "needs a fusion"),
        (("a",), None, None, "two modalities"),
    ],
)
def test_needs_gates_and_splits_that_exist(modalities, fusion, splits, what):
    outline = Outline(modalities=modalities, stages={}, data=None, splits={"test": "test"}, fusion=fusion)
    told = [mistake.what for mistake in ConditionalUtilization(splits=splits).mistakes(outline)]
    assert len(told) == (what is not None)
    assert what is None or what in told[0]


def test_a_fusion_without_gates_is_refused():
    class Plain(Mmtm):
        capabilities = frozenset()

    outline = Outline(modalities=("a", "b"), stages={}, data=None, splits={}, fusion=Plain)
    (mistake,) = ConditionalUtilization().mistakes(outline)
    assert "gates" in mistake.what
