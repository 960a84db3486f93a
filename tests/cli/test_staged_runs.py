"""A run of three kinds of stages on the command line: trained, extracted, analysed."""

from __future__ import annotations

import signal
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from waiting import wait_for

from mmspec.cli.metric import main_metric
from mmspec.cli.stages import progress_words, trained_epochs
from mmspec.records import find_runs

Staged = tuple[Any, str]

NETWORK = {"dataset": {"use": "d"}, "modalities": {"a": {}}, "train": {"epochs": 12}}
LEARN = {"name": "learn", **NETWORK, "select": {"metric": "val/accuracy"}}
AFTER = {"name": "after", **NETWORK, "train": {"epochs": 0}}
FEATURES = {"name": "features", **NETWORK, "extract": {"layer": "features"}}
SIT = {"name": "sit", "analysis": {"use": "sit"}, "reads": {}}
RDM = {"name": "rdm", "analysis": {"use": "rdm"}, "reads": {}}


def test_the_summary_tells_the_value_of_the_analysis(staged: Staged) -> None:
    line = next(line for line in staged[1].splitlines() if line.startswith("staged, seed 0"))
    assert line.split()[3:6:2] == ["finished", "mean/mean"]
    assert line.split()[4] == "1"


def test_show_lists_stages_with_what_they_take_and_have_left(staged: Staged) -> None:
    shell, _ = staged
    (run,) = (shell.folder / "runs" / "staged").iterdir()
    code, out, err = shell("runs", "show", run.name)
    assert code == 0, err
    rows, columns = np.load(run / "checkpoints/features/table/values.npy", mmap_mode="r").shape
    features = next(line for line in out.splitlines() if line.startswith("features"))
    assert "extracts features of grey" in features
    assert f"{rows} × {columns} table" in features
    assert "weights ← learn" in features
    mean = next(line for line in out.splitlines() if line.startswith("mean "))
    assert "analysis toy_mean" in mean
    assert "mean 0." in mean
    assert "features ← features, shuffled (samples, seed 0)" in out
    assert out.count("val/accuracy ") == 1
    assert "mean/accuracy" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_analysis_is_left_at_once_and_begins_anew(unstaged: Any, number: signal.Signals) -> None:
    shell = unstaged
    (shell.folder / "long").touch()
    with shell.start("run", "staged.toml") as process:
        wait_for((shell.folder / "analysing").exists, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: staged, seed 0" in out
    assert "Traceback" not in out + err
    (shell.folder / "long").unlink()
    code, out, err = shell("run", "staged.toml")
    assert code == 0, out + err
    (run,) = find_runs(shell.folder / "runs").runs
    assert run.status == "finished"
    assert len([row for row in run.rows() if row.kind == "epoch"]) == 1, "what had been trained was kept"


def test_list_says_how_many_stages_and_the_main_value(staged: Staged) -> None:
    _, out, _ = staged[0]("runs", "list")
    assert "3 stages" in out
    assert "mean/mean" in out


def test_the_run_directory_has_a_picture_of_the_stages(staged: Staged) -> None:
    (run,) = (staged[0].folder / "runs" / "staged").iterdir()
    said = "".join(ElementTree.parse(run / "stages.svg").getroot().itertext())
    assert all(name in said for name in ("learn", "features", "mean", "read shuffled"))
    assert (run / "graph-learn.svg").exists()
    assert not (run / "graph-mean.svg").exists()


def test_graph_draws_the_stages(staged: Staged) -> None:
    shell, _ = staged
    _, text, _ = shell("graph", "staged.toml")
    assert text.startswith("3 stages\n")
    assert "stage learn: " in text
    assert "stage features: " in text
    _, mermaid, _ = shell("graph", "staged.toml", "--format", "mermaid")
    assert '-. "features, shuffled (samples, seed 0)" .->' in mermaid
    code, _, err = shell("graph", "staged.toml", "-o", "stages.svg")
    assert code == 0, err
    assert "read shuffled" in (shell.folder / "stages.svg").read_text()
    _, one, _ = shell("graph", "staged.toml", "--stage", "features", "--format", "svg")
    assert "feature table" in one
    code, _, err = shell("graph", "staged.toml", "--stage", "mean")
    assert code == 2
    assert "stages of this spec: learn, features" in err


def test_plugins_lists_and_shows_analyses(staged: Staged) -> None:
    shell, _ = staged
    assert "Means of features." in shell("plugins", "list", "analysis")[1]
    code, out, err = shell("plugins", "show", "analysis", "toy_mean")
    assert code == 0, err
    assert 'use = "toy_mean"' in out


@pytest.mark.parametrize(
    ("stages", "names", "main"),
    [
        ([LEARN], ["train/loss", "val/accuracy"], "val/accuracy"),
        ([AFTER], ["learn/test/accuracy", "train/accuracy", "test/accuracy"], "test/accuracy"),
        ([AFTER], [], "train/loss"),
        ([LEARN, FEATURES, SIT, RDM], ["sit/mean", "sit/std", "val/accuracy"], "sit/mean"),
        ([LEARN, FEATURES, SIT, RDM], ["val/accuracy"], "val/accuracy"),  # before the analysis
        ([FEATURES, SIT], ["sit/mean"], "sit/mean"),
        ([FEATURES, SIT, LEARN], ["sit/mean", "val/accuracy"], "val/accuracy"),
    ],
)
def test_main_metric(stages: list[Any], names: list[str], main: str) -> None:
    assert main_metric({"stages": stages}, names) == main


def test_how_far_a_run_is_in_words() -> None:
    stages = [LEARN, AFTER, FEATURES, SIT]

    def words(stage: str, **progress: int) -> str:
        return progress_words(stages, {"stage": stage, "epoch": 3, "epochs": 12, **progress})

    assert words("learn") == "learn: epoch 3/12"
    assert progress_words([LEARN], {"stage": "learn", "epoch": 3, "epochs": 12}) == "epoch 3/12"
    assert words("after") == "measuring after"
    assert words("features", step=120, steps=490) == "extracting features 120/490"
    assert words("sit", step=0, steps=0) == "analysing sit"


def test_epochs_are_those_of_stages_that_train() -> None:
    assert trained_epochs({"a": {"epochs": 12}, "b": {"epochs": 0}, "c": {"epochs": 3}}) == "12 + 3"
    assert trained_epochs({"a": {"epochs": 0}}) == "—"
