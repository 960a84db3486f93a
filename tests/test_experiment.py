"""The Python face."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mmspec
from mmspec.errors import RunError, SpecError

SPEC = """\
mmspec = 1
name = "tiny"
seeds = [0, 1]
modalities.grey.backbone = "small_cnn"
modalities.color.backbone = "small_cnn"
fusion = { use = "mmtm", at = ["conv3"] }
dataset = "colored_digits"
optimizer = { use = "sgd", lr = 0.05 }
train = { epochs = 1, batch_size = 256, threads = 1, device = "cpu" }
evaluate.splits = ["val"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path


def test_importing_mmspec_is_light() -> None:
    script = "import sys, mmspec; assert not {'torch', 'numpy', 'attrs', 'wandb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        mmspec.laod  # noqa: B018


def test_load_check_and_draw(spec: Path) -> None:
    experiment = mmspec.load(spec, set=["seeds=[3]", "balancing.use=guided"])
    experiment.check()
    assert repr(experiment) == "<Experiment tiny: 1 runs>"
    [run] = experiment.runs
    assert (run.label, run.plan.seed) == ("tiny, seed 3", 3)
    assert "fusion.conv3" in run.draw()
    assert "flowchart" in run.draw("mermaid")
    assert ElementTree.fromstring(run._repr_svg_()).tag.endswith("svg")
    assert "tiny, seed 3" in experiment._repr_html_()


def test_several_stages_are_drawn_as_their_graph(spec: Path) -> None:
    extract = 'extract = { layer = "features", modality = "grey" }'
    stages = f'[[stages]]\nname = "learn"\n[[stages]]\nname = "features"\ninit_from = "learn"\n{extract}\n'
    spec.write_text(SPEC + stages)
    [run, _] = mmspec.load(spec).runs
    said = "".join(ElementTree.fromstring(run._repr_svg_()).itertext())
    assert "extracts features of grey" in said
    assert "weights ← learn" in said
    text = run.draw()
    assert text.startswith("2 stages\n")
    assert "fusion.conv3" in text
    assert "feature table" in run.draw("svg", "features")
    with pytest.raises(SpecError, match="there is no stage 'features' that trains"):
        run.build("features")


def test_mistakes_are_raised(spec: Path) -> None:
    with pytest.raises(SpecError, match="epochs"):
        mmspec.load(spec, set=["train.epochs=-1"])
    with pytest.raises(SpecError, match="stages of this spec: train"):
        mmspec.load(spec).runs[0].draw(stage="first")


def test_a_built_run_is_driven_by_hand(spec: Path) -> None:
    trainer = mmspec.load(spec).runs[0].build()
    batch = next(iter(trainer.batches()))
    result = trainer.step(batch)
    assert result.loss > 0
    assert trainer.steps == 1


def test_runs_are_run_and_read(spec: Path, tmp_path: Path) -> None:
    experiment = mmspec.load(spec)
    record = experiment.runs[0].run(tmp_path / "runs")
    assert record.status == "finished"
    assert "val/accuracy" in record.values
    again = experiment.runs[0].run(tmp_path / "runs")
    assert again.result == record.result


def test_a_failed_run_is_an_error_that_says_why(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mmspec.launch.prepare.command", lambda path: [sys.executable, "-c", "1/0", str(path)]
    )
    with pytest.raises(RunError, match=r"tiny, seed 0: .*\n.*log.txt") as caught:
        mmspec.load(spec).runs[0].run(tmp_path / "runs")
    assert len(caught.value.problems) == 1
