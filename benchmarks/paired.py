"""Two ways of doing the same, measured in alternation in one process."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import attrs


@attrs.frozen
class Ratio:
    """Seconds of `ours` and `theirs` by round, and the ratios round by round."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    def show(self, what: str, limit: float | None) -> str:
        """One line: the median ratio with its spread, the two medians, and the limit it is held to."""
        low, high = min(self.ratios), max(self.ratios)
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        held = (
            "" if limit is None else f"  (at most {limit:g}: {'holds' if self.median <= limit else 'BROKEN'})"
        )
        spread = f"[{low:.3f}, {high:.3f}]"
        return f"{what:<58} {self.median:6.3f} {spread:<16} {ours * 1e3:9.2f} / {theirs * 1e3:9.2f} ms{held}"


def alternate(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> Ratio:
    """Time both `rounds` times in turn, after one round that does not count; who goes first changes."""
    ours()
    theirs()
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        for mine in (True, False) if number % 2 else (False, True):
            start = time.perf_counter()
            (ours if mine else theirs)()
            times[mine].append(time.perf_counter() - start)
    return Ratio(tuple(times[True]), tuple(times[False]))


def growth(act: Callable[[], object]) -> int:
    """Bytes by which this process grows, at its peak, while `act` runs (Linux)."""
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    kept = act()
    peak = _memory("VmHWM")
    del kept
    return peak - before


def _memory(what: str) -> int:
    """A figure of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


def machine() -> str:
    """The machine in a line."""
    import torch

    load = os.getloadavg()[0]
    return (
        f"{platform.machine()}, {os.cpu_count()} CPUs, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, load {load:.1f}"
    )
