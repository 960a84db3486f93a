from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest

from mmspec.errors import RecordError
from mmspec.records import RunDirectory, find_runs, load_run

STAGE = {"epochs": 1, "steps": 5, "selected": None, "values": {"test/accuracy": 0.5}}
RESULT = {"values": {"test/accuracy": 0.5}, "stages": {"first": STAGE, "second": STAGE}}


@attrs.frozen
class DrawnGraph:
    name: str

    def to_json(self) -> dict[str, Any]:
        return {"nodes": [], "edges": [], "hash": "0"}


def test_a_new_directory_holds_what_was_asked_for(directory: RunDirectory, spec: dict[str, Any]) -> None:
    assert json.loads((directory.path / "spec.json").read_text()) == spec
    assert (directory.path / "source" / "digits.toml").read_text() == "mmspec = 1\n"
    assert load_run(directory.path).status == "unfinished"
    assert not [path for path in directory.path.parent.iterdir() if path != directory.path]


def test_creating_again_keeps_what_is_there(directory: RunDirectory, spec: dict[str, Any]) -> None:
    directory.row("step", "first", 1, 1, {"train/loss": 2.0})
    again = RunDirectory.create(directory.path, spec={}, identity={}, sources={}, provenance={})
    assert again.spec == spec
    assert len(list(load_run(directory.path).rows())) == 1


def test_of_two_who_create_at_once_one_wins(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda path: False)
        again = RunDirectory.create(directory.path, spec={}, identity={}, sources={}, provenance={})
    assert again.spec == spec
    assert list(directory.path.parent.iterdir()) == [directory.path]


def test_rows_are_read_back_by_kind_name_and_stage(directory: RunDirectory) -> None:
    directory.row("step", "first", 1, 1, {"train/loss": 0.1 + 0.2, "train/other": 1.0})
    directory.row("epoch", "first", 1, 1, {"val/accuracy": 0.5})
    directory.row("step", "second", 1, 1, {"train/loss": math.inf})
    run = load_run(directory.path)
    assert [row.values for row in run.rows("step", ["train/loss"])] == [
        {"train/loss": 0.1 + 0.2},
        {"train/loss": math.inf},
    ]
    assert [row.stage for row in run.rows(stage="second")] == ["second"]
    assert not list(run.rows("epoch", {"train/loss"}))


def test_rewind_drops_later_steps_and_later_stages(directory: RunDirectory) -> None:
    for stage in ("first", "second"):
        for step in (1, 2, 3):
            directory.row("step", stage, step, 1, {"x": float(step)})
    directory.rewind("second", 1)
    rows = [(row.stage, row.step) for row in load_run(directory.path).rows()]
    assert rows == [("first", 1), ("first", 2), ("first", 3), ("second", 1)]
    directory.rewind("first", 2)
    directory.row("step", "first", 3, 1, {"x": 9.0})
    rows = [(row.stage, row.step, row.values["x"]) for row in load_run(directory.path).rows()]
    assert rows == [("first", 1, 1.0), ("first", 2, 2.0), ("first", 3, 9.0)]


@pytest.mark.parametrize("rewind", [True, False])
@pytest.mark.parametrize(
    "torn", ['{"kind": "st', '{"kind"', "\N{EN DASH}", '{"kind": "step", "values": {"x": 1']
)
def test_a_torn_last_row_is_dropped(directory: RunDirectory, torn: str, rewind: bool) -> None:
    directory.row("step", "first", 1, 1, {"x": 1.0})
    with (directory.path / "metrics.jsonl").open("ab") as file:
        file.write(torn.encode()[:-1] if torn == "\N{EN DASH}" else torn.encode())
    assert len(list(load_run(directory.path).rows())) == 1
    again = RunDirectory.open(directory.path)
    if rewind:
        again.rewind("first", 1)
    again.row("step", "first", 2, 1, {"x": 2.0})
    assert [row.step for row in load_run(directory.path).rows()] == [1, 2]


def test_a_damaged_row_in_the_middle_is_an_error_that_names_its_line(directory: RunDirectory) -> None:
    directory.row("step", "first", 1, 1, {"x": 1.0})
    with (directory.path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step"}\n{}\n')
    with pytest.raises(RecordError, match=r"metrics.jsonl:2:1: this row is damaged"):
        list(load_run(directory.path).rows())


def test_status_follows_the_life_of_a_run(directory: RunDirectory) -> None:
    with directory.lock():
        assert load_run(directory.path).status == "running"
        directory.begin(threads=1)
        directory.fail(RuntimeError("out of luck"))
    run = load_run(directory.path)
    assert run.status == "failed"
    assert run.failure is not None
    assert run.failure["error"] == "out of luck"
    assert "RuntimeError: out of luck" in run.failure["traceback"]

    directory.begin(threads=2)
    assert load_run(directory.path).status == "unfinished"
    directory.finish(RESULT)
    run = load_run(directory.path)
    assert (run.status, run.values, run.seed, run.label) == ("finished", {"test/accuracy": 0.5}, 3, "guided")
    assert run.provenance["threads"] == 1
    assert run.provenance["resumed"][0]["threads"] == 2


def test_seconds_add_up_over_processes(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("mmspec.records.directory.time.monotonic", lambda: clock)
    directory.begin()
    clock = 5.0
    directory.progress("first", 1, 2, 5, 10)
    again = RunDirectory.open(directory.path)
    again.begin()
    clock = 8.0
    again.finish(RESULT)
    assert load_run(directory.path).seconds == 8.0


def test_progress_carries_the_last_epochs_values(directory: RunDirectory) -> None:
    directory.row("epoch", "first", 5, 1, {"val/accuracy": 0.5})
    directory.progress("first", 1, 2, 5, 10)
    progress = load_run(directory.path).progress()
    assert (progress["epoch"], progress["epochs"], progress["values"]) == (1, 2, {"val/accuracy": 0.5})


def test_graphs_of_stages_stand_side_by_side(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmspec.records.directory.drawing", lambda graph: "<svg/>")
    directory.graph(DrawnGraph("first"))
    directory.graph(DrawnGraph("second"))
    assert set(json.loads((directory.path / "graph.json").read_text())["stages"]) == {"first", "second"}
    assert directory.picture("second").read_text() == "<svg/>"


@pytest.mark.parametrize("start", [".", "digits", "digits/guided-s3-00000000"])
def test_runs_are_found_from_every_level(directory: RunDirectory, start: str) -> None:
    (directory.path.parent / ".half.tmp").mkdir()
    (directory.path.parent / "notes").mkdir()
    (directory.path.parent / "notes.txt").touch()
    found = find_runs(directory.path.parents[1] / start)
    assert [run.id for run in found.runs] == ["guided-s3-00000000"]
    assert not found.problems


@pytest.mark.parametrize("name", ["spec.json", "identity.json", "result.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_run_is_a_problem_and_hides_no_other(
    directory: RunDirectory, name: str, content: bytes
) -> None:
    other = RunDirectory.create(
        directory.path.with_name("other"),
        spec=directory.spec,
        identity={"id": "other", "spec_hash": "ab"},
        sources={},
        provenance={},
    )
    (directory.path / name).write_bytes(content)
    found = find_runs(directory.path.parent)
    assert [run.path for run in found.runs] == [other.path]
    [problem] = found.problems
    assert problem.where is not None
    assert problem.where.file == str(directory.path / name)


def test_what_is_no_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a run directory"):
        load_run(tmp_path)
    with pytest.raises(RecordError, match="not a run directory"):
        RunDirectory.open(tmp_path)
    assert find_runs(tmp_path / "nowhere").runs == ()


def test_links_lead_to_runs_or_nowhere(directory: RunDirectory, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "run").symlink_to(directory.path)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    assert [run.path for run in find_runs(folder).runs] == [folder / "run"]


def test_runs_share_in_memory_what_is_equal_in_their_specs(directory: RunDirectory) -> None:
    stage = {"name": "first", "train": {"epochs": 1, "momentum": True}}
    odd = {"name": "first", "train": {"epochs": 1.0, "momentum": 1}}
    for seed, said in enumerate((stage, stage, odd)):
        spec = {**directory.spec, "seed": seed, "stages": [said]}
        identity = {"id": f"s{seed}", "spec_hash": str(seed), "code": {"mmspec": {"version": "1"}}}
        path = directory.path.with_name(f"s{seed}")
        RunDirectory.create(path, spec=spec, identity=identity, sources={}, provenance={})
    *_, first, second, third = find_runs(directory.path.parent).runs
    assert first.spec["stages"] is second.spec["stages"]
    assert first.identity["code"] is second.identity["code"]
    assert [run.seed for run in (first, second, third)] == [0, 1, 2]
    assert str(third.spec["stages"]) == str([odd])


def test_what_is_wrong_in_a_file_is_told_by_its_place(directory: RunDirectory) -> None:
    for spec, place in (
        ({**directory.spec, "labels": None}, "labels"),
        ({**directory.spec, "stages": []}, "stages"),
        ({**directory.spec, "stages": [{"name": "a"}, {"name": 1}]}, r"stages\[1\].name"),
        ({**directory.spec, "stages": [{"name": "a", "select": {}}]}, r"stages\[0\].select.metric"),
    ):
        (directory.path / "spec.json").write_text(json.dumps(spec))
        with pytest.raises(RecordError, match=f"is damaged: {place} is missing or wrong"):
            load_run(directory.path)
