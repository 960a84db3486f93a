"""Evaluation with utilisation rates against evaluation without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch

from benchmarks.loop import Large, large_trainer
from benchmarks.paired import alternate
from mmspec.engine.trainer import Trainer
from mmspec_greedy import utilization

SPLITS = ("val", "test")


def evaluation() -> list[str]:
    """Accuracies and utilisation rates of val and test against accuracies alone, by hand and ours."""
    size, batch = 224, 16
    data = Large(size, {"train": 2 * batch, "val": batch, "test": batch})
    made = [f"train.batch_size={batch}", "evaluate.metrics=['accuracy', 'conditional_utilization']"]
    trainer = large_trainer(*made, data=data, measured=True)
    by_hand = bare_evaluation(large_trainer(*made, "train.channels_last=false", data=data))

    def plain() -> None:
        for split in SPLITS:
            trainer.evaluate(split)

    def rates() -> None:
        trainer.measure(SPLITS, streamed=SPLITS)

    with averages_known():
        what = f"two ResNet-18 at {size}: rates of val and test"
        lines = [
            alternate(rates, by_hand, rounds=9).show(f"{what} / plain by hand", 1.3),
            alternate(rates, plain, rounds=9).show(f"{what} / plain, ours", None),
        ]
    ratio = alternate(rates, plain, rounds=5)
    return [*lines, ratio.show("  the same with averages over as many training samples", None)]


def bare_evaluation(trainer: Trainer) -> Callable[[], None]:
    """Accuracies of val and test as one writes them, on normalised tensors held in memory."""
    held = {split: list(trainer.loaders[split].ordered()) for split in SPLITS}
    network = trainer.network

    @torch.no_grad()
    def evaluate() -> None:
        network.eval()
        for batches in held.values():
            right = torch.zeros(1 + len(network.modalities), dtype=torch.int64)
            for batch in batches:
                output = network(batch.inputs)
                logits = torch.stack([output.prediction, *output.logits.values()])
                right += (logits.argmax(2) == batch.target).sum(1)
            (right / sum(len(batch) for batch in batches)).tolist()

    return evaluate


@contextmanager
def averages_known() -> Iterator[None]:
    """Within it, the averages over training data are gathered once, by the first who needs them."""
    gather, known = utilization.average_squeezes, []

    def once(evaluation: object) -> object:
        if not known:
            known.append(gather(evaluation))
        return known[0]

    with patch.object(utilization, "average_squeezes", once):
        yield
