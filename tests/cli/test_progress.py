"""What is shown of a run before its first step."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mmspec.cli.progress import Bars, Display, Lines

EARLIER = "2026-01-01T00:00:00+00:00 interrupted; the same command goes on from here\n"
NOW = "2026-01-02T00:00:00+00:00 train: packing color: 34% of 10.1 GiB\n"


def follow(made: Callable[[tuple[Any, ...]], Display], run: Path, shown: Callable[[], str]) -> str:
    """What is shown until a word of this process is, or for two seconds."""
    (run / "log.txt").write_text(EARLIER)
    prepared = SimpleNamespace(id="r", path=run, label="guided, seed 0")
    with made((prepared,)) as display:
        display.changed("r", "started")
        time.sleep(0.5)
        with (run / "log.txt").open("a") as log:
            log.write(NOW)
        until = time.monotonic() + 2
        while "34%" not in shown() and time.monotonic() < until:
            time.sleep(0.1)
    return shown()


def test_lines_tell_how_far_data_are_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read: list[str] = []

    def shown() -> str:
        read.append(capsys.readouterr().out)
        return "".join(read)

    said = follow(Lines, tmp_path, shown)
    assert "        guided, seed 0: train: packing color: 34% of 10.1 GiB\n" in said
    assert said.count("packing") == 1
    assert "interrupted" not in said


def test_bars_tell_how_far_data_are_packed(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    said = follow(lambda runs: Bars(runs, console), tmp_path, out.getvalue)
    assert "packing color: 34% of 10.1 GiB" in said
    assert "interrupted" not in said
