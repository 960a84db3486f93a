"""Each promise of an analysis, broken, is told."""

from __future__ import annotations

import random
from typing import ClassVar

import attrs
import numpy as np
import pytest
import torch
from broken_plugins import plugin, told

from mmspec import testing
from mmspec.errors import DataError
from mmspec.plugins.api import Analysis, AnalysisResult, LabelledArray, StageOutput, at_least, option
from mmspec.testing.analyses import toy_table


@attrs.frozen(kw_only=True)
class Means(Analysis):
    """The mean over some draws of rows of the table `features`, and the accuracy of `model` beside it."""

    tables: ClassVar = ("features",)
    outputs: ClassVar = ("model",)

    draws: int = option("how many rows are drawn", default=20, validator=at_least(1))
    seed: int = option("which", default=0)

    def analyse(self, inputs, *, workers):
        table = inputs["features"].table
        if len(table) < 2:
            raise DataError("one sample has no spread")
        rows = np.random.default_rng(self.seed).choice(len(table), self.draws)
        mean = table.values[rows].mean(axis=0)
        entries = tuple(str(i) for i in range(len(mean)))
        values = {"mean": float(mean.mean()), "accuracy": inputs["model"].values["test/accuracy"]}
        return AnalysisResult(values, {"by column": LabelledArray(mean, ("column",), (entries,))}, ["done"])


def analysis(analyse, doc="Of `features`.", **more):
    """An analysis of the table `features` that does this."""
    methods = {"tables": ("features",), "__doc__": doc, "analyse": analyse, **more}
    return plugin(Analysis, **methods)


def gives(values=None, arrays=None, remarks=()):
    given = {"it": 1.0} if values is None else values
    return lambda self, inputs, *, workers: AnalysisResult(given, arrays or {}, remarks)


def square(entries, values=None, **more):
    values = np.zeros((2, 2)) if values is None else values
    return {"it": LabelledArray(values, ("a", "b"), entries, **more)}


def test_a_good_analysis_passes():
    testing.check_analysis(Means())
    testing.check_analysis(analysis(gives({}, square((("x", "y"), ("x", "y"))))))


def test_inputs_can_be_given():
    table = toy_table("features", 5)
    given = {
        "features": StageOutput("features", {}, table=attrs.evolve(table, values=table.values.copy())),
        "model": StageOutput("model", {"test/accuracy": 0.5}),
    }
    testing.check_analysis(Means(), given)
    del given["model"].values["test/accuracy"]
    assert "analyse() raises KeyError" in told(testing.check_analysis, Means(), given)


def spoils(self, inputs, *, workers):
    inputs["features"].table.values.sort(axis=0)
    return AnalysisResult({"it": 1.0})


def relabels(self, inputs, *, workers):
    inputs["features"].table.targets.sort()
    return AnalysisResult({"it": 1.0})


def rolls(what):
    def analyse(self, inputs, *, workers):
        return AnalysisResult({"it": float(what())})

    return analyse


def rolls_in_vain(self, inputs, *, workers):
    np.random.random()
    return AnalysisResult({"it": 1.0})


def by_workers(self, inputs, *, workers):
    return AnalysisResult({"it": sum([0.1] * workers) / workers})


def needs_two(self, inputs, *, workers):
    return AnalysisResult({"it": float(inputs["features"].table.values[1, 0])})


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (analysis(gives(), tables=["features"]), "tables is ['features'], not a tuple of plain names"),
        (analysis(gives(), tables=("the features",)), "not a tuple of plain names"),
        (analysis(gives(), outputs=("features",)), "name one input twice"),
        (analysis(gives(), tables=()), "it reads nothing"),
        (analysis(gives(), doc="It."), "the docstring does not say what features is"),
        (analysis(gives(), smoke=lambda self: Means()), "smoke() gives Means, not It"),
        (analysis(lambda self, inputs, *, workers: {"it": 1.0}), "analyse() gives dict, no AnalysisResult"),
        (analysis(lambda self, inputs: AnalysisResult({})), "analyse() raises TypeError"),
        (analysis(gives({}, {})), "gives neither values nor arrays"),
        (analysis(gives({"a/b": 1.0})), "'a/b' is no plain name: it becomes STAGE/name"),
        (analysis(gives({1: 1.0})), "1 is no plain name"),
        (analysis(gives({"": 1.0})), "'' is no plain name"),
        (analysis(gives({"it": torch.ones(())})), "'it' is Tensor, not a plain number"),
        (analysis(gives({"it": np.float32(1)})), "'it' is float32, not a plain number"),
        (analysis(gives({"it": True})), "'it' is bool, not a plain number"),
        (analysis(gives({"it": None})), "'it' is NoneType, not a plain number"),
        (analysis(gives(arrays={"it": np.zeros(2)})), "'it' is ndarray"),
        (analysis(gives(arrays=square((("x",), ("x", "y"))))), "has the shape (2, 2), but axes"),
        (
            analysis(gives(arrays=square((("x", "y"),) * 2, classes=(("c", "c"),)))),
            "has the classes of (2,) entries, but axes of (2, 2)",
        ),
        (analysis(gives(arrays=square((("x", "y"),) * 2, np.array([["a", "b"]] * 2)))), "not numbers"),
        (analysis(gives(remarks="done")), "remarks must be lines of text"),
        (analysis(gives(remarks=[3])), "remarks must be lines of text"),
        (analysis(spoils), "analyse() raises ValueError"),
        (analysis(relabels), "analyse() changes what it reads"),
        (analysis(rolls(random.random)), "analyse() is not deterministic"),
        (analysis(rolls(np.random.random)), "analyse() is not deterministic"),
        (analysis(rolls(lambda: torch.rand(()))), "analyse() is not deterministic"),
        (analysis(rolls_in_vain), "analyse() draws from a global random state"),
        (analysis(by_workers), "gives another result with three workers than with one"),
        (analysis(needs_two), "with one sample in features, analyse() raises IndexError, and no DataError"),
    ],
)
def test_analyses(broken, what):
    assert what in told(testing.check_analysis, broken)
