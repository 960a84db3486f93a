"""Metrics of classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Metric

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, StreamingMetric


@attrs.frozen(kw_only=True)
class Accuracy(Metric):
    """The share of samples predicted right: `accuracy`, and `accuracy.<modality>` for each branch alone."""

    def build(self, network: MultiModalNetwork) -> StreamingMetric:
        """Counts on the device; branches are counted where there is more than one."""
        from mmspec_torch.accuracy import StreamingAccuracy

        return StreamingAccuracy(network.modalities)
