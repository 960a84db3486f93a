"""Before and after on the same splits: the differences, and what is no pair."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmspec.data.paired_difference import PairedDifference
from mmspec.errors import DataError
from mmspec.plugins.api import LabelledArray, StageOutput
from mmspec.testing import check_analysis

NAMES = ("0-ab", "1-cd", "2-ef", "3-01")


def scored(stage, values, names=NAMES, array="accuracy", axis="split"):
    found = LabelledArray(np.asarray(values), (axis,), (tuple(names[: len(values)]),))
    return StageOutput(stage, {}, {f"{stage}/{array}": found})


BEFORE, AFTER = scored("svm", [0.5, 0.6, 0.7, 0.8]), scored("tuned", [0.6, 0.6, 0.9, 0.7])


def difference(before=BEFORE, after=AFTER, **options):
    return PairedDifference(**options).analyse({"before": before, "after": after}, workers=1)


def test_after_less_before_split_by_split():
    result = difference()
    array = result.arrays["difference"]
    np.testing.assert_allclose(array.values, [0.1, 0, 0.2, -0.1], atol=1e-15)
    assert array.entries == (NAMES,)
    std = math.sqrt((0.05**2 + 0.05**2 + 0.15**2 + 0.15**2) / 3)
    assert result.values == pytest.approx({"mean": 0.05, "std": std, "n": 4, "better": 0.5})
    assert "no standard error" in result.remarks[0]


def test_the_same_numbers_differ_by_exactly_nothing():
    values = difference(BEFORE, scored("again", [0.5, 0.6, 0.7, 0.8])).values
    assert values == {"mean": 0, "std": 0, "n": 4, "better": 0}


def test_one_pair_has_no_deviation():
    values = difference(scored("svm", [0.5]), scored("tuned", [0.75])).values
    assert (values["mean"], values["better"]) == (0.25, 1)
    assert math.isnan(values["std"])


def test_another_array():
    pair = (scored(name, [1, 2], array="draws") for name in ("svm", "tuned"))
    assert difference(*pair, array="draws").values["mean"] == 0


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (scored("tuned", [1.0, 1, 1]), "not of the same splits: 4 and 3 of them"),
        (scored("tuned", [1.0] * 4, ("0-ab", "1-XX", *NAMES[2:])), "not of the same splits: 1-cd and 1-XX"),
        (scored("tuned", [1.0] * 4, axis="draw"), "not of the same splits: split and draw"),
        (scored("tuned", [1.0] * 4, array="c"), "stage tuned leaves no array accuracy\n  hint: it leaves c"),
        (scored("tuned", []), "accuracy of stage tuned is 0, and should be one row of numbers"),
        (StageOutput("tuned", {"tuned/accuracy": 1.0}), "it leaves none at all"),
    ],
)
def test_what_is_no_pair_is_refused(after, told):
    with pytest.raises(DataError) as found:
        difference(after=after)
    assert told in str(found.value)


def test_matrices_are_refused():
    matrix = LabelledArray(np.eye(2), ("a", "b"), (("x", "y"), ("x", "y")))
    with pytest.raises(DataError, match="2 x 2"):
        difference(*(StageOutput(name, {}, {f"{name}/accuracy": matrix}) for name in ("svm", "tuned")))


def test_it_keeps_its_promises():
    check_analysis(PairedDifference(), {"before": BEFORE, "after": AFTER})
