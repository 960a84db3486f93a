"""What has changed between two stages that were measured on the same splits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import attrs

from mmspec.errors import DataError
from mmspec.plugins.api import Analysis, AnalysisResult, LabelledArray, StageOutput, option


@attrs.frozen(kw_only=True)
class PairedDifference(Analysis):
    """After minus before, split by split: arrays of two stages whose entries are the same.

    Reads the stages `before` and `after`; gives `mean` and `std` (of a sample, n − 1) of the differences,
    their number `n`, and `better`, the share in which after is above before; and the array `difference`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("before", "after")

    array: str = option("the array that both stages leave, by its name within them", default="accuracy")

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """The differences.

        Raises:
            DataError: a stage has no such array, or the two are not of the same splits.
        """
        del workers
        before, after = (_array(inputs[name], self.array) for name in self.outputs)
        if (before.axes, before.entries) != (after.axes, after.entries):
            first, second = (inputs[name].stage for name in self.outputs)
            raise DataError(
                f"{self.array} of stages {first} and {second} is not of the same {before.axes[0]}s: "
                f"{_unlike(before, after)}",
                hint="differences are paired: let both stages have the same samples, options and seed",
            )
        difference = after.values.astype("float64") - before.values
        n = len(difference)
        values = {
            "mean": float(difference.mean()),
            "std": float(difference.std(ddof=1)) if n > 1 else math.nan,
            "n": float(n),
            "better": float((difference > 0).mean()),
        }
        remark = (
            f"std is over {n} {before.axes[0]}s: where these share samples, std / √n is no standard error"
        )
        return AnalysisResult(values, {"difference": attrs.evolve(after, values=difference)}, (remark,))


def _array(output: StageOutput, name: str) -> LabelledArray:
    """An array of one axis that a stage has left.

    Raises:
        DataError: there is none.
    """
    found = output.arrays.get(f"{output.stage}/{name}")
    if found is None:
        known = ", ".join(each.partition("/")[2] for each in sorted(output.arrays)) or "none at all"
        raise DataError(f"stage {output.stage} leaves no array {name}", hint=f"it leaves {known}")
    if len(found.axes) != 1 or not len(found.values):
        shape = " x ".join(map(str, found.values.shape))
        raise DataError(f"{name} of stage {output.stage} is {shape}, and should be one row of numbers")
    return found


def _unlike(before: LabelledArray, after: LabelledArray) -> str:
    """The first entries that differ, or how many there are."""
    one, other = before.entries[0], after.entries[0]
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} of them"
    pairs = ((a, b) for a, b in zip(one, other, strict=True) if a != b)
    return " and ".join(next(pairs, (before.axes[0], after.axes[0])))
