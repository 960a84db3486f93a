"""Losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Objective, between, option

if TYPE_CHECKING:
    from mmspec.plugins.api import ObjectiveTerms


@attrs.frozen(kw_only=True)
class CrossEntropy(Objective):
    """Cross-entropy of each branch's own logits: one term for each modality."""

    label_smoothing: float = option(
        "share of the target that is spread evenly over all classes", default=0.0, validator=between(0, 1)
    )

    def build(self) -> ObjectiveTerms:
        """A callable that gives one term for each modality."""
        from mmspec_torch.losses import BranchCrossEntropy

        return BranchCrossEntropy(self.label_smoothing)
