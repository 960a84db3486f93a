"""Commands that look at specs, plugins and runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from mmspec.cli import cli
from mmspec.records import find_runs

Lab = tuple[Any, str]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str, code: int = 0, typed: str | None = None) -> str:
    result = CliRunner().invoke(cli, arguments, input=typed)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def runs(lab: Lab, tmp_path: Path) -> Path:
    """A copy of finished runs, to do things to."""
    shutil.copytree(lab[0].folder / "runs", tmp_path / "runs")
    return tmp_path / "runs"


def test_check_counts_runs(spec: Path) -> None:
    assert invoke("check", str(spec)) == f"{spec}: fine, 4 runs\n"
    assert invoke("check", str(spec), "--no-meta", "--set", "seeds=[1]").endswith("fine, 2 runs\n")


def test_check_prints_all_mistakes_of_a_spec(spec: Path) -> None:
    spec.write_text(spec.read_text().replace("epochs = 1", 'epochs = "1"').replace("mmtm", "mmtn"))
    said = invoke("check", str(spec), "--no-meta", code=2)
    assert said.count("error:") == 2
    assert 'did you mean "mmtm"?' in said
    assert said.endswith(f"2 mistakes in {spec}\n")


def test_graph_as_text_mermaid_and_svg(spec: Path, tmp_path: Path) -> None:
    assert "fusion.conv3" in invoke("graph", str(spec), "--variant", "guided")
    assert "flowchart" in invoke("graph", str(spec), "--format", "mermaid")
    invoke("graph", str(spec), "-o", str(tmp_path / "graph.svg"))
    assert ElementTree.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")
    assert "stages of this spec: train" in invoke("graph", str(spec), "--stage", "first", code=2)


def test_what_cannot_be_written_is_said_in_one_line(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments in (
        ["graph", str(spec), "-o", "nowhere/graph.svg"],
        ["schema", "-o", "nowhere/schema.json"],
        ["data", "pack", str(spec)],
    ):
        result = CliRunner().invoke(cli, arguments, env={"MMSPEC_CACHE": str(tmp_path / "file")})
        assert result.exit_code == 2, result.output
        assert result.output.startswith("error: ")
        assert len(result.output.splitlines()) == 1


def test_diff_of_variants_of_one_spec(spec: Path) -> None:
    said = invoke("diff", f"{spec}@none", f"{spec}@guided")
    assert [line.split() for line in said.splitlines() if line.startswith("balancing.use")] == [
        ["balancing.use", "none", "guided"]
    ]
    assert invoke("diff", str(spec), str(spec)) == "no difference\n"
    assert "variants of this spec" in invoke("diff", str(spec), f"{spec}@guidde", code=2)


def test_diff_of_runs_sees_code_and_data(runs: Path) -> None:
    guided, none = sorted((runs / "tiny").iterdir())
    assert "code.balancing/guided" in invoke("diff", str(guided), str(none))
    shutil.copytree(none, runs / "other")
    identity = json.loads((runs / "other" / "identity.json").read_text())
    identity["data"]["train"] = "0"
    (runs / "other" / "identity.json").write_text(json.dumps(identity))
    [_, row] = invoke("diff", str(none), str(runs / "other")).splitlines()
    assert row.startswith("data.train")


def test_plugins_list_and_show() -> None:
    everything = invoke("plugins", "list")
    assert "colored_digits" in everything
    assert "guided" in invoke("plugins", "list", "balancing")
    assert "colored_digits" not in invoke("plugins", "list", "balancing")
    shown = invoke("plugins", "show", "balancing", "guided")
    for word in ("alpha", "a number", "0.01", "mmspec_greedy.strategies:GuidedBalancing", 'use = "guided"'):
        assert word in shown
    assert 'did you mean "guided"' in invoke("plugins", "show", "balancing", "guidd", code=2)


def test_schema_is_json(tmp_path: Path) -> None:
    invoke("schema", "-o", "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == json.loads(invoke("schema"))


def test_data_check_sample_and_pack(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    said = invoke("data", "check", str(spec))
    assert "split val: 200 samples, for validation" in said
    assert "nothing to write" in invoke("data", "sample", str(spec), "-o", "sample")
    assert "colored_digits, grey: 1.8 MiB in" in invoke("data", "pack", str(spec), "--jobs", "2")
    assert list((tmp_path / "cache").rglob("pack.json"))


def test_a_damaged_pack_is_found(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    assert "packed grey: no\n" in invoke("data", "check", str(spec))
    invoke("data", "pack", str(spec))
    assert "packed grey: 1.8 MiB in" in invoke("data", "check", str(spec))
    packed = next((tmp_path / "cache").rglob("test.samples.npy"))
    packed.write_bytes(packed.read_bytes()[:-1] + b"?")
    assert f"{packed.name} is damaged" in invoke("data", "check", str(spec), code=2)


def test_data_that_are_missing_are_told_where_to_get(spec: Path) -> None:
    overrides = ("--set", "dataset={use='colored_mnist',root='nowhere'}")
    assert "nowhere" in invoke("data", "check", str(spec), *overrides, code=2)
    assert "nowhere" in invoke("run", str(spec), *overrides, code=2)
    said = invoke("data", "sample", str(spec), *overrides, "-o", "sample")
    assert "--set dataset.root=sample" in said
    sampled = ("--set", "dataset={use='colored_mnist',root='sample'}")
    assert "fine" in invoke("data", "check", str(spec), *sampled)


def test_runs_are_listed_by_pattern(runs: Path) -> None:
    assert len(invoke("runs", "list").splitlines()) == 3
    [_, row] = invoke("runs", "list", "guided-*").splitlines()
    assert row.split()[0] == "tiny"
    assert "val/accuracy" in row
    assert "no run matches x" in invoke("runs", "list", "x")
    assert "there are no runs in empty" in invoke("runs", "list", "--runs", "empty")


def test_a_damaged_run_is_listed_as_a_problem(runs: Path) -> None:
    guided, _ = sorted((runs / "tiny").iterdir())
    (guided / "result.json").write_text("{")
    said = invoke("runs", "list")
    assert "result.json: is damaged" in said
    assert "none-s0" in said


def test_a_run_is_shown_by_the_beginning_of_its_id_or_its_path(runs: Path) -> None:
    guided, _ = sorted((runs / "tiny").iterdir())
    assert invoke("runs", "show", "guided") == invoke("runs", "show", str(guided.relative_to(runs.parent)))
    assert "val/accuracy" in invoke("runs", "show", "guided")
    shutil.copytree(guided, runs / "tiny" / "copy")
    assert "several runs begin with" in invoke("runs", "show", "guided-", code=2)


def test_runs_are_removed_after_asking(runs: Path) -> None:
    assert "guided-s0-" in invoke("runs", "remove", "guided-*", typed="n\n", code=130)
    assert len(find_runs(runs).runs) == 2
    assert "removed 1 run" in invoke("runs", "remove", "guided-*", typed="y\n")
    assert [run.labels["variant"] for run in find_runs(runs).runs] == ["none"]
    assert invoke("runs", "remove", "tiny", "--yes") == "removed 1 run\n"
    assert not list((runs / "tiny").iterdir())


def test_report_of_no_runs_says_so(tmp_path: Path) -> None:
    (tmp_path / "report.toml").write_text("nonsense")
    assert "error:" in invoke("report", "report.toml", code=2)
    assert "error:" in invoke("report", "missing.toml", code=2)
