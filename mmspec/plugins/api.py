"""What a plugin may use of mmspec: the contracts, and nothing that imports torch.

A plugin is a frozen attrs class, registered under the entry-point group `mmspec.<kind>`:

    @attrs.frozen(kw_only=True)
    class Dropout2(Fusion):
        '''One line that `mmspec plugins list` prints.'''

        p: float = option("probability of a zero", default=0.5)

        def build(self, shapes):
            from mypackage.torch_side import Dropout2Unit
            return Dropout2Unit(self.p)

Its fields are the options a spec may set, its building method makes the working object. Modules that
define plugins are imported to check specs, so they must not import torch at the top; working objects
live in modules that do. Their base classes (`Strategy`, `FusionUnit`, `StreamingMetric`, …) can be
imported from here as well: the names are looked up in `mmspec.plugins.working` on first use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from mmspec.errors import DataError, GraphError, Location, Problem, RecordError
from mmspec.plugins.around import (
    Figure,
    Groups,
    Kept,
    Launcher,
    Looks,
    RunSource,
    Tracker,
    TrackerSession,
)
from mmspec.plugins.base import DataInfo, Mistake, ModalityInfo, Outline, Plugin, Role
from mmspec.plugins.files import cache_folder, hash_files
from mmspec.plugins.options import above, at_least, below, between, one_of, option
from mmspec.plugins.recorded import Kind, LabelledArray, RecordedRow, RecordedRun, RunInfo, Status
from mmspec.plugins.tables import FeatureTable

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mmspec.plugins.working import (
        Augmentation,
        Batch,
        CenterCrop,
        Decision,
        EpochSchedule,
        Evaluation,
        FusionOutput,
        FusionUnit,
        GatedFusionUnit,
        HorizontalFlip,
        MultiModalNetwork,
        NetworkOutput,
        ObjectiveTerms,
        RandomCrop,
        RandomResizedCrop,
        RandomShift,
        SplitMetric,
        Step,
        Strategy,
        StreamingMetric,
        TrainingMetric,
        load_torchvision,
    )

__all__ = [
    "Analysis", "AnalysisResult", "ArraySource", "Augmentation", "Backbone", "Balancing", "Batch",
    "CenterCrop", "Cut", "DataError", "DataInfo", "Dataset", "Decision", "EpochSchedule", "Evaluation",
    "FeatureTable", "Figure", "Fusion", "FusionOutput", "FusionUnit", "GatedFusionUnit", "GraphError",
    "Groups", "HorizontalFlip", "Kept", "Kind", "LabelledArray", "Launcher", "Location", "Looks",
    "Metric", "Mistake", "ModalityInfo", "MultiModalNetwork", "NetworkOutput", "Objective",
    "ObjectiveTerms", "Optimizer", "Outline", "Plugin", "Problem", "RandomCrop", "RandomResizedCrop",
    "RandomShift", "RecordError", "RecordedRow", "RecordedRun", "Role", "RunInfo", "RunSource", "Sampler",
    "Schedule", "Source", "SplitMetric", "StageOutput", "Status", "Step", "Strategy", "StreamingMetric",
    "Tracker", "TrackerSession", "TrainingMetric", "above", "at_least", "below", "between",
    "cache_folder", "hash_files", "load_torchvision", "one_of", "option",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:  # but not defined here: a working object
        from mmspec.plugins import working

        return getattr(working, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ---------------------------------------------------------------- dataset


class Source(ABC):
    """One split, opened for reading: `ids`, `targets` and `groups` have one entry a sample.

    A source must survive pickling, since reading processes get their own.
    """

    ids: np.ndarray
    targets: np.ndarray
    groups: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.targets)

    @abstractmethod
    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The raw samples of one modality at `indices`: (len(indices), *raw), in the modality's dtype.

        `raw` is the modality's shape, or what the dataset's augmentations make that shape of.
        """


@attrs.define(eq=False)
class ArraySource(Source):
    """A split whose modalities are arrays (N, *shape), in memory or memory-mapped."""

    arrays: Mapping[str, np.ndarray]
    targets: np.ndarray
    ids: np.ndarray
    groups: Mapping[str, np.ndarray] = attrs.field(factory=dict)

    def read(self, modality: str, indices: np.ndarray) -> np.ndarray:
        """The rows of the modality's array."""
        rows: np.ndarray = self.arrays[modality][indices]
        return rows


class Dataset(Plugin):
    """Opens samples in their official on-disk format."""

    kind = "dataset"

    @abstractmethod
    def describe(self) -> DataInfo:
        """Modalities, classes and splits; must not read data."""

    @abstractmethod
    def open(self, modalities: Sequence[str]) -> Mapping[str, Source]:
        """One source for each split, able to read these modalities.

        Raises:
            DataError: data are missing or damaged.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes whenever a sample, target or split could have changed."""

    def write_sample(self, root: Path) -> Dataset:
        """Write a small stand-in in the official format under `root`; return the plugin that reads it.

        A dataset that needs no files returns itself.
        """
        del root
        return self

    def augmentations(self, modality: str, role: Role) -> Sequence[Augmentation]:
        """What is done to raw batches of this modality in splits of this role, in order, on the device.

        Sources may hold more than the network sees (all frames, uncropped); what comes out of the last
        transform has the shape that `describe` names. Nothing should be random but in training.
        """
        del modality, role
        return ()


class Sampler(Plugin):
    """Which training samples a step sees."""

    kind = "sampler"

    @abstractmethod
    def batches(self, source: Source, *, batch_size: int, seed: int, epoch: int) -> Sequence[np.ndarray]:
        """The positions (n,) in `source` of each batch of an epoch: the same for the same arguments.

        All epochs have equally many batches; none has more samples than `batch_size`, or none at all.

        Raises:
            DataError: the source cannot be sampled so.
        """


# ---------------------------------------------------------------- network


@attrs.frozen(eq=False)
class Cut:
    """A network cut into stages: the output of one is the input of the next, `pool` ends in (N, features)."""

    stages: Mapping[str, nn.Module]
    pool: nn.Module


class Backbone(Plugin):
    """A network for one modality, cut into named stages."""

    kind = "backbone"

    @abstractmethod
    def stage_names(self) -> tuple[str, ...]:
        """The stages in order; known without building anything."""

    @abstractmethod
    def build(self, shape: tuple[int, ...]) -> Cut:
        """The network for samples of `shape` (C, *space), freshly initialised from torch's random state.

        Sizes inside are not declared: the pass on the meta device finds them.
        """

    @property
    def is_random(self) -> bool:
        """Whether its weights before training depend on the seed; False where all of them are given."""
        return True

    def initialise(self, cut: Cut) -> Sequence[str]:
        """Fill a network that `build` made with the weights that the options name; remarks for the run's log.

        Raises:
            DataError: the weights cannot be read.
            GraphError: they are of another network.
        """
        del cut
        return ()


class Fusion(Plugin):
    """Units placed after stages, through which the branches see each other.

    Capability "gates": its units are `GatedFusionUnit`s, so their gates can be replaced by running
    averages and their squeezes by given values.
    """

    kind = "fusion"
    capabilities: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def build(self, shapes: Sequence[tuple[int, ...]]) -> FusionUnit:
        """One unit for feature maps of these shapes (C_m, *space_m), one for each modality in order."""


# ---------------------------------------------------------------- training


class Balancing(Plugin):
    """A strategy that balances how the branches learn."""

    kind = "balancing"
    #: Capabilities the fusion must have.
    requires: ClassVar[frozenset[str]] = frozenset()
    min_modalities: ClassVar[int] = 1

    @abstractmethod
    def build(self, network: MultiModalNetwork, seed: int) -> Strategy:
        """The working strategy for this network; what it draws must be keyed by `seed` and the step."""


class Objective(Plugin):
    """The loss, in named terms."""

    kind = "objective"

    @abstractmethod
    def build(self) -> ObjectiveTerms:
        """A callable (output, batch) -> {name: scalar}; one term for each modality, named like it."""


class Optimizer(Plugin):
    """A torch optimizer."""

    kind = "optimizer"

    @abstractmethod
    def build(self, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """The optimizer over groups of `params` and `lr_scale`; a group learns at lr * lr_scale."""


class Schedule(Plugin):
    """A learning-rate schedule."""

    kind = "schedule"

    @abstractmethod
    def build(self, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int) -> EpochSchedule:
        """The working schedule; ratios between groups must survive every step of it."""


class Metric(Plugin):
    """Something measured: over a split, with extra passes over a split, or during training."""

    kind = "metric"

    def epoch_metrics(self, outline: Outline) -> Iterable[str] | None:
        """What there is of it after every epoch, as `split/name`; None where that is not known beforehand.

        `select`, `train.stop` and schedules can use nothing else, and are checked against it.
        """
        del outline
        return None

    @abstractmethod
    def build(self, network: MultiModalNetwork) -> StreamingMetric | SplitMetric | TrainingMetric:
        """The working metric."""


# ---------------------------------------------------------------- analysis


@attrs.frozen(eq=False)
class StageOutput:
    """What an earlier stage has left: `values` and `arrays` by name, and its feature `table` if it has one.

    Names are those of reports: `split/name` of a stage that trained, `stage/name` of an analysis. `spec` is
    the stage's resolved spec, as plain values.
    """

    stage: str
    values: Mapping[str, float]
    arrays: Mapping[str, LabelledArray] = attrs.field(factory=dict)
    table: FeatureTable | None = None
    spec: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class AnalysisResult:
    """What an analysis comes to: `values` and `arrays` by name, recorded as `stage/name`.

    `remarks` are lines for the run's log.
    """

    values: Mapping[str, float]
    arrays: Mapping[str, LabelledArray] = attrs.field(factory=dict)
    remarks: Sequence[str] = ()


class Analysis(Plugin):
    """Works on what earlier stages have left, and trains nothing: it is deterministic.

    Whatever it draws at random is keyed by an option of its own. The same options, inputs and code give the
    same result, which may therefore be taken from another run. A run that is told to stop leaves it at any
    moment, and later begins it anew.
    """

    kind = "analysis"
    #: The names under which it reads feature tables, and those under which it reads stages of any kind.
    tables: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def analyse(self, inputs: Mapping[str, StageOutput], *, workers: int) -> AnalysisResult:
        """The result, computed by up to `workers` processes or threads, on which it must not depend.

        `inputs` has an entry for each name of `tables`, with its table, and for each of `outputs`.

        Raises:
            DataError: inputs do not fit each other, or cannot be analysed.
        """
