"""Fusion units: the multi-modal transfer module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from mmspec.plugins.api import Fusion, Mistake, Outline, above, at_least, option

if TYPE_CHECKING:
    from mmspec.plugins.api import FusionUnit


@attrs.frozen(kw_only=True)
class Mmtm(Fusion):
    """Multi-modal transfer module (Joze et al. 2020): each branch is gated by what all branches see."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"gates"})

    ratio: int = option(
        "the joint layer has 2/ratio times as many units as all channels together",
        default=4,
        validator=at_least(1),
    )
    gate_scale: float = option(
        "gates are this times a sigmoid: 1 in Wu et al. 2022, 2 in the MMTM paper",
        default=1.0,
        validator=above(0),
    )
    compat: Literal["wu2022"] | None = option(
        "wu2022: two slips of the released code. Branch 1's running average is made of branch 0's gates, and "
        "evaluation changes running averages too",
        default=None,
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """The released code knows two modalities."""
        if self.compat and len(outline.modalities) != 2:
            what = f"compat = {self.compat!r} is for two modalities, not {len(outline.modalities)}"
            yield Mistake(what, option="compat")

    def build(self, shapes: Sequence[tuple[int, ...]]) -> FusionUnit:
        """One unit for feature maps (C_m, *space_m)."""
        from mmspec_greedy.mmtm import MmtmUnit

        return MmtmUnit(
            [shape[0] for shape in shapes], ratio=self.ratio, gate_scale=self.gate_scale, compat=self.compat
        )
