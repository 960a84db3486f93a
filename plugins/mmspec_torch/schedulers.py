"""torch's schedulers behind the two calls that mmspec makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from torch.optim import lr_scheduler

from mmspec.plugins.api import GraphError

__all__ = ["ConstantSchedule", "EachEpoch", "EachStep", "Plateau", "lr_scheduler", "warm_cosine"]


def warm_cosine(warmup: int, total: int, final: float) -> Callable[[int], float]:
    """The factor at step i (from 0): a linear rise over `warmup` steps, then half a cosine to `final`.

    The rise begins at 1/warmup; `final` is reached at step `total`, behind the last.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, total - warmup))
        return final + (1 - final) * (1 + math.cos(math.pi * done)) / 2

    return factor


class ConstantSchedule:
    """Leaves the learning rate alone."""

    def after_step(self) -> None:
        """Nothing."""

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


@attrs.frozen(eq=False)
class _Wrapped:
    scheduler: Any

    def after_step(self) -> None:
        """Nothing, unless the schedule goes by steps."""

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Nothing, unless the schedule goes by epochs."""

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's own."""
        state: dict[str, Any] = self.scheduler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.scheduler.load_state_dict(state)


class EachStep(_Wrapped):
    """A scheduler that moves after every step."""

    def after_step(self) -> None:
        """On to the next step."""
        self.scheduler.step()


class EachEpoch(_Wrapped):
    """A scheduler that moves after every epoch."""

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """On to the next epoch."""
        del metrics
        self.scheduler.step()


@attrs.frozen(eq=False)
class Plateau(_Wrapped):
    """A scheduler that looks at the metric `monitor` after every epoch."""

    monitor: str

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Look at the metric.

        Raises:
            GraphError: there is no such metric.
        """
        if self.monitor not in metrics:
            what = f"schedule.monitor: there is no metric {self.monitor} after an epoch"
            raise GraphError(what, hint=f"there are: {', '.join(sorted(metrics))}")
        self.scheduler.step(metrics[self.monitor])
