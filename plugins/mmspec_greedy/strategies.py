"""The balancing strategies that Wu et al. 2022 compare: none, random, guided, and RUBi."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import attrs

from mmspec.plugins.api import Balancing, Mistake, Outline, at_least, option

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, Strategy


def _compat_option() -> Any:
    return option(
        "wu2022: the slip of the released code by which evaluation runs with the decision that is pending",
        default=None,
    )


def _start_epoch() -> Any:
    return option(
        "the first epoch, counted from 1, after whose steps re-balancing is decided",
        default=2,
        validator=at_least(1),
    )


def _hidden_sizes(_: object, __: object, sizes: tuple[int, ...]) -> None:
    if any(size < 1 for size in sizes):
        raise ValueError(f"must be sizes of 1 or above, not {list(sizes)!r}")


@attrs.frozen(kw_only=True)
class NoBalancing(Balancing):
    """Regular steps only: the plain sum of the branches' losses."""

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """A strategy that leaves everything as it is."""
        from mmspec.plugins.api import Strategy

        del network, seed
        return Strategy()


@attrs.frozen(kw_only=True)
class RandomBalancing(Balancing):
    """Before each step, draw: a regular step, or a re-balancing step on one of the modalities."""

    requires: ClassVar[frozenset[str]] = frozenset({"gates"})
    min_modalities: ClassVar[int] = 2

    start_epoch: int = _start_epoch()
    compat: Literal["wu2022"] | None = _compat_option()

    def smoke(self) -> Self:
        """With draws from the second epoch on, before a smoke run ends."""
        return attrs.evolve(self, start_epoch=min(self.start_epoch, 2))

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """A strategy whose draws depend on `seed` and the step alone."""
        from mmspec_greedy.random_balancing import RandomStrategy

        return RandomStrategy(
            network.modalities, seed, start_epoch=self.start_epoch, compat=self.compat is not None
        )


@attrs.frozen(kw_only=True)
class GuidedBalancing(Balancing):
    """Balanced multi-modal learning, guided by conditional learning speed (Wu et al. 2022)."""

    requires: ClassVar[frozenset[str]] = frozenset({"gates"})
    min_modalities: ClassVar[int] = 2

    alpha: float = option(
        "how far learning speeds may lie apart, in decades", default=0.01, validator=at_least(0)
    )
    window: int = option("re-balancing steps in a row", default=5, validator=at_least(1))
    start_epoch: int = _start_epoch()
    loss: Literal["sum", "plus_d_speed", "weighted_by_speed"] = option(
        "of the branches' losses, their sum; plus_d_speed: and |d_speed|, a constant, which adds no gradient "
        "and is seen by those alone who look at the loss; weighted_by_speed: weighted by s_m / Σ s, times M",
        default="sum",
    )
    compat: Literal["wu2022"] | None = _compat_option()

    def smoke(self) -> Self:
        """With decisions from the second epoch on, before a smoke run ends."""
        return attrs.evolve(self, start_epoch=min(self.start_epoch, 2))

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """A strategy that measures learning speeds and decides on the device."""
        from mmspec_greedy.guided import GuidedStrategy

        del seed
        return GuidedStrategy(
            network,
            alpha=self.alpha,
            window=self.window,
            start_epoch=self.start_epoch,
            loss=self.loss,
            compat=self.compat is not None,
        )


@attrs.frozen(kw_only=True)
class Rubi(Balancing):
    """RUBi (Cadene et al. 2019): a biased modality's own prediction masks the fused one in the loss."""

    min_modalities: ClassVar[int] = 2

    biased: str = option('the biased modality by name; "all": the mean over all', default="all")
    weight: float = option(
        "weight of the loss of the biased modality's own classifier", default=1.0, validator=at_least(0)
    )
    hidden: tuple[int, ...] = option(
        "hidden layers of the network that makes the mask", default=(128,), validator=_hidden_sizes
    )

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """The biased modality is one of the spec's."""
        if self.biased not in {"all", *outline.modalities}:
            names = ", ".join(["all", *outline.modalities])
            yield Mistake(f"there is no modality {self.biased!r}", option="biased", hint=f"one of: {names}")

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """A strategy with a mask network and a classifier for each biased modality."""
        from mmspec_greedy.rubi import RubiStrategy

        biased = network.modalities if self.biased == "all" else (self.biased,)
        return RubiStrategy(network, seed, biased=biased, weight=self.weight, hidden=self.hidden)
