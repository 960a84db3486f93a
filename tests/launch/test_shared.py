"""Stages that runs share: an equal one is run once, and gives what it would have given."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

import mmspec
from mmspec.engine.loop import Interrupted
from mmspec.engine.recorder import Silent
from mmspec.graph.identity import stage_ids
from mmspec.launch import shared
from mmspec.launch.execute import execute
from mmspec.launch.prepare import make_ready, prepare
from mmspec.records import RunDirectory, load_run
from mmspec.records.stages import FOLDER, prune

SPEC = """
mmspec = 1
name = "y"
dataset = "colored_digits"
modalities.grey.backbone = "small_cnn"
optimizer = { use = "sgd", lr = 0.05 }
train = { epochs = 1, batch_size = 256, threads = 1 }
[[stages]]
name = "learn"
optimizer.lr = 0.1
[[stages]]
name = "features"
init_from = "learn"
extract = { layer = "features", splits = ["val"] }
[[stages]]
name = "more"
init_from = "learn"
[[variants]]
name = "a"
[[variants]]
name = "b"
optimizer.lr = 0.2
"""


def made(tmp_path, text=SPEC, runs="runs"):
    """The directories of the runs of a spec, ready to be executed."""
    path = tmp_path / "y.toml"
    path.write_text(text)
    experiment = mmspec.load(path)
    plans = [run.plan for run in experiment.runs]
    return make_ready(prepare(plans, tmp_path / runs), experiment.document, ())


def log(path):
    return (path / "log.txt").read_text()


def plain(path, name):
    """The values that a stage came to."""
    return json.loads((path / "checkpoints" / name / "result.json").read_text())["values"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two runs that differ in their last stage, the second after the first."""
    folder = tmp_path_factory.mktemp("shared")
    a, b = made(folder)
    assert execute(a.path) == execute(b.path) == 0
    return a.path, b.path


def test_what_is_equal_is_run_once(pair):
    a, b = pair
    assert "taken from" not in log(a)
    assert log(b).count(f"taken from {a.name}") == 2
    assert plain(a, "more") != plain(b, "more")
    rows = [list(load_run(path).rows(stage="learn")) for path in pair]
    assert rows[0] == rows[1] != []
    assert list(load_run(b).stages) == ["learn", "features", "more"]


def test_it_gives_what_it_would_have_given(pair, tmp_path):
    _, alone = made(tmp_path)
    assert execute(alone.path) == 0  # the other variant has not run here
    assert load_run(alone.path).values == load_run(pair[1]).values
    tables = [path / "checkpoints/features/table/values.npy" for path in (alone.path, pair[1])]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_a_shared_stage_outlives_the_run_that_made_it(pair, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(pair[0].parents[1], runs)
    shutil.rmtree(runs / "y" / pair[0].name)
    shutil.rmtree(runs / FOLDER)
    kept = load_run(runs / "y" / pair[1].name)
    assert kept.values == load_run(pair[1]).values
    assert (kept.path / "checkpoints/features/table/values.npy").stat().st_size > 0


def test_what_no_run_has_any_more_is_removed(tmp_path):
    a, b = made(tmp_path)
    assert execute(a.path) == execute(b.path) == 0
    runs = tmp_path / "runs"
    assert prune(runs) == 0
    shutil.rmtree(a.path)
    assert prune(runs) == 1  # its last stage; the others are the second run's, too
    shutil.rmtree(b.path)
    assert prune(runs) == 3
    assert prune(runs) == 0 == len(list((runs / FOLDER).iterdir()))


def test_equal_stages_have_equal_ids_and_others_none(tmp_path):
    (tmp_path / "y.toml").write_text(SPEC)
    a, b = (run.plan for run in mmspec.load(tmp_path / "y.toml").runs)
    data = {"learn": "1", "features": "1", "more": "1"}
    one, other = stage_ids(a, data), stage_ids(b, data)
    assert [one[name] == other[name] for name in one] == [True, True, False]
    changed = stage_ids(a, {**data, "learn": "2"})
    assert not {changed["learn"], changed["features"], changed["more"]} & set(one.values())
    assert set(stage_ids(a, data, smoke=True).values()).isdisjoint(one.values())
    (tmp_path / "y.toml").write_text(SPEC.replace("threads = 1", "threads = 1, workers = 1"))
    assert stage_ids(mmspec.load(tmp_path / "y.toml").runs[0].plan, data) == one
    (tmp_path / "y.toml").write_text(SPEC.replace("mmspec = 1", "mmspec = 1\nseeds = [1]"))
    assert set(stage_ids(mmspec.load(tmp_path / "y.toml").runs[0].plan, data).values()).isdisjoint(
        one.values()
    )


def test_a_table_is_shared_under_another_name(tmp_path):
    (tmp_path / "y.toml").write_text(SPEC)
    (tmp_path / "z.toml").write_text(SPEC.replace('"features"\ninit', '"teacher"\ninit'))
    a, z = (mmspec.load(tmp_path / f"{name}.toml").runs[0].plan for name in "yz")
    first = stage_ids(a, {"learn": "1", "features": "1"})
    second = stage_ids(z, {"learn": "1", "teacher": "1"})
    assert first["features"] == second["teacher"]


def test_code_that_has_changed_is_not_trusted(tmp_path, monkeypatch):
    (tmp_path / "y.toml").write_text(SPEC)
    plan = mmspec.load(tmp_path / "y.toml").runs[0].plan
    before = stage_ids(plan, {})
    monkeypatch.setattr("mmspec.graph.identity.source_hash", lambda *_: "another")
    assert set(stage_ids(plan, {}).values()).isdisjoint(before.values())


class Told(Silent):
    """A recorder that does something once it is told that the run waits."""

    def __init__(self, then):
        self.said, self.then = [], then

    def say(self, message):
        self.said.append(message)
        if "waiting" in message:
            self.then()


def shares(run, recorder, should_stop=lambda: False):
    ids = stage_ids(run.plan, run.identity.data)
    return shared.SharedFolder(RunDirectory.open(run.path), recorder, ids, should_stop)


def test_who_comes_second_waits(tmp_path):
    a, b = made(tmp_path)
    stage = a.plan.stages[0]
    first = shares(a, Silent())

    def finish():
        folder = a.path / "checkpoints" / "learn"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{}")
        first.publish(stage)
        working.close()

    told = Told(finish)
    with ExitStack() as working:
        assert not working.enter_context(first.turn(stage))
        with shares(b, told).turn(stage) as had:
            assert had
    assert "another run works on the same stage" in told.said[0]
    assert (b.path / "checkpoints/learn/result.json").exists()


def test_who_waits_can_be_stopped(tmp_path):
    a, b = made(tmp_path)
    stage = a.plan.stages[0]
    with (
        shares(a, Silent()).turn(stage),
        pytest.raises(Interrupted),
        shares(b, Silent(), lambda: True).turn(stage),
    ):
        pass


def test_without_links_files_are_copied(tmp_path, monkeypatch):
    (tmp_path / "from/deep").mkdir(parents=True)
    (tmp_path / "from/deep/file").write_text("x")
    (tmp_path / "from/step-3.pt").write_text("x")

    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    shared._link(tmp_path / "from", tmp_path / "to", but="step-*.pt")
    assert [path.name for path in Path(tmp_path / "to").rglob("*") if path.is_file()] == ["file"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    a, _ = made(tmp_path)
    (tmp_path / "runs" / FOLDER).write_text("a file where the folder should be")
    assert execute(a.path) == 0
    assert "not shared with other runs" in log(a.path)
    assert load_run(a.path).status == "finished"


def test_a_run_that_lies_elsewhere_shares_nothing(tmp_path):
    a, _ = made(tmp_path)
    moved = tmp_path / "elsewhere" / "run"
    moved.parent.mkdir()
    a.path.rename(moved)
    assert execute(moved) == 0
    assert not (tmp_path / FOLDER).exists()
