from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

SPEC = """\
mmspec = 1
name = "tiny"
seeds = [0, 1]

[dataset]
use = "colored_digits"

[modalities.grey]
backbone = "small_cnn"
[modalities.color]
backbone = "small_cnn"

[fusion]
use = "mmtm"
at = ["conv3"]

[optimizer]
use = "sgd"
lr = 0.05

[train]
epochs = 1
batch_size = 256
threads = 1
device = "cpu"

[select]
metric = "val/accuracy"

[evaluate]
splits = ["val"]

[[variants]]
name = "none"
[[variants]]
name = "guided"
balancing = { use = "guided", start_epoch = 1 }
"""

#: A spec whose main result is an analysis.
STAGED = (
    SPEC[: SPEC.index("[[variants]]")].replace('"tiny"', '"staged"').replace("seeds = [0, 1]", "seeds = [0]")
    + """\
[[stages]]
name = "learn"

[[stages]]
name = "features"
init_from = "learn"
extract = { layer = "features", modality = "grey", splits = ["val"] }

[[stages]]
name = "mean"
analysis = "toy_mean"
reads = { features = { stage = "features", shuffle = "samples" }, model = "learn" }
"""
)

#: Strategies that fail and that wait while a file `hold` is there, and an analysis that waits while there is
#: one named `long`, as a distribution of
#: their own.
TOY = '''
import time
from pathlib import Path

from mmspec.plugins.api import Analysis, AnalysisResult, Balancing, LabelledArray, option

class _Toy(Balancing):
    def build(self, network, seed):
        from toy_torch import Failing, Waits
        return {"toy_fails": Failing, "toy_waits": Waits}[self.name]()

class Fails(_Toy):
    """Fails."""
    name = "toy_fails"

class Waits(_Toy):
    """Waits."""
    name = "toy_waits"

class Mean(Analysis):
    """Means of features."""
    name = "toy_mean"
    tables = ("features",)
    outputs = ("model",)

    def analyse(self, inputs, *, workers):
        Path("analysing").touch()
        while Path("long").exists():
            time.sleep(0.05)
        table = inputs["features"].table
        values = {"mean": float(table.values.mean()), "accuracy": inputs["model"].values["val/accuracy"]}
        means = table.values[:2, :3]
        named = (("first", "second"), ("a", "b", "c"))
        return AnalysisResult(values, {"first": LabelledArray(means, ("sample", "feature"), named)})
'''
TOY_TORCH = """
import time
from pathlib import Path
from mmspec.plugins.api import Strategy

class Failing(Strategy):
    def decide(self, index, epoch):
        raise ZeroDivisionError("out of luck")

class Waits(Strategy):
    def decide(self, index, epoch):
        Path("training").touch()
        while Path("hold").exists():
            time.sleep(0.05)
        return super().decide(index, epoch)
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of four runs, in a folder of its own."""
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path


@attrs.frozen
class Shell:
    """Runs `mmspec` as a real process in `folder`, with the toy plugins installed."""

    folder: Path
    plugins: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "mmspec", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.plugins)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="session")
def make_shell(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Shell]:
    plugins = tmp_path_factory.mktemp("plugins")
    info = plugins / "toy-1.0.dist-info"
    info.mkdir()
    (plugins / "toy.py").write_text(TOY)
    (plugins / "toy_torch.py").write_text(TOY_TORCH)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mmspec.balancing]\ntoy_fails = toy:Fails\ntoy_waits = toy:Waits\n"
        "[mmspec.analysis]\ntoy_mean = toy:Mean\n"
    )
    return lambda folder: Shell(folder, plugins)


@pytest.fixture
def shell(make_shell: Callable[[Path], Shell], spec: Path) -> Shell:
    """A shell in the folder of `spec`."""
    return make_shell(spec.parent)


@pytest.fixture
def unstaged(make_shell: Callable[[Path], Shell], tmp_path: Path) -> Shell:
    """A shell beside the spec of three stages, which has not run."""
    (tmp_path / "staged.toml").write_text(STAGED)
    return make_shell(tmp_path)


@pytest.fixture(scope="session")
def lab(make_shell: Callable[[Path], Shell], tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, str]:
    """A shell in a folder where both variants of the spec have run with seed 0, and what that printed."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "tiny.toml").write_text(SPEC)
    (folder / "reports").mkdir()
    (folder / "reports" / "tiny.toml").touch()
    shell = make_shell(folder)
    code, out, err = shell("run", "tiny.toml", "--seed", "0")
    assert code == 0, out + err
    return shell, out


@pytest.fixture(scope="session")
def staged(
    make_shell: Callable[[Path], Shell], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Shell, str]:
    """A shell in a folder where the spec of three stages has run, and what that printed."""
    folder = tmp_path_factory.mktemp("staged")
    (folder / "staged.toml").write_text(STAGED)
    shell = make_shell(folder)
    code, out, err = shell("run", "staged.toml")
    assert code == 0, out + err
    return shell, out
