"""Does a metric keep its promises?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import attrs
import torch

from mmspec.engine.trainer import Trainer
from mmspec.plugins.api import (
    Batch,
    Metric,
    MultiModalNetwork,
    NetworkOutput,
    SplitMetric,
    StreamingMetric,
    TrainingMetric,
)
from mmspec.testing.arrays import alike, check_arrays
from mmspec.testing.claims import claim, same, stored, unsynced, works
from mmspec.testing.options import check_options
from mmspec.testing.toys import toy_trainer

Seen = list[tuple[NetworkOutput, Batch]]


def check_metric(
    plugin: Metric,
    modalities: int = 2,
    *,
    groups: Sequence[str] = ("object",),
    tables: Sequence[str] = ("target",),
) -> None:
    """Check a metric on a toy network of so many modalities, whose units have gates.

    Batches have these groups, and rows of feature tables under these names.
    """
    check_options(plugin)
    make = partial(toy_trainer, modalities=modalities, fused=modalities > 1, groups=groups, tables=tables)
    plain, measured = make(), make(metrics={"it": plugin})
    working = works("build()", plugin.build, plain.network)
    kinds = (StreamingMetric, SplitMetric, TrainingMetric)
    claim(
        sum(isinstance(working, kind) for kind in kinds) == 1,
        f"build() gives {type(working).__name__}, not one of {', '.join(kind.__name__ for kind in kinds)}",
    )
    _train(plain, 12)
    _train(measured, 12)
    unmoved = same(plain.network.state_dict(), measured.network.state_dict())
    claim(unmoved, "measuring changes what the network learns")
    if isinstance(working, StreamingMetric):
        _check_streaming(working, plugin.build(plain.network), plain)
    elif isinstance(working, SplitMetric):
        _check_split(measured)
    else:
        _check_training(plugin, make)


def _train(trainer: Trainer, until: int) -> None:
    while trainer.steps < until:
        for batch in trainer.batches():
            works(f"step {trainer.steps}", trainer.step, batch)
            if trainer.steps == until:
                return
        trainer.end_epoch()


def _are_numbers(values: Mapping[str, float], what: str) -> None:
    claim(isinstance(values, Mapping) and values, f"{what} must give values by name")
    for name, value in values.items():
        claim(isinstance(name, str) and name, f"{what}: {name!r} is no name")
        claim(isinstance(value, float), f"{what}: {name!r} is {type(value).__name__}, not a float")


def _outputs(trainer: Trainer, sizes: Iterable[int]) -> Seen:
    """The network's outputs over the validation split, in batches of these sizes."""
    seen: Seen = []
    first, batches = 0, list(trainer.loaders["val"].ordered())
    for size in sizes:
        batch = _part(batches, slice(first, first + size))
        with torch.no_grad():
            seen.append((trainer.network.eval()(batch.inputs), batch))
        first += size
    return seen


def _part(batches: Sequence[Batch], chosen: slice) -> Batch:
    """Some of the samples of several batches, as one batch."""

    def joined(parts: Iterable[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(parts))[chosen]

    one = batches[0]
    return Batch(
        {m: joined(b.inputs[m] for b in batches) for m in one.inputs},
        joined(b.target for b in batches),
        joined(b.index for b in batches),
        {g: joined(b.groups[g] for b in batches) for g in one.groups},
        one.group_names,
        {t: joined(b.tables[t] for b in batches) for t in one.tables},
    )


def _check_streaming(metric: StreamingMetric, other: object, trainer: Trainer) -> None:
    assert isinstance(other, StreamingMetric)
    pieces, halves = _outputs(trainer, [4, 4, 4, 4, 2]), _outputs(trainer, [9, 9])
    metric.reset()
    for output, batch in pieces:
        works("update()", unsynced, "update()", metric.update, output, batch)
    values, arrays = works("compute()", metric.compute), works("arrays()", metric.arrays)
    if not arrays:
        _are_numbers(values, "compute()")
    check_arrays("arrays()", arrays)
    claim(same(dict(values), dict(metric.compute())), "compute() gives other values when asked twice")
    works("load_state_dict()", other.load_state_dict, metric.state_dict())
    kept = same(dict(values), dict(other.compute())) and alike(arrays, other.arrays(), exactly=False)
    claim(kept, "what was counted is not in the state_dict: counters must be buffers")
    metric.reset()
    for output, batch in reversed(halves):
        metric.update(output, batch)
    again = metric.compute()
    close = values.keys() == again.keys() and all(
        torch.isclose(torch.tensor(values[k]), torch.tensor(again[k]), equal_nan=True) for k in values
    )
    claim(
        close,
        f"cut into other batches, a split gives {dict(again)}, not {dict(values)}; or reset() keeps some",
    )
    claim(
        alike(arrays, metric.arrays(), exactly=False),
        "cut into other batches, a split leaves other arrays; or reset() keeps some",
    )


def _check_split(trainer: Trainer) -> None:
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    for split in ("val", "train"):
        values = works(f"measure(…, {split!r})", trainer.measure, (split,))
        _are_numbers(values, "measure()")
        again = trainer.measure((split,))
        claim(same(values, again), f"measure() on {split!r} gives other values when asked twice")
    claim(same(before, trainer.network.state_dict()), "measuring changes the network")


@attrs.frozen(kw_only=True)
class _Watched(Metric):
    """A metric, kept at hand, whose hook may not wait for the device."""

    metric: Metric
    built: list[TrainingMetric] = attrs.field(factory=list)

    def build(self, network: MultiModalNetwork) -> TrainingMetric:
        """The metric's own working object."""
        working = self.metric.build(network)
        assert isinstance(working, TrainingMetric)
        hook = partial(unsynced, "after_backward()", working.after_backward)
        working.after_backward = hook  # type: ignore[method-assign]
        self.built.append(working)
        return working


def _check_training(plugin: Metric, make: partial[Trainer]) -> None:
    watched = _Watched(metric=plugin)
    make = partial(make, metrics={"it": watched})
    whole, first, resumed = make(), make(), make()
    _train(whole, 12)
    _train(first, 7)
    works("load_state_dict()", resumed.load_state_dict, stored(first.state_dict()))
    _train(resumed, 12)
    before, _, after = (dict(works("figures()", metric.figures)) for metric in watched.built)
    claim(before, "figures() is empty after training")
    for name, figure in before.items():
        claim(isinstance(figure, torch.Tensor), f"figure {name!r} is {type(figure).__name__}, not a tensor")
        claim(figure.ndim == 0, f"figure {name!r} is {tuple(figure.shape)}, not a scalar")
    claim(
        same(before, after),
        "interrupted after 7 steps and gone on with, figures are others: what is gathered must be buffers",
    )
