"""Metrics of classification."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Metric, Mistake, Outline, option

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, StreamingMetric


@attrs.frozen(kw_only=True)
class Accuracy(Metric):
    """The share of samples predicted right: `accuracy`, and `accuracy.<modality>` for each branch alone."""

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """All of it, on every split but those for testing."""
        branches = outline.modalities if len(outline.modalities) > 1 else ()
        names = ["accuracy", *(f"accuracy.{m}" for m in branches)]
        return [
            f"{split}/{name}" for split, role in outline.splits.items() if role != "test" for name in names
        ]

    def build(self, network: MultiModalNetwork) -> StreamingMetric:
        """Counts on the device; branches are counted where there is more than one."""
        from mmspec_torch.accuracy import StreamingAccuracy

        return StreamingAccuracy(network.modalities)


@attrs.frozen(kw_only=True)
class ConfusionMatrix(Metric):
    """Of each true class, how many samples were predicted as which: `confusion`, an array of each split.

    Counted after training, with the selected weights. Reports draw it; it costs nothing while training.
    """

    branches: bool = option("also of each branch alone: `confusion.<modality>`", default=False)

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """Nothing: it has no numbers by name."""
        del outline
        return ()

    def build(self, network: MultiModalNetwork) -> StreamingMetric:
        """Counts on the device; branches are counted where there is more than one."""
        from mmspec_torch.confusion import StreamingConfusion

        modalities = network.modalities if self.branches else ()
        return StreamingConfusion(network.class_names, modalities)


@attrs.frozen(kw_only=True)
class BinaryRates(Metric):
    """`sensitivity`, `specificity` and their mean `balanced_accuracy`, over whole splits of a binary task.

    Of more than one branch also alone: `sensitivity.<modality>`, …. The share of positive samples predicted
    positive, and of negative ones predicted negative; NaN on a split that has none of them.
    """

    positive: str | None = option(
        "the class that is positive, all others being negative; absent: the second of two classes",
        default=None,
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """The positive class is one of the dataset's; where there are more than two it must be named."""
        classes = outline.data.classes if outline.data else ()
        if self.positive is None and len(classes) > 2:
            what = f"of {len(classes)} classes, which is positive?"
            yield Mistake(what, option="positive", hint="name it: all others are negative then")
        elif classes and self.positive is not None and self.positive not in classes:
            what = f"the dataset has no class {self.positive!r}"
            yield Mistake(what, option="positive", hint=f"its classes: {', '.join(classes[:10])}")

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """All of it, on every split but those for testing."""
        branches = outline.modalities if len(outline.modalities) > 1 else ()
        suffixes = ["", *(f".{m}" for m in branches)]
        return [
            f"{split}/{name}{suffix}"
            for split, role in outline.splits.items()
            if role != "test"
            for suffix in suffixes
            for name in ("sensitivity", "specificity", "balanced_accuracy")
        ]

    def build(self, network: MultiModalNetwork) -> StreamingMetric:
        """Counts on the device; branches are counted where there is more than one."""
        from mmspec_torch.rates import StreamingRates

        names = network.class_names
        positive = len(names) - 1 if self.positive is None else names.index(self.positive)
        return StreamingRates(positive, network.modalities)
