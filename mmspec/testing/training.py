"""Do objectives, optimizers and schedules keep their promises?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmspec.plugins.api import Batch, EpochSchedule, NetworkOutput, Objective, Optimizer, Schedule
from mmspec.testing.claims import claim, finite, same, stored, unsynced, works
from mmspec.testing.options import check_options

SCALES = (1.0, 0.5)
EPOCHS, STEPS = 4, 3


def check_objective(
    plugin: Objective,
    modalities: tuple[str, ...] = ("one", "two"),
    *,
    groups: Sequence[str] = ("object",),
    tables: Sequence[str] = ("target",),
) -> None:
    """Check an objective on random logits of three classes.

    The batch has these groups, four of three samples each, and rows of feature tables under these names.
    """
    check_options(plugin)
    objective = works("build()", plugin.build)
    for dtype in (torch.float32, torch.float64):
        logits = {m: torch.randn(_SAMPLES, 3, dtype=dtype, requires_grad=True) for m in modalities}
        output = NetworkOutput(logits, logits, torch.stack(list(logits.values())).mean(0))
        batch = _batch(groups, tables, dtype)
        terms = works("the objective", unsynced, "the objective", objective, output, batch)
        missing = set(modalities) - set(terms)
        claim(not missing, f"there is no term for {sorted(missing)}; each modality needs one of its name")
        for name, term in terms.items():
            claim(term.ndim == 0, f"term {name!r} is {tuple(term.shape)}, not a scalar")
            claim(term.dtype == dtype, f"term {name!r} of {dtype} logits is {term.dtype}")
        claim(finite(terms.values()), "a term is NaN or infinite")
        claim(same(dict(terms), dict(objective(output, batch))), "the same batch gives other terms")
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        idle = [m for m, x in logits.items() if x.grad is None or not x.grad.any()]
        claim(not idle, f"no gradient reaches the logits of {idle}")


_SAMPLES, _GROUPS = 12, 4


def _batch(groups: Sequence[str], tables: Sequence[str], dtype: torch.dtype) -> Batch:
    """What an objective may look at beside outputs."""
    names = tuple(f"group {number}" for number in range(_GROUPS))
    return Batch(
        {},
        torch.arange(_SAMPLES) % 3,
        torch.arange(_SAMPLES),
        dict.fromkeys(groups, torch.arange(_SAMPLES) % _GROUPS),
        dict.fromkeys(groups, names),
        {name: torch.randn(_SAMPLES, 5, dtype=dtype) for name in tables},
    )


def check_optimizer(plugin: Optimizer) -> None:
    """Check an optimizer on two groups of parameters, of scale 1 and 0.5."""
    check_options(plugin)
    parameters, optimizer = _optimizer(plugin)
    claim(isinstance(optimizer, torch.optim.Optimizer), "build() must give an optimizer of torch")
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    given = [id(p) for p in parameters]
    claim(sorted(held) == sorted(given), "the optimizer does not hold every parameter once")
    rates = _rates(optimizer)
    fits = len(rates) == 2 and math.isclose(rates[1], rates[0] * SCALES[1])
    claim(fits, f"groups of scale {SCALES} have learning rates {rates}; lr of a group is lr * lr_scale")
    start = [p.detach().clone() for p in parameters]
    _steps(parameters, optimizer, 3)
    state, middle = stored(optimizer.state_dict()), [p.detach().clone() for p in parameters]
    claim(finite(middle), "a step gives NaN or infinity")
    claim(not any(map(torch.equal, start, middle)), "a step leaves parameters as they are")
    others, resumed = _optimizer(plugin, middle)
    works("load_state_dict()", resumed.load_state_dict, state)
    _steps(parameters, optimizer, 3)
    _steps(others, resumed, 3)
    alike = same([p.detach() for p in parameters], [p.detach() for p in others])
    claim(alike, "gone on with from its state_dict, the optimizer takes other steps")


def _optimizer(
    plugin: Optimizer, values: list[Tensor] | None = None
) -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
    values = values or [torch.linspace(1, 2, 6, dtype=torch.float64).view(2, 3) for _ in SCALES]
    parameters = [nn.Parameter(value.clone()) for value in values]
    groups = [{"params": [p], "lr_scale": scale} for p, scale in zip(parameters, SCALES, strict=True)]
    return parameters, works("build(groups)", plugin.build, groups)


def _steps(parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        sum(p.square().sum() for p in parameters).backward()  # type: ignore[union-attr]
        optimizer.step()


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def check_schedule(plugin: Schedule) -> None:
    """Check a schedule over a few epochs on two groups of learning rates 0.1 and 0.05."""
    check_options(plugin)
    whole = _follow(*_schedule(plugin), start=0)
    for step, rates in enumerate(whole):
        sound = all(math.isfinite(rate) and rate >= 0 for rate in rates)
        claim(sound, f"after step {step} learning rates are {rates}")
        kept = math.isclose(rates[1], rates[0] * SCALES[1], rel_tol=1e-9, abs_tol=1e-15)
        claim(kept, f"after step {step} learning rates are {rates}: the ratio between groups was {SCALES}")
    for after in range(1, EPOCHS):
        optimizer, schedule = _schedule(plugin)
        _follow(optimizer, schedule, start=0, end=after)
        state = stored(works("state_dict()", schedule.state_dict))
        claim(isinstance(state, dict), f"state_dict() gives {type(state).__name__}, not a dict")
        resumed_optimizer, resumed = _schedule(plugin)
        resumed_optimizer.load_state_dict(stored(optimizer.state_dict()))
        works("load_state_dict()", resumed.load_state_dict, state)
        rest = _follow(resumed_optimizer, resumed, start=after)
        wanted = whole[after * STEPS :]
        claim(rest == wanted, f"gone on with after epoch {after}, learning rates are {rest}, not {wanted}")


def _schedule(plugin: Schedule) -> tuple[torch.optim.Optimizer, EpochSchedule]:
    groups: list[dict[str, Any]] = [
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.1 * scale} for scale in SCALES
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    return optimizer, works("build()", lambda: plugin.build(optimizer, epochs=EPOCHS, steps_per_epoch=STEPS))


def _follow(
    optimizer: torch.optim.Optimizer, schedule: EpochSchedule, *, start: int, end: int = EPOCHS
) -> list[list[float]]:
    """The learning rates after each step of these epochs; the loss comes down, then stays."""
    rates = []
    for epoch in range(start, end):
        for _ in range(STEPS):
            optimizer.step()
            works("after_step()", schedule.after_step)
            rates.append(_rates(optimizer))
        loss = max(0.5, 1.0 - epoch / 2)
        values = {f"{split}/loss": loss for split in ("train", "val")}
        values |= {f"{split}/accuracy": 1 - loss for split in ("train", "val")}
        works("after_epoch(metrics)", schedule.after_epoch, values)
    return rates
