from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from mmspec.plugins.api import TrackerSession
from mmspec.track.session import restart_service
from mmspec.track.wandb import WandbTracker


@attrs.define
class Said:
    """What the tracker told the user."""

    lines: list[str] = attrs.field(factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @property
    def only(self) -> str:
        (line,) = self.lines
        return line


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The empty home of a user who has never heard of W&B; W&B's process is gone afterwards."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("WANDB_", "NETRC", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield home
    if "wandb" in sys.modules:
        restart_service()
    os.environ.pop("WANDB_SERVICE", None)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def start(user: Path, tmp_path: Path, said: Said) -> Callable[..., TrackerSession]:
    """Start a run with these options of the tracker; its folder is `tmp_path / "track"`."""

    def begin(folder: Path = tmp_path / "track", **options: Any) -> TrackerSession:
        return WandbTracker(**options).start(
            experiment="digits",
            run_id="guided-s0-0123abcd",
            label="guided",
            config={"mmspec": 1, "seed": 0, "stages": [{"name": "train", "balancing": {"use": "guided"}}]},
            folder=folder,
            say=said,
        )

    return begin


def read_offline(segment: Path) -> list[dict[str, Any]]:
    """The records of an offline run, by W&B's own reader."""
    (file,) = segment.glob("*.wandb")
    wandb = Path(sys.executable).with_name("wandb")
    out = subprocess.run(
        [wandb, "leet", "inspect", "--json", file], capture_output=True, text=True, check=True
    ).stdout
    return [json.loads(line) for line in out.splitlines()]


def history(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that were logged, without W&B's own columns but `_step`."""
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    return [{k: v for k, v in row.items() if k == "_step" or not k.startswith("_")} for row in rows]
