"""The loop a researcher writes by hand for one experiment: no records, no options, nothing shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mmspec.engine.trainer import Trainer


class BareLoop:
    """A hand-written loop over a trainer's own network, on normalised tensors held in memory."""

    def __init__(self, trainer: Trainer, batch_size: int, lr: float) -> None:
        whole = list(trainer.loaders["train"].ordered())
        self.modalities = trainer.network.modalities
        self.inputs = {m: torch.cat([batch.inputs[m] for batch in whole]) for m in self.modalities}
        self.target = torch.cat([batch.target for batch in whole])
        self.network, self.batch_size = trainer.network, batch_size
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=lr)

    def batches(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        for chosen in torch.randperm(len(self.target)).split(self.batch_size):
            yield {m: x[chosen] for m, x in self.inputs.items()}, self.target[chosen]

    def step(self, inputs: dict[str, Tensor], target: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        output = self.network(inputs)
        loss = sum(cross_entropy(logits, target) for logits in output.logits.values())
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epochs(self) -> Iterator[None]:
        total = torch.zeros(())
        while True:
            for inputs, target in self.batches():
                total += self.step(inputs, target)
                yield

    def in_steps(self, steps: int) -> Callable[[], None]:
        running = self.epochs()

        def go_on() -> None:
            for _ in range(steps):
                next(running)

        return go_on


class GuidedBareLoop(BareLoop):
    """The same with the guided strategy as one would write it: norms, sums, a decision by `.item()`."""

    def __init__(self, trainer: Trainer, batch_size: int, lr: float, alpha: float, window: int) -> None:
        super().__init__(trainer, batch_size, lr)
        network = trainer.network
        self.sets = [(network.fusion_parameters(m), network.branch_parameters(m)) for m in network.modalities]
        self.sums = torch.zeros(len(self.sets), 2)
        self.alpha, self.window, self.left = alpha, window, 0
        self.rebalance: Tensor | None = None

    def step(self, inputs: dict[str, Tensor], target: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        output = self.network(inputs, rebalance=self.rebalance)
        loss = sum(cross_entropy(logits, target) for logits in output.logits.values())
        loss.backward()
        self._decide()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def _decide(self) -> None:
        if self.rebalance is not None:
            self.left -= 1
            if self.left == 0:
                self.rebalance = None
            return
        for row, sets in zip(self.sums, self.sets, strict=True):
            for column, parameters in enumerate(sets):
                row[column] += _square(_grads(parameters)) / _square(parameters)
        speed = (self.sums[:, 0] / self.sums[:, 1]).log10()
        if (speed.max() - speed.min()).item() > self.alpha:
            self.rebalance = torch.arange(len(speed)) == speed.argmax()
            self.left = self.window


def _grads(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _square(tensors: list[Tensor]) -> Tensor:
    return torch.stack(torch._foreach_norm(tensors)).square().sum()
