"""How like a network's dissimilarities are to given ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Metric, Mistake, Outline, option
from mmspec_neural.rdm import Method
from mmspec_neural.reading import CATEGORY, mistakes_of_grouping, mistakes_of_modality, mistakes_of_target

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, StreamingMetric


@attrs.frozen(kw_only=True)
class RdmSimilarity(Metric):
    """`rdm_spearman` and `rdm_mse`: a branch's dissimilarities against a target's, over a whole split.

    Means of groups are over all samples of the split. After training it leaves both matrices as arrays, `rdm`
    and `rdm_target`. With another method the first value is called so: `rdm_pearson`.
    """

    group: str = option("what is averaged first: a grouping of the dataset, or class", default="object")
    target: str = option("the name under `reads` of the features to compare with", default="target")
    modality: str | None = option("the branch; absent: the only one there is", default=None)
    method: Method = option("how entries above the diagonal are compared", default="spearman")
    diagonal: bool = option("rdm_mse: whether zeros of the diagonal count", default=True)
    border: str = option(
        "a grouping of the groups, such as their category: pictures draw borders between them; "
        "without category in the data there are none",
        default=CATEGORY,
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """Target, groups and branch are there."""
        yield from mistakes_of_target(outline, self.target)
        yield from mistakes_of_grouping(outline, "group", self.group)
        yield from mistakes_of_modality(outline, self.modality)
        if self.border != CATEGORY:
            yield from mistakes_of_grouping(outline, "border", self.border)

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """All of it, on every split but those for testing."""
        splits = [split for split, role in outline.splits.items() if role != "test"]
        return [f"{split}/rdm_{name}" for split in splits for name in (self.method, "mse")]

    def build(self, network: MultiModalNetwork) -> StreamingMetric:
        """Sums over groups, on the device."""
        from mmspec_neural.rdm_metric import StreamingRdms

        return StreamingRdms(
            modality=self.modality or network.modalities[0],
            grouping=self.group,
            target=self.target,
            border=self.border,
            classes=network.class_names,
            method=self.method,
            diagonal=self.diagonal,
        )
