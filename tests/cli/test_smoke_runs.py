"""`mmspec run --smoke` as a real process, beside real runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import mmspec
from mmspec.cli import cli
from mmspec.errors import DataError
from mmspec.records import RunRecord, find_runs

Shell = Any

SPEC = """\
mmspec = 1
name = "tiny"
seeds = [0, 1]
dataset = { use = "colored_mnist", root = "nowhere" }
modalities.grey.backbone = "small_cnn"
modalities.color.backbone = "small_cnn"
fusion = { use = "mmtm", at = ["conv3"] }
optimizer = { use = "sgd", lr = 0.05 }
train = { epochs = 1, batch_size = 256, threads = 1, device = "cpu" }
evaluate.splits = ["test"]
track = { use = "wandb", project = "tiny" }
"""
REPORT = """\
mmspec = 1
title = "Tiny"
runs = ["{runs}"]
rows = {{ by = "experiment" }}
made_by = "mmspec run tiny.toml"
[[tables]]
title = "Accuracy"
columns = [{{ label = "acc", value = "test/accuracy" }}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)
    return tmp_path


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == code, result.output
    return result.output


def report(runs: str, code: int = 0) -> str:
    Path("report.toml").write_text(REPORT.format(runs=runs))
    return invoke("report", "report.toml", "--out", "out", "--format", "json", code=code)


def test_without_data_to_the_end_and_never_in_a_report(
    folder: Path, make_shell: Callable[[Path], Shell]
) -> None:
    code, out, err = make_shell(folder)("run", "tiny.toml", "--smoke")
    assert code == 0, out + err
    assert out.startswith(
        f"smoke runs, whose numbers mean nothing, on stand-ins in {folder}/cache/smoke: 600"
    )
    assert "For real ones: `mmspec data check tiny.toml`" in out
    [run] = find_runs(folder / "runs").runs
    assert (run.status, run.is_smoke, run.experiment, run.seed) == ("finished", True, "smoke-tiny", 0)
    assert "test/accuracy" in run.values
    assert not (run.path / "track").exists()
    assert "smoke-tiny-s0-" in invoke("runs", "list", "smoke-*")

    for runs in ("tiny", "smoke-tiny", "*"):  # nothing but smoke
        said = report(runs, code=2)
        assert "there are no runs of" in said
        assert "but for smoke runs" in said
        assert "mmspec run tiny.toml" in said
    _make_real(run)
    for runs in ("tiny", "*"):
        report(runs)
        assert "smoke" not in json.dumps(json.loads((folder / "out" / "report.json").read_text())["tables"])
    assert invoke("run", "tiny.toml", "--smoke", "--dry-run").count("finished") == 1
    assert "removed 1 run" in invoke("runs", "remove", "smoke-*", "--yes")


def _make_real(run: RunRecord) -> None:
    """A real run, made of a smoke run's directory."""
    real = run.path.parents[1] / "tiny" / "tiny-s0-12345678"
    real.mkdir(parents=True)
    for file in run.path.glob("*.json"):
        real.joinpath(file.name).write_text(file.read_text().replace("smoke-", ""))
    identity = json.loads((real / "identity.json").read_text())
    identity |= {"smoke": False, "id": real.name}
    (real / "identity.json").write_text(json.dumps(identity))


def test_runs_of_the_seeds_asked_for_are_listed(folder: Path) -> None:
    assert invoke("run", "tiny.toml", "--smoke", "--dry-run").count(" new ") == 1
    said = invoke("run", "tiny.toml", "--smoke", "--dry-run", "--seed", "1", "--seed", "0")
    assert said.count(" new ") == 2
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("command", [("run",), ("data", "check")])
def test_missing_data_are_told_with_a_way_without_them(folder: Path, command: tuple[str, ...]) -> None:
    said = invoke(*command, "tiny.toml", code=2)
    assert "nowhere/MNIST/raw" in said
    assert said.endswith(
        "\n\nWithout these data: `mmspec run tiny.toml --smoke` tries the whole path on a small stand-in.\n"
    )


def test_other_mistakes_say_nothing_of_smoke(folder: Path) -> None:
    assert "smoke" not in invoke("run", "tiny.toml", "--set", "train.epochs=-1", code=2)


def test_from_python(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        mmspec.load("tiny.toml").run()
    assert "smoke=True" in caught.value.__notes__[0]
    experiment = mmspec.load("tiny.toml", smoke=True, set=["train.batch_size=4"])
    assert repr(experiment) == "<Experiment smoke-tiny: 1 runs>"
    trainer = experiment.runs[0].build()
    assert trainer.step(next(iter(trainer.batches()))).loss > 0
    [prepared] = mmspec.experiment._prepared(experiment.runs, folder / "runs")
    assert prepared.identity.smoke
