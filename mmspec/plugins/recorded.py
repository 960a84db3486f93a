"""Runs as they were recorded, wherever that is: what trackers are told, and what reports and figures read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["step", "epoch"]
Status = Literal["finished", "running", "failed", "unfinished"]
#: What a stage does. One that measures has a network as one that trains has, and trains it for no epoch.
StageKind = Literal["trains", "measures", "extracts", "analyses"]


@attrs.frozen(kw_only=True)
class RunInfo:
    """A run as a tracker is told of it: everything that a report will ask of it but what comes out.

    `config` is the resolved spec, `identity` and `provenance` are what stands in the files of these names
    in its run directory. `label` tells the run from its siblings, but for the seed.
    """

    experiment: str
    run_id: str
    label: str
    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any]


@attrs.frozen
class RecordedRow:
    """Metrics at one moment: `step` counts the optimizer steps done in the stage, `epoch` counts from 1."""

    kind: Kind
    stage: str
    step: int
    epoch: int
    values: Mapping[str, float]


@attrs.frozen(eq=False)
class LabelledArray:
    """An array that a metric or analysis leaves (a confusion matrix): its axes, outermost first, and entries.

    `values` has the shape (len(entries[0]), len(entries[1]), …); axis i is called `axes[i]`. `classes` may
    say of the entries along each axis which class they are of (objects of categories): pictures draw borders
    between classes.
    """

    values: np.ndarray
    axes: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    classes: tuple[tuple[str, ...], ...] = ()


def kind_of_stage(stage: Mapping[str, Any]) -> StageKind:
    """What a stage does, by its resolved spec."""
    if stage.get("analysis"):
        return "analyses"
    if stage.get("extract"):
        return "extracts"
    train = stage.get("train")
    return "measures" if isinstance(train, Mapping) and train.get("epochs") == 0 else "trains"


def main_stage_of(stages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of resolved stages the one that a run is known by: the last that trains or measures.

    Where none does, it is the last that extracts from a network, else the last that extracts, else the last.
    """

    def weight(stage: Mapping[str, Any]) -> int:
        kind = kind_of_stage(stage)
        return {"analyses": 0, "extracts": 1 + bool(stage.get("modalities"))}.get(kind, 3)

    return max(reversed(stages), key=weight)


@attrs.frozen
class ValuePlace:
    """Where a value of a run was made: the stage, the split (None: by an analysis), its name there."""

    stage: str
    split: str | None
    name: str


@attrs.frozen(eq=False, slots=False)
class RecordedRun(ABC):
    """One run, as far as it has come.

    `spec` is the resolved spec, `identity` says what the run depends on, `result` how it ended: None unless
    it is finished.
    """

    status: Status
    spec: Mapping[str, Any]
    identity: Mapping[str, Any]
    result: Mapping[str, Any] | None

    @property
    def id(self) -> str:
        """The run's id: a hash of spec, code and data behind a readable name."""
        return str(self.identity["id"])

    @property
    def is_smoke(self) -> bool:
        """Whether it is a smoke run, on stand-ins: its numbers mean nothing."""
        return bool(self.identity.get("smoke"))

    @property
    def experiment(self) -> str:
        """The name of the spec."""
        return str(self.spec["name"])

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.spec["seed"])

    @property
    def labels(self) -> Mapping[str, Any]:
        """What tells the run from its siblings: `variant`, and each swept key."""
        labels: Mapping[str, Any] = self.spec["labels"]
        return labels

    @property
    def label(self) -> str:
        """The labels for a reader, without the seed."""
        return ", ".join(map(str, self.labels.values())) or self.experiment

    @property
    def values(self) -> Mapping[str, float]:
        """The final metrics by name; empty unless the run is finished."""
        values: Mapping[str, float] = self.result["values"] if self.result else {}
        return values

    @property
    def stages(self) -> Mapping[str, Mapping[str, Any]]:
        """Per stage: epochs, steps, the selected checkpoint and the values at it; empty unless finished."""
        stages: Mapping[str, Mapping[str, Any]] = self.result["stages"] if self.result else {}
        return stages

    @property
    def main_stage(self) -> Mapping[str, Any]:
        """The spec of the stage that the run is known by: the last that trains or measures, if one does."""
        return main_stage_of(self.spec["stages"])

    def stage_spec(self, name: str) -> Mapping[str, Any] | None:
        """The resolved spec of the stage of this name; None if there is none."""
        found = (stage for stage in self.spec["stages"] if stage["name"] == name)
        return next(found, None)

    def place_of(self, value: str) -> ValuePlace:
        """Where the value of this name was made.

        `stage/name` is of an analysis, `stage/split/name` of the stage that it names, and `split/name` of the
        last stage that trains or measures.
        """
        first, _, rest = value.partition("/")
        split, slash, name = rest.partition("/")
        stage = self.stage_spec(first)
        if stage is not None and kind_of_stage(stage) == "analyses":
            return ValuePlace(first, None, rest)
        if stage is not None and slash:
            return ValuePlace(first, split, name)
        return ValuePlace(str(self.main_stage["name"]), first, rest)

    @property
    def seconds(self) -> float | None:
        """How long the run took; None unless finished."""
        return float(self.result["seconds"]) if self.result else None

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is recorded: a directory, or an http(s) address that a browser can open."""

    @property
    @abstractmethod
    def provenance(self) -> Mapping[str, Any]:
        """Command, code, packages, machine."""

    @abstractmethod
    def rows(
        self, kind: Kind | None = None, names: Collection[str] | None = None, stage: str | None = None
    ) -> Iterator[RecordedRow]:
        """The metrics while it trained, one row at a time: of this kind and stage, with these names."""

    def array(self, name: str) -> LabelledArray | None:
        """An array by `split/name`, of an analysis by `stage/name`; None where there is none.

        So it is too where the source of the run keeps no arrays.
        """
        del name
        return None
