"""The TensorBoard tracker: event files that `tensorboard --logdir` shows.

The messages are built by tensorboardX, whose install is a twentieth of what `torch.utils.tensorboard` needs:
that writes through the package `tensorboard`, the viewer included. But tensorboardX's own writer puts each
scalar through a pipe to a thread, and waits where that is behind. So a row is one record here, written at
once: a killed run keeps all its rows.

TensorBoard keeps numbers in 32 bits. It knows no SVG, so the training graph is not shown.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from mmspec.errors import Problem
from mmspec.plugins.api import RunInfo, Tracker, TrackerSession, option
from mmspec.track.columns import total_steps
from mmspec.track.guard import GuardedSession, NoSession, reason
from mmspec.track.layout import Ended, named_stages
from mmspec.track.optional import install, missing_package

#: What the names of the final metrics begin with: scalars of the same name say how it went on the way.
FINAL = "final/"


@attrs.frozen(kw_only=True)
class TensorboardTracker(Tracker):
    """TensorBoard: scalars, the spec as text, and settings beside final metrics under HPARAMS."""

    folder: str | None = option(
        "event files go to FOLDER/experiment/run; absent: into the run's own directory, so that "
        "`tensorboard --logdir runs` shows all",
        default=None,
    )

    def check(self) -> Sequence[Problem]:
        """Whether tensorboardX is installed."""
        return missing_package("tensorboardX", "tensorboard")

    def start(self, run: RunInfo, *, folder: Path, say: Callable[[str], None]) -> TrackerSession:
        """Begin a file for the run; a run that goes on gets another, which counts from where it begins."""
        if self.check():
            say(f"TensorBoard: no tensorboardX, this run is not mirrored; {install('tensorboard')}")
            return NoSession()
        if self.folder:
            folder = Path(self.folder).expanduser() / run.experiment / run.run_id
        try:
            return TensorboardSession(run, folder, say)
        except Exception as error:  # noqa: BLE001 - a mirror must not stop the run
            say(f"TensorBoard: this run is not mirrored: {reason(error)}")
            return NoSession()


class TensorboardSession(GuardedSession):
    """One run as event files."""

    def __init__(self, run: RunInfo, folder: Path, say: Callable[[str], None]) -> None:
        super().__init__("TensorBoard", say)
        self._run = run
        self._step = self._steps = 0
        folder.mkdir(parents=True, exist_ok=True)
        earlier = len(list(folder.glob("events.out.tfevents.*")))
        self._goes_on = earlier > 0
        name = f"events.out.tfevents.{int(time.time()):010d}.{earlier:04d}.{socket.gethostname()}"
        self._file: BinaryIO = (folder / name).open("xb", buffering=0)
        self._write(file_version="brain.Event:2")
        if not self._goes_on:
            for name, text in _texts(run).items():
                self._write(summary=_text(name, text))

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write a row at `step`; rows of an earlier step are passed over."""
        if step >= self._step:
            self._try(lambda: self._row(values, step))

    def result(self, result: Mapping[str, Any]) -> None:
        """The steps of the whole run: a process that only ends it has logged none."""
        self._steps = total_steps(result)

    def finish(self, status: Ended, values: Mapping[str, float]) -> None:
        """Write the final metrics, and beside them the settings, and close the file."""

        def end() -> None:
            if status == "finished":
                from tensorboardX.summary import hparams

                final = {FINAL + name: float(value) for name, value in values.items()}
                for summary in hparams(settings(self._run.config), final):
                    self._write(summary=summary)
                self._scalars(final, max(self._step, self._steps))
            self._file.close()

        self._end(end)

    def _row(self, values: Mapping[str, float], step: int) -> None:
        from tensorboardX.proto.event_pb2 import SessionLog

        if self._goes_on:  # TensorBoard drops what earlier files have from this step on
            self._write(step=step, session_log=SessionLog(status=SessionLog.START))
            self._goes_on = False
        self._step = step
        self._scalars(values, step)

    def _scalars(self, values: Mapping[str, float], step: int) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step=step, summary=Summary(value=scalars))

    def _write(self, **event: Any) -> None:
        """Append an event: its length, the event, and a checksum of each."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        data = Event(wall_time=time.time(), **event).SerializeToString()
        size = struct.pack("<Q", len(data))
        sums = [struct.pack("<I", masked_crc32c(part)) for part in (size, data)]
        self._file.write(size + sums[0] + data + sums[1])

    def _stop(self, error: Exception) -> None:
        del error
        self._file.close()


def settings(config: Mapping[str, Any]) -> dict[str, str | bool | float]:
    """The resolved spec as single settings by dotted names; where there is one stage, without its name."""
    named = named_stages(config)
    stages = named.get("stages")
    if isinstance(stages, Mapping) and len(stages) == 1:
        named = {**named, **next(iter(stages.values())), "name": named.get("name")}
        del named["stages"]
    return dict(_flat({key: value for key, value in named.items() if key not in ("track", "launch")}))


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str | bool | float]]:
    found: list[tuple[str, str | bool | float]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, str | bool | int | float):
            found.append((prefix + key, value))
        elif value is not None:
            found.append((prefix + key, json.dumps(value, ensure_ascii=False, default=str)))
    return found


def _texts(run: RunInfo) -> dict[str, str]:
    return {
        "spec": _as_json(run.config),
        "identity": _as_json(run.identity),
        "provenance": _as_json(run.provenance),
    }


def _as_json(value: Any) -> str:
    """JSON as a block of code in Markdown, which is what TensorBoard takes texts for."""
    lines = json.dumps(value, indent=2, ensure_ascii=False, default=str).splitlines()
    return "\n".join(f"    {line}" for line in lines)


def _text(name: str, text: str) -> Any:
    from tensorboardX import summary

    return summary.text(name, text)
