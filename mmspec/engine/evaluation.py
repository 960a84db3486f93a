"""Passes over whole splits that leave training as it was."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmspec.data.loader import Loader
from mmspec.engine.placement import Autocast
from mmspec.graph.network import FusedNetwork
from mmspec.plugins.api import LabelledArray
from mmspec.plugins.working import Batch, NetworkOutput, Strategy, StreamingMetric

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
    """The engine's `Evaluation`: to be used within `evaluating`.

    The first whole pass over a split of `streamed`, for whomever it is made, also feeds `streaming`; what
    these leave as arrays then stands in `arrays`, by `split/name`.
    """

    train_split = "train"

    def __init__(
        self,
        network: FusedNetwork,
        strategy: Strategy,
        loaders: Mapping[str, Loader],
        autocast: Autocast,
        *,
        streaming: Iterable[StreamingMetric] = (),
        streamed: Iterable[str] = (),
    ) -> None:
        self.network = network
        self._rebalance = strategy.evaluation_decision().rebalance
        self._loaders = loaders
        self._autocast = autocast
        self._streaming = list(streaming)
        self._to_stream = set(streamed)
        self._streamed: dict[str, dict[str, float]] = {}
        self.arrays: dict[str, LabelledArray] = {}
        self._turn = object()
        self._memo: dict[Hashable, Any] = {}

    def passes(
        self, split: str, squeezes: Mapping[str, Sequence[Tensor | None]] | None = None
    ) -> Iterator[tuple[NetworkOutput, Batch]]:
        """One pass over a whole split, in order; `squeezes` {unit: one a modality} replaces squeezes."""
        forward = partial(self.network, rebalance=self._rebalance, squeezes=squeezes)
        with self._feeding(split if squeezes is None else None) as feed:
            for output, batch in self._run(split, forward):
                feed(output, batch)
                yield output, batch

    def squeezes(self, split: str) -> Iterator[tuple[Mapping[str, Sequence[Tensor]], Batch]]:
        """One pass in which only {unit: squeezes (N, C_m)} are wanted: it may end at the last unit."""
        if split in self._to_stream:
            yield from ((output.squeezes, batch) for output, batch in self.passes(split))
        else:
            yield from self._run(split, partial(self.network.squeezes, rebalance=self._rebalance))

    def isolated(
        self, split: str, squeezes: Mapping[str, Sequence[Tensor]]
    ) -> Iterator[tuple[NetworkOutput, Mapping[str, Tensor], Batch]]:
        """One pass with the outputs and, for each branch, its logits with the others' squeezes held."""
        forward = partial(self.network.isolated, squeezes=squeezes, rebalance=self._rebalance)
        with self._feeding(split) as feed:
            for (output, alone), batch in self._run(split, forward):
                feed(output, batch)
                yield output, alone, batch

    def streaming(self, split: str) -> dict[str, float]:
        """The streaming metrics over a split: of a pass that was made for another, or else of one more."""
        if split not in self._streamed:
            self._to_stream.add(split)
            for _ in self.passes(split):
                pass
        return self._streamed[split]

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """`compute()`, shared by all metrics and splits of this evaluation."""
        if what not in self._memo:
            self._memo[what] = compute()
        value: T = self._memo[what]
        return value

    def _run(self, split: str, forward: Callable[[Mapping[str, Tensor]], T]) -> Iterator[tuple[T, Batch]]:
        for batch in self._loaders[split].ordered():
            with self._autocast():
                output = forward(batch.inputs)
            yield output, batch

    @contextmanager
    def _feeding(self, split: str | None) -> Iterator[Callable[[NetworkOutput, Batch], None]]:
        """What feeds the streaming metrics if they wait for this split; a pass broken off does not count."""
        turn = object()
        if split in self._to_stream:
            self._turn = turn  # a pass that begins while another feeds takes its place
            for metric in self._streaming:
                metric.reset()

        def feed(output: NetworkOutput, batch: Batch) -> None:
            for metric in self._streaming if self._turn is turn else ():
                metric.update(output, batch)

        yield feed
        if split is not None and self._turn is turn:
            values = [metric.compute().items() for metric in self._streaming]
            self._streamed[split] = {name: value for items in values for name, value in items}
            arrays = [metric.arrays().items() for metric in self._streaming]
            self.arrays |= {f"{split}/{name}": array for items in arrays for name, array in items}
            self._to_stream.remove(split)
