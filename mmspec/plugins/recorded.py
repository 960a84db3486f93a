"""Runs as they were recorded, wherever that is: what trackers are told, and what reports and figures read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["step", "epoch"]
Status = Literal["finished", "running", "failed", "unfinished"]


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
        """An array that a metric left, by `split/name`; None where there is none, or the source has none."""
        del name
        return None
