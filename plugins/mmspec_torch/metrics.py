"""Metrics of classification."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Metric, Outline, option

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
