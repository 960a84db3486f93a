from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from wandb_queries import READING
from wandb_server import WandbServer

from mmspec.plugins.api import RunInfo, TrackerSession
from mmspec.track.wandb.session import restart_service
from mmspec.track.wandb.tracker import WandbTracker


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
def server(user: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A test double of a W&B server, for which the user has a key."""
    del user
    double = WandbServer(READING)
    monkeypatch.setenv("WANDB_BASE_URL", double.url)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    yield double
    double.stop()
    assert not double.errors, double.errors[0]


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def start(user: Path, tmp_path: Path, said: Said) -> Callable[..., TrackerSession]:
    """Start a run with these options of the tracker; its folder is `tmp_path / "track"`."""

    def begin(folder: Path = tmp_path / "track", **options: Any) -> TrackerSession:
        run = RunInfo(
            experiment="digits",
            run_id="guided-s0-0123abcd",
            label="guided",
            config={"mmspec": 1, "seed": 0, "stages": [{"name": "train", "balancing": {"use": "guided"}}]},
            identity={"id": "guided-s0-0123abcd", "spec_hash": "0123", "code": {}, "data": {"train": "d1"}},
            provenance={"command": "mmspec run digits.toml"},
        )
        return WandbTracker(**options).start(run, folder=folder, say=said)

    return begin
