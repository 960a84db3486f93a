"""What is computed from the stages of a network that has grown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from mmspec.plugins.api import Analysis, AnalysisResult, StageOutput, option


def _some(_: object, __: object, names: tuple[str, ...]) -> None:
    if not names:
        raise ValueError("must name a metric, or more")


@attrs.frozen(kw_only=True)
class Forgetting(Analysis):
    """How much of a task is forgotten: metrics of `first` less those of `last`, over a whole split.

    Both stages measure the same task: `first` when it had been learnt, `last` with the weights that came of
    learning another. Values have the metrics' names; of a run they are `STAGE/accuracy`, …. Above zero:
    forgotten; below: the later task has helped.
    """

    outputs: ClassVar[tuple[str, ...]] = ("first", "last")

    split: str = option(
        "the split whose measurements are compared; held out, if it is to tell", default="test"
    )
    metrics: tuple[str, ...] = option(
        "what is compared, by names of metrics of which more is better",
        default=("accuracy", "sensitivity", "specificity"),
        validator=_some,
    )

    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """The differences.

        Raises:
            DataError: a stage has not measured what is compared, or on other data.
        """
        from mmspec_modnet.forgetting import forgetting

        del workers
        first, last = inputs["first"], inputs["last"]
        return AnalysisResult(forgetting(first, last, split=self.split, metrics=self.metrics))
