"""What the engine tells the world while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from mmspec.graph import Graph
from mmspec.plugins.recorded import LabelledArray


class Recorder(Protocol):
    """Where rows, graphs and messages go. `step` counts optimizer steps done in the stage."""

    def row(
        self,
        kind: Literal["step", "epoch"],
        *,
        stage: str,
        step: int,
        epoch: int,
        values: Mapping[str, float],
    ) -> None:
        """Append one row of metrics."""

    def rewind(self, *, stage: str, step: int) -> None:
        """Drop the rows of `stage` beyond `step`, and all rows of later stages."""

    def arrays(self, *, stage: str, arrays: Mapping[str, LabelledArray]) -> None:
        """Keep the arrays that metrics or an analysis leave at the end of `stage`, by `split/name`."""

    def arrays_of(self, stage: str) -> Mapping[str, LabelledArray]:
        """The arrays that an earlier stage has left, by name."""
        del stage
        return {}

    def graph(self, graph: Graph) -> None:
        """Keep a stage's training graph."""

    def progress(self, *, stage: str, epoch: int, epochs: int, step: int, steps: int) -> None:
        """How far the stage is: `step` of `steps` in `epoch` of `epochs`."""

    def say(self, message: str) -> None:
        """Tell the user a line."""


class Silent(Recorder):
    """A recorder that keeps nothing: for runs driven from Python."""
