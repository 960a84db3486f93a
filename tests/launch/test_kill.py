"""A run killed with SIGKILL at random moments and started again ends as one that never was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_loop import same

from mmspec.launch.execute import execute
from mmspec.launch.prepare import make_ready, prepare
from mmspec.plugins.resolve import resolve
from mmspec.spec.load import read_document

SPECS = Path(__file__).parents[2] / "specs"
HARNESS = Path(__file__).with_name("kill_and_resume.py")


def prepared(strategy: str, runs: Path, workers: int) -> Path:
    overrides = (
        "seeds=[0]",
        "train.epochs=3",
        f"train.workers={workers}",
        "train.checkpoint_every=7",
        "train.log_every=3",
        "dataset.shift=1",
        "track=[]",
        'evaluate.metrics=["accuracy", "confusion_matrix", "conditional_learning_speed"]',
    )
    document = read_document(SPECS / f"colored_digits_{strategy}.toml", overrides)
    (run,) = make_ready(prepare(resolve(document), runs), document, overrides)
    return run.path


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def arrays(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*.npz")}


def state(path: Path) -> dict:
    folder = path / "checkpoints" / "train"
    newest = json.loads((folder / "index.json").read_text())["last"][0]["file"]
    return torch.load(folder / newest, weights_only=True)


@pytest.mark.parametrize(("strategy", "workers"), [("guided", 0), ("random", 2)])
def test_killed_at_random_moments(strategy, workers, tmp_path):
    whole = prepared(strategy, tmp_path / "whole", 0)
    assert execute(whole) == 0

    killed = 0
    for attempt in range(8):
        cut = prepared(strategy, tmp_path / f"cut-{attempt}", workers)
        assert cut.name == whole.name  # workers are no part of a run's identity
        arguments = [sys.executable, str(HARNESS), str(cut), str(12 - killed), str(attempt)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + (cut / "log.txt").read_text()
        killed += int(done.stdout.split()[-1])

        assert rows(cut) == rows(whole)
        assert arrays(cut) == arrays(whole) != {}
        assert same(state(cut), state(whole))
        ours, theirs = (json.loads((p / "result.json").read_text()) for p in (cut, whole))
        assert ours["values"] == theirs["values"]
        if killed >= 12:
            break
    assert killed >= 12
