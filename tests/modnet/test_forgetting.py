"""Forgetting: first less last, of stages that have measured the same."""

from __future__ import annotations

import attrs
import pytest

from mmspec.errors import DataError
from mmspec.plugins.api import StageOutput
from mmspec.testing import check_analysis
from mmspec_modnet.analyses import Forgetting

DATA = {"use": "class_hierarchy", "positive": ["animal"], "held_out": 0.3}


def measured(stage, **changes):
    values = {"accuracy": 0.9, "sensitivity": 0.8, "specificity": 1.0, **changes}
    spec = {"name": stage, "dataset": DATA, "split": {"fraction": 0.1}}
    return StageOutput(stage, {f"test/{name}": value for name, value in values.items()}, spec=spec)


def told(first, last, **options):
    return Forgetting(**options).analyse({"first": first, "last": last}, workers=1).values


def test_what_is_gone_is_above_zero_and_what_has_been_won_below():
    last = measured("after", accuracy=0.75, sensitivity=0.85)
    values = told(measured("before"), last)
    assert values == pytest.approx({"accuracy": 0.15, "sensitivity": -0.05, "specificity": 0.0})


def test_the_same_measurements_differ_by_exactly_nothing():
    assert set(told(measured("before"), measured("after")).values()) == {0.0}


def test_other_splits_and_metrics():
    first, last = (
        attrs.evolve(measured(name), values={"train/auc": value})
        for name, value in (("before", 1.0), ("after", 0.5))
    )
    assert told(first, last, split="train", metrics=("auc",)) == {"auc": 0.5}


def test_a_stage_that_has_not_measured_it_is_named():
    last = StageOutput("after", {"test/accuracy": 0.5})
    with pytest.raises(DataError, match="stage after has not measured test/sensitivity") as caught:
        told(measured("before"), last)
    assert "it has measured test/accuracy; evaluate.metrics" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("dataset", {**DATA, "positive": ["cat"]}, r"dataset\.positive"),
        ("dataset", {**DATA, "seed": 1}, r"dataset\.seed"),
        ("split", {"fraction": 0.2}, r"split\.fraction"),
        ("split", None, "split"),
    ],
)
def test_measurements_on_other_data_are_refused(key, value, named):
    last = measured("after")
    last = attrs.evolve(last, spec={**last.spec, key: value})
    with pytest.raises(DataError, match=f"stages before and after measured other data: {named}\n"):
        told(measured("before"), last)


def test_where_no_spec_is_known_nothing_is_refused():
    unknown = attrs.evolve(measured("after"), spec={})
    assert told(measured("before"), unknown)["accuracy"] == 0


def test_its_options():
    check_analysis(Forgetting())
    with pytest.raises(ValueError, match="must name a metric"):
        Forgetting(metrics=())
