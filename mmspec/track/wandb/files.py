"""Runs in the files that W&B writes on this machine, as sources of reports: `wandb-files://PATH`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.api import RecordedRun, RunSource
from mmspec.track.tracked_run import make_run, passed_over
from mmspec.track.wandb.file import Segment, read_history, read_segment

#: A file without an end that has changed within these seconds may belong to a run that is at work.
LIVELY = 300.0


@attrs.frozen(kw_only=True)
class WandbFiles(RunSource):
    """Runs that W&B recorded into files: `wandb-files://PATH`, a `.wandb` file or a folder with some."""

    is_local: ClassVar[bool] = True

    def check_address(self, address: str) -> None:
        """Refuse an address without a path."""
        if not address.removeprefix("//") or not address.startswith("//"):
            raise RecordError(Problem("names no file", hint="wandb-files://PATH, a .wandb file or a folder"))

    def read(
        self, address: str, *, beside: Path, cache: Path, refresh: bool, say: Callable[[str], None]
    ) -> Sequence[RecordedRun]:
        """The runs under the path; what one run left in several files, being stopped, is one run."""
        del cache, refresh
        self.check_address(address)
        runs: list[RecordedRun] = []
        strangers = 0
        for segments in _by_run(_files(beside / Path(address.removeprefix("//")).expanduser()), say):
            try:
                run = _run(segments)
            except RecordError as error:
                say("; ".join(map(str, error.problems)))
                continue
            runs += [run] if run else []
            strangers += run is None
        if strangers:
            say(passed_over(f"wandb-files:{address}", strangers))
        return runs


def _files(path: Path) -> list[Path]:
    """The files under a path, each once, in order."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecordError(Problem("there is no such file or folder", Location(str(path))))
    found = {file.resolve(): file for file in sorted(path.rglob("*.wandb"), reverse=True) if file.is_file()}
    if not found:
        raise RecordError(Problem("holds no .wandb files", Location(str(path))))
    return sorted(found.values())


def _by_run(files: Sequence[Path], say: Callable[[str], None]) -> Iterator[list[Segment]]:
    """What the files say of each run, in the order in which it was recorded."""
    runs: dict[tuple[str, str], list[Segment]] = defaultdict(list)
    for file in files:
        try:
            segment = read_segment(file)
        except RecordError as error:
            say("; ".join(map(str, error.problems)))
            continue
        if segment.damage:
            say(f"{file}: {segment.damage}; what follows is lost")
        runs[segment.project, segment.run_id].append(segment)
    for segments in runs.values():
        yield sorted(segments, key=lambda segment: (segment.started, segment.path))


def _run(segments: Sequence[Segment]) -> RecordedRun | None:
    """The run of these files; None if mmspec did not record it, or it got no further than its name."""
    last = segments[-1]
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for segment in segments:
        config |= segment.config
        summary |= segment.summary
    running = last.exit_code is None and time.time() - last.path.stat().st_mtime < LIVELY
    history = partial(_history, [segment.path for segment in segments])
    return make_run(config, summary, running=running, address=str(last.path), history=history)


def _history(files: Sequence[Path]) -> list[tuple[int, Mapping[str, Any]]]:
    """The rows of all files by step; what a run that went on logged again counts as it was logged last."""
    rows: dict[int, dict[str, Any]] = {}
    for file in files:
        for step, values in read_history(file):
            rows.setdefault(step, {}).update(values)
    return sorted(rows.items())
