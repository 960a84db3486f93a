"""torch's usual optimizers, with torch's defaults; the learning rate is always the spec's to say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from mmspec.plugins.api import Mistake, Optimizer, Outline, above, at_least, below, option
from mmspec_torch.options import two_decays

if TYPE_CHECKING:
    import torch


@attrs.frozen(kw_only=True)
class TorchOptimizer(Optimizer):
    """An optimizer of torch; a group's learning rate is `lr` times its `lr_scale`."""

    lr: float = option("learning rate of groups of scale 1", validator=at_least(0))
    weight_decay: float = option("weight decay", default=0.0, validator=at_least(0))

    @abstractmethod
    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """The class of torch whose arguments are this plugin's options."""

    def build(self, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer over `groups`."""
        scaled = [{**group, "lr": self.lr * group.get("lr_scale", 1.0)} for group in groups]
        make: Any = self.optimizer_class()
        optimizer: torch.optim.Optimizer = make(scaled, **attrs.asdict(self))
        return optimizer


@attrs.frozen(kw_only=True)
class Sgd(TorchOptimizer):
    """Stochastic gradient descent, with momentum if asked for."""

    momentum: float = option("momentum", default=0.0, validator=at_least(0))
    dampening: float = option("dampening of the momentum", default=0.0, validator=at_least(0))
    nesterov: bool = option("Nesterov's momentum; needs momentum and no dampening", default=False)

    def mistakes(self, outline: Outline) -> Iterable[Mistake]:
        """Nesterov's momentum needs a momentum."""
        del outline
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            yield Mistake("needs momentum above 0 and dampening = 0", option="nesterov")

    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """torch.optim.SGD."""
        from torch.optim import SGD

        return SGD


@attrs.frozen(kw_only=True)
class Adam(TorchOptimizer):
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

    betas: tuple[float, ...] = option(
        "decay of the averages of gradient and squared gradient", default=(0.9, 0.999), validator=two_decays
    )
    eps: float = option("added to the denominator", default=1e-8, validator=at_least(0))
    amsgrad: bool = option("the AMSGrad variant", default=False)

    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """torch.optim.Adam."""
        from torch.optim import Adam

        return Adam


@attrs.frozen(kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    weight_decay: float = option("decoupled weight decay", default=0.01, validator=at_least(0))

    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """torch.optim.AdamW."""
        from torch.optim import AdamW

        return AdamW


@attrs.frozen(kw_only=True)
class RmsProp(TorchOptimizer):
    """RMSprop (Hinton 2012)."""

    alpha: float = option("decay of the average of squared gradients", default=0.99, validator=below(0, 1))
    eps: float = option("added to the denominator", default=1e-8, validator=above(0))
    momentum: float = option("momentum", default=0.0, validator=at_least(0))
    centered: bool = option("normalise by the variance instead of the second moment", default=False)

    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """torch.optim.RMSprop."""
        from torch.optim import RMSprop

        return RMSprop


@attrs.frozen(kw_only=True)
class Adagrad(TorchOptimizer):
    """Adagrad (Duchi et al. 2011)."""

    lr_decay: float = option("decay of the learning rate with each step", default=0.0, validator=at_least(0))
    initial_accumulator_value: float = option(
        "where sums of squares start", default=0.0, validator=at_least(0)
    )
    eps: float = option("added to the denominator", default=1e-10, validator=above(0))

    def optimizer_class(self) -> type[torch.optim.Optimizer]:
        """torch.optim.Adagrad."""
        from torch.optim import Adagrad

        return Adagrad
