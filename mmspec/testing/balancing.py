"""Does a balancing strategy keep its promises?"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mmspec.engine.trainer import StepResult, Trainer
from mmspec.plugins.api import Balancing, Decision, Strategy
from mmspec.testing.claims import claim, finite, same, stored, unsynced, works
from mmspec.testing.options import check_options
from mmspec.testing.toys import toy_trainer

EPOCHS = 3
#: After how many steps training is interrupted; there are five an epoch.
INTERRUPTIONS = (1, 7, 12)


def check_balancing(plugin: Balancing, modalities: int | None = None) -> None:
    """Check a strategy by training toy networks with it, of `modalities` or of as many as it says it can."""
    check_options(plugin)
    claim(isinstance(plugin.requires, frozenset), "requires must be a frozenset of capabilities")
    unknown = plugin.requires - {"gates"}
    claim(not unknown, f"requires {sorted(unknown)}, which no fusion offers; there is 'gates'")
    counts = {plugin.min_modalities, 2, 3} if modalities is None else {modalities}
    for count in sorted(m for m in counts if m >= plugin.min_modalities):
        _check_training(partial(_trainer, plugin, count), count)


def _trainer(plugin: Balancing, modalities: int, precision: str = "float64", seed: int = 3) -> Trainer:
    fused = modalities > 1
    make = partial(toy_trainer, balancing=plugin, modalities=modalities, fused=fused)
    return works("build()", lambda: make(precision=precision, seed=seed))


def _check_training(make: Any, modalities: int) -> None:
    trainer = make()
    claim(isinstance(trainer.strategy, Strategy), "build() must give a Strategy")
    _watch(trainer.strategy, modalities)
    whole = _train(trainer, EPOCHS)
    for result in whole:
        _is_sound(result)
    claim(same(_seen(whole), _seen(_train(make(), EPOCHS))), "two runs with one seed differ")
    for result in works("training in float32", _train, make("float32"), 2):
        _is_sound(result)
    for after in INTERRUPTIONS:
        _resumes(make, whole, trainer, after)
    _evaluation_changes_nothing(trainer)


def _watch(strategy: Strategy, modalities: int) -> None:
    """Let no hook wait for the device, and look at each decision before it is carried out."""
    for name in ("decide", "loss", "after_backward", "figures"):
        setattr(strategy, name, partial(unsynced, f"{name}()", getattr(strategy, name)))
    decide = strategy.decide

    def decide_soundly(index: int, epoch: int) -> Decision:
        decision = decide(index, epoch)
        _is_decision(decision, modalities)
        return decision

    strategy.decide = decide_soundly  # type: ignore[method-assign]


def _is_decision(decision: Decision, modalities: int) -> None:
    claim(isinstance(decision, Decision), f"decide() gives {type(decision).__name__}, not a Decision")
    rebalance = decision.rebalance
    if rebalance is not None:
        claim(isinstance(rebalance, Tensor), "Decision.rebalance must be a tensor or None")
        fits = rebalance.dtype == torch.bool and rebalance.shape == (modalities,)
        given = f"{tuple(rebalance.shape)} {rebalance.dtype}"
        claim(fits, f"Decision.rebalance is {given}, not ({modalities},) bool")


def _train(trainer: Trainer, epochs: int, stop_after: int | None = None) -> list[StepResult]:
    """Train until the end of `epochs`, or until so many steps are done; results as they were then."""
    results = []
    while trainer.epoch <= epochs:
        for batch in trainer.batches():
            results.append(deepcopy(works(f"step {trainer.steps}", trainer.step, batch)))
            if trainer.steps == stop_after:
                return results
        trainer.end_epoch()
    return results


def _is_sound(result: StepResult) -> None:
    claim(result.loss.ndim == 0, f"loss() gives {tuple(result.loss.shape)}, not a scalar")
    claim(finite([result.loss]), "loss() gives NaN or infinity")
    for name, figure in result.figures.items():
        claim(isinstance(figure, Tensor), f"figure {name!r} is {type(figure).__name__}, not a tensor")
        claim(figure.ndim == 0, f"figure {name!r} is {tuple(figure.shape)}, not a scalar")
        claim(not figure.requires_grad, f"figure {name!r} still has a gradient: detach it")


def _seen(results: list[StepResult]) -> list[Any]:
    """All that shows how a training went."""
    return [(r.loss, dict(r.terms), dict(r.figures), r.decision.rebalance) for r in results]


def _resumes(make: Any, whole: list[StepResult], ended: Trainer, after: int) -> None:
    """Interrupted after some steps and gone on with from its state, a training ends with the same bits."""
    first = make()
    _train(first, EPOCHS, stop_after=after)
    state = stored(first.state_dict())
    resumed = make()
    works("load_state_dict()", resumed.load_state_dict, state)
    rest = _train(resumed, EPOCHS)
    for step, (now, then) in enumerate(zip(_seen(rest), _seen(whole[after:]), strict=True), start=after):
        for what, a, b in zip(("loss", "terms", "figures", "decision"), now, then, strict=True):
            claim(
                same(a, b),
                f"interrupted after step {after}, the {what} of step {step} is another: all that changes "
                "during training must be in the strategy's state_dict",
            )
    alike = same(resumed.network.state_dict(), ended.network.state_dict())
    claim(alike, f"interrupted after step {after}, the network ends with other weights")


def _evaluation_changes_nothing(trainer: Trainer) -> None:
    before = {name: tensor.clone() for name, tensor in trainer.strategy.state_dict().items()}
    _is_decision(
        works("evaluation_decision()", trainer.strategy.evaluation_decision), len(trainer.network.modalities)
    )
    trainer.evaluate("val")
    claim(same(before, trainer.strategy.state_dict()), "evaluating changes the strategy's state")
