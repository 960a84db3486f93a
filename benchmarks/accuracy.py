"""What bf16 does to results: accuracies on the digits in bf16 and in float32, over seeds."""

from __future__ import annotations

import statistics
from copy import deepcopy

import torch

from benchmarks.loop import stage
from mmspec.engine.trainer import Trainer

SEEDS = (0, 1, 2)


def accuracy() -> list[str]:
    """Accuracies of grey alone, `none` and `guided`, selected as their specs say; means over seeds."""
    torch.set_num_threads(1)
    lines = []
    for name in ("grey", "none", "guided"):  # one branch alone varies least from seed to seed
        found = {precision: _accuracies(name, precision) for precision in ("bf16", "float32")}
        means = {precision: statistics.mean(values) for precision, values in found.items()}
        spread = max(statistics.stdev(values) for values in found.values())
        apart = abs(means["bf16"] - means["float32"])
        # Of two times three values with one mean and this deviation, means lie further apart 1 time in 20.
        noise = 2.78 * spread * (2 / len(SEEDS)) ** 0.5
        shown = ", ".join(f"{precision} {100 * mean:.1f} %" for precision, mean in means.items())
        verdict = "holds" if apart <= noise else "BROKEN"
        limit = f"(at most {100 * noise:.1f}: {verdict})"
        lines.append(f"digits, {name}, test_iid: {shown}; {100 * apart:.1f} apart {limit}")
    return lines


def _accuracies(name: str, precision: str) -> list[float]:
    return [_train(name, precision, seed) for seed in SEEDS]


def _train(name: str, precision: str, seed: int) -> float:
    plan = stage(f"colored_digits_{name}.toml", f'train.precision="{precision}"')
    trainer = Trainer(plan, seed)
    best = -1.0
    for _ in range(plan.spec.train.epochs):
        for batch in trainer.batches():
            trainer.step(batch)
        value = trainer.end_epoch()["val/accuracy"]
        if value > best:
            best, selected = value, deepcopy(trainer.state_dict())
    trainer.load_weights(selected)
    return trainer.evaluate("test_iid")["test_iid/accuracy"]
