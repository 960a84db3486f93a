from __future__ import annotations

from types import SimpleNamespace

import pytest

from mmspec.cli.trackers import say_missing
from mmspec.track.tensorboard import TensorboardTracker
from mmspec.track.trackio.tracker import TrackioTracker


def test_what_a_tracker_misses_is_said_once_before_the_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = [SimpleNamespace(trackers={"trackio": TrackioTracker(), "tensorboard": TensorboardTracker()})] * 3
    say_missing(plans)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("mmspec.track.optional.find_spec", lambda package: None)
    say_missing(plans)
    said = capsys.readouterr().err
    assert said.count("tracker trackio: runs are not mirrored: the package trackio is not installed") == 1
    assert said.count('pip install "mmspec[tensorboard]"') == 1
