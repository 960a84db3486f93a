"""Passes over whole splits that leave training as it was."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmspec.data.loader import Loader
from mmspec.engine.placement import Autocast
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.working import Batch, NetworkOutput, Strategy

T = TypeVar("T")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, torch's random state kept; training mode afterwards."""
    network.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        network.train()


class Passes:
    """The engine's `Evaluation`: to be used within `evaluating`."""

    train_split = "train"

    def __init__(
        self, network: FusedNetwork, strategy: Strategy, loaders: Mapping[str, Loader], autocast: Autocast
    ) -> None:
        self.network = network
        self._strategy = strategy
        self._loaders = loaders
        self._autocast = autocast
        self._memo: dict[Hashable, Any] = {}

    def passes(
        self, split: str, squeezes: Mapping[str, Sequence[Tensor | None]] | None = None
    ) -> Iterator[tuple[NetworkOutput, Batch]]:
        """One pass over a whole split, in order; `squeezes` {unit: one a modality} replaces squeezes."""
        rebalance = self._strategy.evaluation_decision().rebalance
        for batch in self._loaders[split].ordered():
            with self._autocast():
                output = self.network(batch.inputs, rebalance=rebalance, squeezes=squeezes)
            yield output, batch

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """`compute()`, shared by all metrics and splits of this evaluation."""
        if what not in self._memo:
            self._memo[what] = compute()
        value: T = self._memo[what]
        return value
