"""Reports go to W&B through the real clients: as W&B Reports, else as a run; nothing waits for long."""

from __future__ import annotations

import json
import socket
import time
from types import SimpleNamespace

import pytest
from fake_runs import values_of, write_run
from recorded_elsewhere import hold
from wandb_reports import REPORTS, views
from wandb_server import Fault
from wandb_writing import contents

from mmspec.cli import cli
from mmspec.errors import UserError
from mmspec.records import find_runs
from mmspec.report import render_report
from mmspec.report.to_wandb import parse_target, to_wandb
from mmspec.track.wandb import publish as wandb_publish

REPORT = """
mmspec = 1
title = "Grey & colour: 50 %"
text = "What *each* does."
runs = ["colored_digits"]
rows = { by = "variant" }

[[tables]]
title = "Accuracy"
[[tables.columns]]
group = "test"
label = "shifted"
value = "test/accuracy"
unit = "percent"
better = "max"
[[tables.columns]]
group = "test"
label = "iid"
value = "test_iid/accuracy"

[[texts]]
title = "Words"
text = "Between."

[[figures]]
use = "curves"
title = "Loss"
value = "train/loss"
"""


@pytest.fixture
def made(tmp_path):
    """A report that is written, over two variants with two seeds."""
    for variant in ("none", "guided"):
        for seed in (0, 1):
            write_run(tmp_path / "runs", {"variant": variant}, seed, values_of(variant, seed))
    path = tmp_path / "report.toml"
    path.write_text(REPORT)
    return render_report(path, runs_root=tmp_path / "runs", out=tmp_path / "out")


@pytest.fixture
def publish(made, said):
    def go(target="wandb://lab/digits"):
        return to_wandb(made.document, made.files, parse_target(target), said)

    return go


@pytest.fixture
def reports(server):
    server.operations.update(REPORTS)
    return views(server)


def the_run(server):
    (run,) = [run for run in server.runs.values() if run.bucket.get("jobType") == "report"]
    return run


def test_a_report_becomes_a_w_and_b_report(publish, reports, server, said, tmp_path):
    in_project = find_runs(tmp_path / "runs").runs[0]
    hold(server, in_project)

    address = publish()

    assert said.lines == []
    ((name, view),) = reports.items()
    assert address.startswith(f"{server.url}/lab/digits/reports/")
    assert address.endswith(f"--{name}")
    assert (view["displayName"], view["type"]) == ("Grey & colour: 50 %", "runs")
    blocks = json.loads(view["spec"])["blocks"]
    kinds = [block["type"] for block in blocks if block["type"] != "paragraph"]
    assert kinds == [
        "markdown-block", "heading", "markdown-block", "heading", "markdown-block", "heading", "panel-grid",
        "markdown-block", "heading", "markdown-block",
    ]  # fmt: skip
    words = "\n".join(block["content"] for block in blocks if block["type"] == "markdown-block")
    assert "What \\*each\\* does." in words
    assert f"[{in_project.id}]({server.url}/lab/digits/runs/{in_project.id})" in words.replace("\\", "")
    assert words.count("](http") == 1, "runs that the project does not have are not linked"
    (grid,) = [block for block in blocks if block["type"] == "panel-grid"]
    assert the_run(server).name in json.dumps(grid["metadata"]["runSets"])
    assert not server.unknown


def test_the_run_behind_it_has_tables_pictures_and_files(publish, reports, made, server):
    publish()

    run = the_run(server)
    assert run.bucket["displayName"] == "Grey & colour: 50 %"
    logged = {key: value for row in run.history for key, value in row.items() if not key.startswith("_")}
    assert {key: value["_type"] for key, value in logged.items()} == {
        "02-Accuracy": "table-file", "04-Loss": "image-file",
    }  # fmt: skip
    artifacts = {artifact.type: artifact for artifact in server.artifacts.values()}
    table = json.loads(contents(server, artifacts["run_table"])["02-Accuracy.table.json"])
    assert table["columns"] == ["row", "test / shifted (%)", "test / iid"]
    row = made.document.grids[0].grid.rows[0]
    assert table["data"][0][0] == row.label
    assert table["data"][0][1].startswith(f"{row.cells[0].text} {row.cells[0].spread}")
    files = contents(server, artifacts["report"])
    folder = made.document.folder
    assert files == {path.relative_to(folder).as_posix(): path.read_bytes() for path in made.files}
    assert {"index.html", "table.csv", "report.json"} <= files.keys()


def test_published_again_it_takes_its_own_place_and_nobody_else_s(publish, reports, server):
    publish()
    (first,) = reports
    reports["other"] = {**reports[first], "id": "other", "description": "by hand"}
    spec = reports["other"]["spec"] = "{}"

    publish()

    assert set(reports) == {first, "other"}
    assert reports["other"]["spec"] == spec


def test_without_the_package_there_is_a_run(publish, reports, server, said, monkeypatch):
    monkeypatch.setattr("mmspec.track.optional.find_spec", lambda name: None)

    address = publish()

    assert address == f"{server.url}/lab/digits/runs/{the_run(server).name}"
    assert not reports
    assert 'pip install "mmspec[wandb-reports]"' in said.only


@pytest.mark.parametrize("kind", ["errors", "hang", "nonsense", "die"])
def test_where_no_report_is_taken_there_is_a_run(publish, reports, server, said, monkeypatch, kind):
    monkeypatch.setattr(wandb_publish, "REPORT_TIMEOUT", 4.0)
    server.fault = Fault(kind, on="upsertView")
    began = time.monotonic()

    address = publish()

    assert time.monotonic() - began < 25
    assert address == f"{server.url}/lab/digits/runs/{the_run(server).name}"
    assert said.only.startswith("W&B: no report was made there (")
    assert server.count("upsertView")
    assert not reports


def test_what_is_refused_outright_is_the_user_s_to_know(publish, reports, server):
    server.fault = Fault("errors", on="UpsertBucket")
    began = time.monotonic()

    with pytest.raises(UserError, match="cannot be published to lab/digits in W&B"):
        publish()
    assert time.monotonic() - began < 25


@pytest.mark.parametrize("where", ["UpsertBucket", "CreateArtifact", "PUT /storage"])
def test_a_silent_server_is_told_within_seconds(publish, reports, server, monkeypatch, where):
    monkeypatch.setattr("mmspec.track.wandb.tracker.INIT_TIMEOUT", 2.0)
    monkeypatch.setattr(wandb_publish, "FINISH_TIMEOUT", 2.0)
    server.fault = Fault("hang", on=where)
    began = time.monotonic()

    with pytest.raises(UserError, match="cannot be published to lab/digits in W&B"):
        publish()
    assert time.monotonic() - began < 20


def test_without_key_or_connection_nothing_is_tried(publish, reports, server, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UserError, match="no API key"):
        publish()
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(UserError, match="no connection"):
        publish()
    assert not server.runs


def test_the_project_of_the_runs():
    from mmspec.report.to_wandb import _target_of

    def target(runs, *tracks):
        used = [("row", SimpleNamespace(experiment="digits", spec={"track": track})) for track in tracks]
        return str(_target_of(SimpleNamespace(definition=SimpleNamespace(runs=runs), used=used)))

    mirrored = [{"use": "trackio"}, {"use": "wandb", "entity": "lab", "project": None}]
    assert target(["wandb://a/b?state=finished", "digits"], mirrored) == "a/b"
    assert target(["digits"], mirrored, mirrored, []) == "lab/digits"
    with pytest.raises(UserError, match="which W&B project the report goes to"):
        target(["digits"], [])
    with pytest.raises(UserError, match="its runs are in a/b, c/d"):
        target(["wandb://a/b", "wandb://c/d"])


@pytest.mark.parametrize("text", ["wandb:", "wandb://lab", "trackio://x", "wandb://a/b?group=x", "wandb.ai"])
def test_a_target_that_is_none_is_refused_before_anything_is_made(text, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["report", str(tmp_path / "absent.toml"), "--to", text])

    assert exit_.value.code == 2
    assert "absent.toml" not in capsys.readouterr().err


def test_the_command_publishes(made, reports, server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["report", "report.toml", "--to", "wandb://lab/digits"])

    assert exit_.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"published {server.url}/lab/digits/reports/")
