"""A third party's distribution: built, installed beside mmspec in an environment of its own, and run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "mmspec-example-plugin"


def call(*command: object, folder: Path) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The example's wheel, built from a copy without the network."""
    folder = tmp_path_factory.mktemp("build")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder]
    call(sys.executable, "-m", "pip", "wheel", *options, source, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of a fresh environment that has the wheel, and sees all that is installed in this one."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(call(python, "-c", query, folder=folder).strip())
    ours = sysconfig.get_path("purelib")
    (packages / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    options = ["--quiet", "--no-deps", "--no-index"]
    call(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, folder=folder)
    return python


def test_it_is_listed_with_its_distribution(python, tmp_path):
    listed = call(python, "-m", "mmspec", "plugins", "list", "balancing", folder=tmp_path)
    shown = call(python, "-m", "mmspec", "plugins", "show", "dataset", "two_tones", folder=tmp_path)

    assert "slow_start" in listed
    assert "mmspec-example-plugin" in shown.replace("_", "-")
    assert "standard deviation of the noise in far" in shown


def test_its_spec_runs_to_the_end(python, tmp_path):
    shutil.copy(EXAMPLE / "specs" / "two_tones.toml", tmp_path)
    call(python, "-m", "mmspec", "run", "two_tones.toml", folder=tmp_path)

    (result,) = tmp_path.glob("runs/two_tones/*/result.json")
    identity = json.loads(result.with_name("identity.json").read_text())
    rows = [json.loads(row) for row in result.with_name("metrics.jsonl").read_text().splitlines()]
    weights = [row["values"]["train/weight.near"] for row in rows if "train/weight.near" in row["values"]]
    assert json.loads(result.read_text())["status"] == "finished"
    origin = identity["code"]["dataset/two_tones"]
    assert origin["distribution"].replace("_", "-") == "mmspec-example-plugin"
    assert min(weights) < 1, "the strategy did nothing"
    assert weights[-1] == 1


def test_its_analysis_tells_tones_apart(python, tmp_path):
    shutil.copytree(EXAMPLE / "specs", tmp_path, dirs_exist_ok=True)
    call(python, "-m", "mmspec", "run", "nearest_mean.toml", folder=tmp_path)

    (result,) = tmp_path.glob("runs/nearest_mean/*/result.json")
    values = json.loads(result.read_text())["values"]
    assert values["apart/accuracy"] > 0.55
    assert values["chance/accuracy"] < 0.45  # of four classes, with rows that belong to others
    kit = "from mmspec.testing import check_analysis"
    code = f"{kit}; from mmspec_example.nearest_mean import NearestMean; check_analysis(NearestMean())"
    call(python, "-c", code, folder=tmp_path)


def test_this_environment_does_not_have_it():
    from importlib.metadata import distributions

    assert "mmspec-example-plugin" not in {each.name for each in distributions()}
