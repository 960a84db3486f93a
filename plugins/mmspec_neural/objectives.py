"""A loss that makes a network's dissimilarities like given ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Mistake, Objective, Outline, option
from mmspec_neural.reading import mistakes_of_grouping, mistakes_of_modality, mistakes_of_target

if TYPE_CHECKING:
    from mmspec.plugins.api import ObjectiveTerms


@attrs.frozen(kw_only=True)
class RdmMse(Objective):
    """The mean squared difference of two dissimilarity matrices of a batch: the network's and a target's.

    Both are 1 − Pearson's correlation between the means of groups: of the branch's features, and of the
    samples' rows in a feature table that the stage reads. Pairs with a group that the batch has not count
    nothing, so let a sampler such as k_per_group choose. One term, of one branch; it trains no classifier.
    """

    group: str = option("what is averaged first: a grouping of the dataset, or class", default="object")
    target: str = option("the name under `reads` of the features to become like", default="target")
    modality: str | None = option("the branch; absent: the only one there is", default=None)
    diagonal: bool = option(
        "true: the mean over all entries, zeros of the diagonal included, as published; false: without them",
        default=True,
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """Target, groups and branch are there."""
        yield from mistakes_of_target(outline, self.target)
        yield from mistakes_of_grouping(outline, "group", self.group)
        yield from mistakes_of_modality(outline, self.modality)

    def build(self) -> ObjectiveTerms:
        """A callable that gives one term, named like the branch."""
        from mmspec_neural.rdm_loss import RdmLoss

        return RdmLoss(self.group, self.target, self.modality, self.diagonal)
