"""The two diagnostics of Wu et al. 2022: conditional utilisation rate and conditional learning speed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from mmspec.plugins.api import Metric, Mistake, Outline, option
from mmspec_greedy.naming import given_others

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, SplitMetric, TrainingMetric


def _needs_fusion(outline: Outline, capability: str | None = None) -> Iterable[Mistake]:
    """What both need: branches that see each other."""
    if len(outline.modalities) < 2:
        yield Mistake("needs two modalities or more", hint="leave it out of evaluate.metrics")
    elif outline.fusion is None:
        yield Mistake("needs a fusion between the branches", hint="leave it out of evaluate.metrics")
    elif capability is not None and capability not in outline.fusion.capabilities:
        yield Mistake(f"needs a fusion with {capability}, such as mmtm")


@attrs.frozen(kw_only=True)
class ConditionalUtilization(Metric):
    """Conditional utilisation rate: the share of a branch's accuracy that rests on the other modalities.

    u(others|m) = (A(f_m) - A(f'_m)) / A(f_m), where A(f_m) is branch m's accuracy, and A(f'_m) that accuracy
    while the other modalities' squeezes, in every fusion unit, are held at their averages over the training
    split. For two modalities m0 and m1, in the spec's order, d_util = u(m1|m0) - u(m0|m1); for more, which
    the paper does not define, largest minus smallest.
    """

    splits: tuple[str, ...] | None = option("the splits it is measured on; absent: all", default=None)

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """A fusion with gates, and splits that exist."""
        yield from _needs_fusion(outline, "gates")
        for split in self.splits or ():
            if split not in outline.splits:
                hint = f"the splits are: {', '.join(outline.splits)}"
                yield Mistake(f"there is no split {split!r}", option="splits", hint=hint)

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """Nothing: it is measured when training is over."""
        del outline
        return ()

    def build(self, network: MultiModalNetwork) -> SplitMetric:
        """The metric; makes one pass over each split, and one over the training split."""
        from mmspec_greedy.utilization import Utilization

        return Utilization(network.modalities, self.splits)


@attrs.frozen(kw_only=True)
class ConditionalLearningSpeed(Metric):
    """Conditional learning speed: how fast a branch learns from the others, against from its own modality.

    s(others|m) for each modality m, in decades, and their difference d_speed.

    Steps in which a gate is replaced are left out, as the guided strategy leaves them out of its own sums:
    there the branch is cut off from the others, which would count as learning slowly from them.
    """

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """A fusion, whose parameters feed the branches."""
        yield from _needs_fusion(outline)

    def epoch_metrics(self, outline: Outline) -> Iterable[str]:
        """All of it, on the training split."""
        speeds = [given_others("s", m, outline.modalities) for m in outline.modalities]
        return [f"train/{name}" for name in (*speeds, "d_speed")]

    def build(self, network: MultiModalNetwork) -> TrainingMetric:
        """The metric; shares its norms with the guided strategy."""
        from mmspec_greedy.speed_metric import SpeedMetric

        return SpeedMetric(network)
