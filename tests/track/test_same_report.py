"""A report says the same of the same runs, wherever they are recorded."""

from __future__ import annotations

import json

import pytest
from fake_runs import rows_of, values_of, write_run
from recorded_elsewhere import hold, record
from wandb_queries import READING

from mmspec.plugins.registry import default_registry
from mmspec.records import find_runs
from mmspec.report import render_report

REPORT = """
mmspec = 1
title = "The same"
runs = [{runs}]
rows = {{ by = "variant" }}

[[tables]]
title = "Accuracy"
baseline = "none"
[[tables.columns]]
label = "test"
value = "test/accuracy"
better = "max"
[[tables.columns]]
label = "u"
value = "test/u(color|grey)"

[[figures]]
use = "curves"
title = "Loss"
value = "train/loss"

[[figures]]
use = "curves"
name = "accuracy"
title = "Accuracy"
value = "val/accuracy"
"""


@pytest.fixture
def runs(tmp_path):
    """Run directories with rows of steps and of epochs."""
    for variant in ("none", "guided"):
        for seed in (0, 1, 2):
            rows = [*rows_of(variant, seed)]
            rows += [
                {"kind": "epoch", "stage": "train", "step": 35 * epoch, "epoch": epoch,
                 "values": {"val/accuracy": epoch / (13 + seed), "train/loss": 1 / epoch}}
                for epoch in range(1, 13)
            ]  # fmt: skip
            rows.sort(key=lambda row: row["step"])
            values = values_of(variant, seed)
            write_run(tmp_path / "runs", {"variant": variant}, seed, values, rows=rows)
    return find_runs(tmp_path / "runs").runs


@pytest.fixture
def render(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))

    def render(name, *entries, formats=("json", "svg", "png")):
        path = tmp_path / f"{name}.toml"
        path.write_text(REPORT.format(runs=", ".join(f"'{entry}'" for entry in entries)))
        out = tmp_path / "out" / name
        report = render_report(
            path, runs_root=tmp_path / "runs", out=out, formats=formats, registry=default_registry()
        )
        return report, out

    return render


def without_addresses(value):
    """What a report says, but for where runs are recorded."""
    if isinstance(value, dict):
        return {k: without_addresses(v) for k, v in value.items() if k not in ("path", "address", "link")}
    return [without_addresses(item) for item in value] if isinstance(value, list) else value


def test_a_report_over_directories_files_and_the_service_is_the_same(server, runs, render, tmp_path):
    server.operations.update(READING)
    for run in runs:
        record(run, tmp_path / "online", mode="online")
        record(run, tmp_path / "offline", mode="offline")
    made = {
        "directories": render("directories", "colored_digits"),
        "service": render("service", "wandb://lab/digits?state=finished"),
        "files": render("files", "wandb-files://offline"),
    }
    said = {name: json.loads((out / "report.json").read_text()) for name, (_, out) in made.items()}
    tables = {name: json.dumps(without_addresses(each["tables"])) for name, each in said.items()}
    pictures = {
        name: {file.name: file.read_bytes() for file in (out / "figures").iterdir()}
        for name, (_, out) in made.items()
    }

    assert "0.2" in tables["directories"]
    assert tables["service"] == tables["directories"]
    assert tables["files"] == tables["directories"]
    assert len(pictures["directories"]) == 4
    assert pictures["service"] == pictures["directories"]
    assert pictures["files"] == pictures["directories"]
    addresses = {run.address for _, run in made["service"][0].document.used}
    assert addresses == {f"{server.url}/lab/digits/runs/{run.id}" for run in runs}


def test_mixed_sources_count_each_run_once(server, runs, render, tmp_path):
    server.operations.update(READING)
    for run in runs:
        hold(server, run)
    record(runs[0], tmp_path / "offline", mode="offline")
    alone, _ = render("alone", "colored_digits", formats=("json",))
    mixed, out = render(
        "mixed",
        "wandb://lab/digits",
        "wandb-files://offline",
        "colored_digits",
        formats=("json", "html", "markdown"),
    )

    assert [run.address for _, run in mixed.document.used] == [run.address for _, run in alone.document.used]
    assert len(mixed.document.selection.copies) == 6
    assert not any(each.differs for each in mixed.document.selection.copies)
    assert "5 runs are recorded in several places" in (out / "table.md").read_text()


def test_a_thousand_runs_are_a_table(server, render, tmp_path):
    server.operations.update(READING)
    for index in range(1000):
        values = {f"test/m{metric}": index * metric % 7 / 3 for metric in range(10)} | {"test/accuracy": 0.5}
        variant = f"v{index % 100}" if index % 100 else "none"
        write_run(tmp_path / "local", {"variant": variant}, index // 100, values, code=str(index))
    for run in find_runs(tmp_path / "local").runs:
        hold(server, run)
    requests = []
    for name in ("first", "second"):
        server.requests.clear()
        report, _ = render(name, "wandb://lab/digits", formats=("csv",))
        requests.append([request for request in server.requests if request.isidentifier()])
        assert len(report.document.used) == 1000

    assert requests == [["Viewer", *["Runs"] * 5]] * 2
