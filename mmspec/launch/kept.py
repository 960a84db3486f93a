"""The files of a finished run that trackers keep when they are asked to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmspec.plugins.api import Kept
from mmspec.records import RunRecord

#: What a report reads of a run, beside the pictures of its graphs and the files of its spec.
_READ = (
    "spec.json", "identity.json", "provenance.json", "result.json", "metrics.jsonl", "graph.json", "log.txt",
)  # fmt: skip


def kept_files(run: RunRecord, kept: Kept) -> dict[str, Path]:
    """The files by the names they are kept under: paths below the run's directory."""
    found = _selected(run) if kept == "best" else _reported(run)
    return {path.relative_to(run.path).as_posix(): path for path in found if path.is_file()}


def _selected(run: RunRecord) -> Iterator[Path]:
    """The selected checkpoint of each stage that selects one."""
    for name, stage in run.stages.items():
        if file := (stage.get("selected") or {}).get("file"):
            yield run.path / "checkpoints" / name / file


def _reported(run: RunRecord) -> Iterator[Path]:
    """What a report reads; arrays of metrics and the spec's files are in folders."""
    yield from (run.path / name for name in _READ)
    yield from sorted((*run.path.glob("graph*.svg"), run.path / "stages.svg"))
    for folder in ("source", "arrays"):
        yield from sorted((run.path / folder).rglob("*"))
