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
    """What is shown until a word of this process is, or for twenty seconds."""
    (run / "log.txt").write_text(EARLIER)
    prepared = SimpleNamespace(id="r", path=run, label="guided, seed 0")
    with made((prepared,)) as display:
        display.changed("r", "started")
        time.sleep(0.5)
        with (run / "log.txt").open("a") as log:
            log.write(NOW)
        until = time.monotonic() + 20
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


def shown_at(made: Callable[[tuple[Any, ...]], Display], run: Path, moments: list[dict[str, Any]]) -> None:
    """Show a run of three stages at these moments of it."""
    stages = [
        {"name": "learn", "train": {"epochs": 2}},
        {"name": "features", "extract": {"layer": "features"}},
        {"name": "sit", "analysis": {"use": "sit"}},
    ]
    plan = SimpleNamespace(resolved={"stages": stages})
    prepared: Any = SimpleNamespace(id="r", path=run, label="guided, seed 0", plan=plan)
    with made((prepared,)) as display:
        display.show_event(prepared, "started")
        for moment in moments:
            display.show_progress(prepared, moment)
            time.sleep(0.15)


MOMENTS = [
    {"stage": "learn", "epoch": 2, "epochs": 2, "step": 5, "steps": 10, "values": {"train/loss": 0.5}},
    {"stage": "features", "epoch": 1, "epochs": 1, "step": 120, "steps": 490},
    {"stage": "sit", "epoch": 0, "epochs": 0, "step": 0, "steps": 0},
]


def test_bars_are_of_steps_of_samples_and_of_nothing_that_is_known(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    shown_at(lambda runs: Bars(runs, console), tmp_path, MOMENTS)
    said = out.getvalue()
    assert "15/20 learn: epoch 2/2  train/loss 0.5" in said
    assert "120/490 extracting features 120/490" in said
    assert "0/?" in said.partition("120/490")[2]
    assert "analysing sit" in said


def test_lines_of_all_kinds_of_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown_at(Lines, tmp_path, [{**moment, "seconds": 11.0 * i} for i, moment in enumerate(MOMENTS)])
    said = capsys.readouterr().out
    assert "guided, seed 0: extracting features 120/490\n" in said
    assert "guided, seed 0: analysing sit\n" in said
