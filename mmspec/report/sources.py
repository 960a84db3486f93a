"""Where the runs of a report come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmspec.plugins.registry import Registry
from mmspec.report.selection import Selection, read_runs


def read_sources(
    wanted: Sequence[str], root: Path, *, beside: Path, registry: Registry, refresh: bool
) -> Selection:
    """The runs that the `runs` of a report name.

    `root` is the folder of run directories, `beside` the folder of the report. `refresh` asks services again
    for what is in the cache.
    """
    del beside, registry, refresh
    return read_runs(root, wanted)
