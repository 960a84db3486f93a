"""How far apart classes lie in features that an earlier stage has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs
import numpy as np

from mmspec.plugins.api import Analysis, AnalysisResult, DataError, StageOutput, option


@attrs.frozen(kw_only=True)
class NearestMean(Analysis):
    """How often the class with the nearest mean is the right one, in the feature table `features`.

    Means are of the samples of one split, and samples of another are told apart by them.
    """

    tables: ClassVar[tuple[str, ...]] = ("features",)

    means_of: str = option("the split whose samples make the means", default="train")
    tell: str = option("the split whose samples are told apart", default="test")

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """The share of samples, as `accuracy`.

        Raises:
            DataError: a split is not in the table, or a class not in the split that makes the means.
        """
        del workers  # one is enough
        table = inputs["features"].table
        assert table is not None
        known, told = table.of_splits([self.means_of]), table.of_splits([self.tell])
        classes = range(len(table.classes))
        if absent := [name for c, name in zip(classes, table.classes, strict=True) if c not in known.targets]:
            raise DataError(f"split {self.means_of} has no sample of {', '.join(absent)}")
        means = np.stack([known.values[known.targets == c].mean(axis=0) for c in classes])
        distances = ((told.values[:, None, :] - means) ** 2).sum(axis=2)
        right = distances.argmin(axis=1) == told.targets
        return AnalysisResult({"accuracy": float(right.mean())})
