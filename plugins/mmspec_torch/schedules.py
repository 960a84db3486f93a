"""Learning-rate schedules. Each scales all groups alike, so ratios between groups never change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from mmspec.plugins.api import Schedule, above, at_least, between, option
from mmspec_torch.options import rising, share

if TYPE_CHECKING:
    import torch

    from mmspec.plugins.api import EpochSchedule


@attrs.frozen(kw_only=True)
class Constant(Schedule):
    """The optimizer's learning rate, unchanged."""

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """A schedule that does nothing."""
        from mmspec_torch.schedulers import ConstantSchedule

        del optimizer, epochs, steps_per_epoch
        return ConstantSchedule()


@attrs.frozen(kw_only=True)
class Step(Schedule):
    """The learning rate times `gamma` after every `step_size` epochs."""

    step_size: int = option("epochs between two changes", validator=at_least(1))
    gamma: float = option("what the learning rate is multiplied by", default=0.1, validator=above(0))

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's StepLR, moved by epoch."""
        from mmspec_torch.schedulers import EachEpoch, lr_scheduler

        del epochs, steps_per_epoch
        return EachEpoch(lr_scheduler.StepLR(optimizer, self.step_size, self.gamma))


@attrs.frozen(kw_only=True)
class MultiStep(Schedule):
    """The learning rate times `gamma` after each of the `milestones`."""

    milestones: tuple[int, ...] = option(
        "epochs after which the learning rate changes, rising", validator=rising
    )
    gamma: float = option("what the learning rate is multiplied by", default=0.1, validator=above(0))

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's MultiStepLR, moved by epoch."""
        from mmspec_torch.schedulers import EachEpoch, lr_scheduler

        del epochs, steps_per_epoch
        return EachEpoch(lr_scheduler.MultiStepLR(optimizer, self.milestones, self.gamma))


@attrs.frozen(kw_only=True)
class Exponential(Schedule):
    """The learning rate times `gamma` after every epoch."""

    gamma: float = option("what the learning rate is multiplied by", validator=above(0))

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's ExponentialLR, moved by epoch."""
        from mmspec_torch.schedulers import EachEpoch, lr_scheduler

        del epochs, steps_per_epoch
        return EachEpoch(lr_scheduler.ExponentialLR(optimizer, self.gamma))


@attrs.frozen(kw_only=True)
class Cosine(Schedule):
    """Down along half a cosine, step by step, over the whole training; linear warm-up if asked for."""

    warmup_epochs: int = option(
        "epochs in which the learning rate rises to its full value", default=0, validator=at_least(0)
    )
    final: float = option(
        "where it ends, as a share of the full learning rate", default=0.0, validator=between(0, 1)
    )

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's LambdaLR, by step."""
        from mmspec_torch.schedulers import EachStep, lr_scheduler, warm_cosine

        warmup, total = self.warmup_epochs * steps_per_epoch, epochs * steps_per_epoch
        factor = warm_cosine(warmup, total, self.final)
        return EachStep(lr_scheduler.LambdaLR(optimizer, factor))


@attrs.frozen(kw_only=True)
class OneCycle(Schedule):
    """One cycle (Smith and Topin 2018): up to the optimizer's learning rate, then far below it."""

    pct_start: float = option("share of the steps in which it rises", default=0.3, validator=share)
    div_factor: float = option(
        "it begins at the full learning rate divided by this", default=25.0, validator=above(0)
    )
    final_div_factor: float = option(
        "it ends at its beginning divided by this", default=1e4, validator=above(0)
    )
    anneal: Literal["cos", "linear"] = option("the shape of both ways", default="cos")

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's OneCycleLR, by step."""
        from mmspec_torch.schedulers import EachStep, lr_scheduler

        scheduler = lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=epochs * steps_per_epoch + 1,  # torch steps once more than there are gaps between
            pct_start=self.pct_start,
            anneal_strategy=self.anneal,
            cycle_momentum=False,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
        )
        return EachStep(scheduler)


@attrs.frozen(kw_only=True)
class ReduceOnPlateau(Schedule):
    """The learning rate times `factor` whenever a metric has not become better for `patience` epochs."""

    monitor: str = option("the metric, e.g. train/loss, val/loss or val/accuracy", default="train/loss")
    mode: Literal["min", "max"] = option("whether smaller or larger is better", default="min")
    factor: float = option("what the learning rate is multiplied by", default=0.1, validator=share)
    patience: int = option(
        "epochs without a better value that are let pass", default=10, validator=at_least(0)
    )
    threshold: float = option("how much better counts", default=1e-4, validator=at_least(0))
    threshold_mode: Literal["rel", "abs"] = option(
        "whether threshold is relative to the best value", default="rel"
    )
    cooldown: int = option("epochs after a change in which none is counted", default=0, validator=at_least(0))
    min_lr: float = option(
        "the learning rate of groups of scale 1 ends here", default=0.0, validator=at_least(0)
    )

    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """By torch's ReduceLROnPlateau, by epoch."""
        from mmspec_torch.schedulers import Plateau, lr_scheduler

        del epochs, steps_per_epoch
        scheduler = lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode=self.mode,
            factor=self.factor,
            patience=self.patience,
            threshold=self.threshold,
            threshold_mode=self.threshold_mode,
            cooldown=self.cooldown,
            min_lr=[self.min_lr * group.get("lr_scale", 1.0) for group in optimizer.param_groups],
            eps=0.0,  # a smallest change would hold back groups of small scale
        )
        return Plateau(scheduler, self.monitor)
