"""The strategy as a spec sees it: a name and options. What trains is in `working`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from mmspec.plugins.api import Balancing, at_least, between, option

if TYPE_CHECKING:
    from mmspec.plugins.api import MultiModalNetwork, Strategy


@attrs.frozen(kw_only=True)
class SlowStart(Balancing):
    """In the first epochs, scale the loss of each branch down by how far it is ahead of the slowest."""

    min_modalities: ClassVar[int] = 2

    epochs: int = option("in how many epochs losses are scaled", default=2, validator=at_least(0))
    memory: float = option("share of the past in the running losses", default=0.9, validator=between(0, 1))

    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """A strategy that follows the branches' losses."""
        from mmspec_example.working import SlowStartStrategy

        del seed  # nothing is drawn
        return SlowStartStrategy(network.modalities, epochs=self.epochs, memory=self.memory)
