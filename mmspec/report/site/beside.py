"""What lies in a run's directory beside its spec and numbers; runs recorded elsewhere have none of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmspec.errors import RecordError
from mmspec.plugins.recorded import RecordedRun, kind_of_stage
from mmspec.records import RunRecord
from mmspec.records.files import read_json
from mmspec.report.site.origins import OVERRIDES, Sources
from mmspec.report.text import is_web, link

#: A longer log is cut in its middle.
_HEAD_LINES, _TAIL_LINES = 100, 200
#: Longer lines are cut, and longer files not read: nobody reads them in a page.
_LONGEST_LINE, _LARGEST = 2_000, 2_000_000


def folder_of(run: RecordedRun) -> Path | None:
    """The directory of a run; None for one recorded elsewhere."""
    return run.path if isinstance(run, RunRecord) else None


def home_of(run: RecordedRun, site: Path) -> str | None:
    """A link to where the run is recorded, as seen from the folder of the runs' pages.

    None where no browser can follow it, and where a relative link would tell how the author's machine is
    laid out: when the site and the run have no folder in common but the root or one above the author's home.
    """
    if "://" in run.address:
        return link(run.address, site) if is_web(run.address) else None
    common = Path(os.path.commonpath([Path(run.address).absolute(), site.absolute()]))
    home = Path.home()
    return None if common == home or common in home.parents else link(run.address, site / "runs")


def sources_of(run: RecordedRun) -> Sources:
    """The spec's files as they were written, by name; what `--set` said stands last."""
    folder = folder_of(run)
    if folder is None:
        return ()
    try:
        paths = sorted(path for path in (folder / "source").iterdir() if path.is_file())
    except OSError:
        return ()
    paths.sort(key=lambda path: path.name == OVERRIDES)
    texts = ((path.name, _text(path)) for path in paths)
    return tuple((name, text) for name, text in texts if text is not None)


def pictures_of(run: RecordedRun) -> list[tuple[str, str]]:
    """The drawn training graph of each stage: (the stage, SVG)."""
    folder = folder_of(run)
    if folder is None:
        return []
    stages = [str(stage["name"]) for stage in run.spec["stages"]]
    names = {stage: f"graph-{stage}.svg" for stage in stages} if len(stages) > 1 else {stages[0]: "graph.svg"}
    found = ((stage, _text(folder / name)) for stage, name in names.items())
    return [(stage, text) for stage, text in found if text]


def graphs_of(run: RecordedRun) -> Mapping[str, Any]:
    """The training graph of each stage as data; empty if there is none, or none that we can read."""
    folder = folder_of(run)
    try:
        graphs = read_json(folder / "graph.json").get("stages") if folder else None
    except RecordError:
        return {}
    return graphs if isinstance(graphs, Mapping) else {}


def failure_of(run: RecordedRun) -> Mapping[str, Any] | None:
    """Error, traceback and time of a run that failed."""
    if run.status != "failed" or not isinstance(run, RunRecord):
        return None
    return run.failure


def progress_of(run: RecordedRun) -> str:
    """How far an unfinished run is."""
    if run.status == "finished" or not isinstance(run, RunRecord):
        return ""
    said = run.progress()
    name = str(said.get("stage", "train"))
    stage = run.stage_spec(name)
    kind = "trains" if stage is None else kind_of_stage(stage)
    if kind != "trains":
        return f"{name}: {kind}"
    return f"{name}: epoch {said.get('epoch')} of {said['epochs']}" if said.get("epochs") else ""


def log_of(run: RecordedRun) -> tuple[list[str], int]:
    """The lines of the log, and how many were left out in its middle."""
    folder = folder_of(run)
    if folder is None:
        return [], 0
    head: list[str] = []
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    size = 0
    try:
        with (folder / "log.txt").open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(_LONGEST_LINE):
                size += 1
                (head if size <= _HEAD_LINES else tail).append(line.rstrip("\n"))
    except OSError:
        return [], 0
    left_out = size - len(head) - len(tail)
    if left_out:
        head.append(f"… {left_out:,} lines are left out here …")
    return [*head, *tail], left_out


def _text(path: Path) -> str | None:
    """A small text file; None if it cannot be read or is no small one."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
