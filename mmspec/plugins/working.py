"""The working objects that plugins make: the torch side of `mmspec.plugins.api`.

Everything that changes during training lives in the `state_dict` of these objects (register it as a
buffer, parameter or submodule), so a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import attrs
import torch
from torch import Tensor, nn

from mmspec.plugins._torchvision import load_torchvision
from mmspec.plugins.augment import (
    Augmentation,
    CenterCrop,
    HorizontalFlip,
    RandomCrop,
    RandomResizedCrop,
    RandomShift,
)
from mmspec.plugins.recorded import LabelledArray

__all__ = [
    "Augmentation", "Batch", "CenterCrop", "Decision", "EpochSchedule", "Evaluation", "FusionOutput",
    "FusionUnit", "GatedFusionUnit", "HorizontalFlip", "MultiModalNetwork", "NetworkOutput", "ObjectiveTerms",
    "RandomCrop", "RandomResizedCrop", "RandomShift", "SplitMetric", "Step", "Strategy", "StreamingMetric",
    "TrainingMetric", "load_torchvision",
]  # fmt: skip

T = TypeVar("T")


@attrs.frozen(eq=False)
class Batch:
    """Samples on the device: `inputs` {modality: (N, C, *space)}, `target` (N,), `index` (N,) in the split.

    `groups` {grouping: (N,) int64} number the groups of each of the dataset's groupings from 0, the same in
    all splits, in the order of their sorted names, which are `group_names`. `tables` {name: (N, D)} are the
    rows of these samples in the feature tables that the stage reads, in the dtype of the inputs.
    """

    inputs: Mapping[str, Tensor]
    target: Tensor
    index: Tensor
    groups: Mapping[str, Tensor] = attrs.field(factory=dict)
    group_names: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    tables: Mapping[str, Tensor] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self.target)


@attrs.frozen(eq=False)
class Decision:
    """What a strategy wants of the next forward.

    `rebalance` (M,) bool, on the device: the modalities whose gates are replaced, in every fusion unit, by
    their running averages. None: a regular step. A tensor, so that deciding never waits for the device.
    """

    rebalance: Tensor | None = None


# ---------------------------------------------------------------- network


@attrs.frozen(eq=False)
class FusionOutput:
    """Feature maps after a fusion unit and, where it squeezes, the squeezes (N, C_m) that it saw."""

    features: Sequence[Tensor]
    squeezes: Sequence[Tensor] = ()


class FusionUnit(nn.Module, ABC):
    """One fusion unit. `forward(features)` takes and gives one feature map (N, C_m, *space_m) a modality."""

    @abstractmethod
    def feeding(self, modality: int) -> list[nn.Parameter]:
        """The parameters through which this unit feeds the modality at this position."""


class GatedFusionUnit(FusionUnit):
    """A fusion unit with gates (capability "gates").

    `forward(features, rebalance=None, squeezes=None)`: `rebalance` as in `Decision`; `squeezes`, one entry a
    modality, replaces the squeeze of a modality by a given (C_m,) where it is not None. Then nothing but that
    modality's own output depends on its feature map, of which there may be one position, (N, C_m, 1, …, 1).
    """


@attrs.frozen(eq=False)
class NetworkOutput:
    """What a forward gives, by modality: pooled `features` (N, F_m) and `logits` (N, K).

    `prediction` (N, K) is the mean of the branches' logits, `squeezes` {unit: ((N, C_m), …)}.
    """

    features: Mapping[str, Tensor]
    logits: Mapping[str, Tensor]
    prediction: Tensor
    squeezes: Mapping[str, Sequence[Tensor]] = attrs.field(factory=dict)


class MultiModalNetwork(Protocol):
    """What strategies and metrics see of the network that the engine built."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The branches' names, in order."""

    @property
    def classes(self) -> int:
        """K, the number of logits."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the dataset calls its K classes, in order."""

    @property
    def feature_sizes(self) -> Mapping[str, int]:
        """F_m, the width of each branch's pooled features."""

    @property
    def units(self) -> Mapping[str, FusionUnit]:
        """The fusion units by name, in the order in which they run."""

    def branch_parameters(self, modality: str) -> list[nn.Parameter]:
        """θ_m: the branch's own parameters, its classifier included."""

    def fusion_parameters(self, modality: str) -> list[nn.Parameter]:
        """θ'_m: the fusion parameters that feed this branch, over all units."""


# ---------------------------------------------------------------- training


@attrs.define(eq=False)
class Step:
    """One training step as its hooks see it; filled in as the step goes on.

    `index` counts steps from 0 over the whole stage, `epoch` counts from 1.
    """

    index: int
    epoch: int
    batch: Batch
    decision: Decision
    output: NetworkOutput
    terms: Mapping[str, Tensor] = attrs.field(factory=dict)
    loss: Tensor | None = None
    _memo: dict[Hashable, Any] = attrs.field(factory=dict, init=False, repr=False)

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """`compute()`, shared within this step by all who ask for the same `what`."""
        if what not in self._memo:
            self._memo[what] = compute()
        value: T = self._memo[what]
        return value


class Strategy(nn.Module):
    """A balancing strategy at work; override the hooks that matter.

    The order in a step: `decide`, forward, `loss`, backward, `after_backward`, optimizer step.
    """

    def decide(self, index: int, epoch: int) -> Decision:
        """What the forward of step `index` (from 0) in `epoch` (from 1) should do."""
        del index, epoch
        return Decision()

    def loss(self, step: Step) -> Tensor:
        """The scalar that is differentiated: by default the sum of the objective's terms.

        Asked in evaluation as well, for the loss of a split, with the step that would be next: it changes
        nothing that a later step depends on.
        """
        return torch.stack(list(step.terms.values())).sum()

    def after_backward(self, step: Step) -> None:
        """Look at the gradients; they are there, the optimizer has not used them."""

    def evaluation_decision(self) -> Decision:
        """What forwards in evaluation should do: nothing special, unless a published slip is reproduced."""
        return Decision()

    def figures(self) -> Mapping[str, Tensor]:
        """Scalars to log beside the loss, on the device."""
        return {}


class ObjectiveTerms(Protocol):
    """A loss at work."""

    def __call__(self, output: NetworkOutput, batch: Batch) -> Mapping[str, Tensor]:
        """Named scalar terms; the strategy makes the loss of them."""


class EpochSchedule(Protocol):
    """A learning-rate schedule at work."""

    def after_step(self) -> None:
        """Called after every optimizer step."""

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Called after every epoch with its metrics (`train/loss`, `val/accuracy`, …)."""

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""


# ---------------------------------------------------------------- metrics


class StreamingMetric(nn.Module, ABC):
    """Counts over batches, computed once over the whole split. Counters are buffers; `update` never syncs.

    A `final` one counts only after training, over each split with the selected weights; the others also over
    the training batches and after each epoch. Arrays are asked for after training alone.
    """

    final: ClassVar[bool] = False

    @abstractmethod
    def update(self, output: NetworkOutput, batch: Batch) -> None:
        """Take in a batch."""

    @abstractmethod
    def compute(self) -> Mapping[str, float]:
        """Values by name, over all batches since `reset`."""

    def arrays(self) -> Mapping[str, LabelledArray]:
        """Arrays by name (a confusion matrix), over all batches since `reset`, on the CPU."""
        return {}

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""


class Evaluation(Protocol):
    """Passes over splits of the trained network, in evaluation mode and without gradients."""

    @property
    def network(self) -> MultiModalNetwork:
        """The trained network."""

    @property
    def train_split(self) -> str:
        """The name of the training split."""

    def passes(
        self, split: str, squeezes: Mapping[str, Sequence[Tensor | None]] | None = None
    ) -> Iterator[tuple[NetworkOutput, Batch]]:
        """One pass over a whole split, in order; `squeezes` {unit: one a modality} replaces squeezes."""

    def squeezes(self, split: str) -> Iterator[tuple[Mapping[str, Sequence[Tensor]], Batch]]:
        """One pass in which only {unit: squeezes (N, C_m)} are wanted: it may end at the last unit."""

    def isolated(
        self, split: str, squeezes: Mapping[str, Sequence[Tensor]]
    ) -> Iterator[tuple[NetworkOutput, Mapping[str, Tensor], Batch]]:
        """One pass with the outputs and, beside them, what each branch says alone.

        {m: logits (N, K)} of branch m while the squeezes of all other modalities are held at `squeezes`,
        {unit: (C_m,) a modality}. Costs little more than the outputs: what is shared is computed once.
        """

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """`compute()`, shared by all metrics and splits of this evaluation."""


class SplitMetric(ABC):
    """Measured after training, on the selected checkpoint, with passes of its own.

    Its passes over a split serve the streaming metrics as well.
    """

    @abstractmethod
    def measure(self, evaluation: Evaluation, split: str) -> Mapping[str, float]:
        """Values by name for one split."""


class TrainingMetric(nn.Module):
    """Measured during training; all that it gathers is buffers."""

    def after_backward(self, step: Step) -> None:
        """Look at the gradients, after the strategy has."""

    def figures(self) -> Mapping[str, Tensor]:
        """Scalars by name, on the device; logged every `log_every` steps and at the end of each epoch."""
        return {}
