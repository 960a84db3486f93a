"""Runs as figures see them: what was recorded, without how."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, Protocol


class RecordedRow(Protocol):
    """Metrics at one moment: `step` counts optimizer steps done, `epoch` counts from 1."""

    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, float]: ...  # noqa: D102


class RecordedRun(Protocol):
    """One finished run: `values` are its final metrics, `labels` tell it from its siblings.

    `experiment` is the name of its spec.
    """

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def experiment(self) -> str: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, float]: ...  # noqa: D102

    def rows(
        self, kind: Literal["step", "epoch"] | None = None, names: Collection[str] | None = None
    ) -> Iterator[RecordedRow]:
        """The metrics while it trained: rows of a kind, with the values of these names."""
