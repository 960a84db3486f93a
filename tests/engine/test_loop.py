"""The loop: what it does equals what a run driven by hand does, and what an interrupted run does."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from tiny import TinyAccuracy, TinyData, run_plan, stage_plan

from mmspec.engine.loop import Interrupted
from mmspec.engine.recorder import Silent
from mmspec.engine.run import execute_run
from mmspec.engine.trainer import Trainer
from mmspec.errors import GraphError, RunError
from mmspec.spec.model import Group, InitFrom, Stop
from mmspec_torch.metrics import ConfusionMatrix


class Rows(Silent):
    """A recorder that keeps rows and messages in lists."""

    def __init__(self):
        self.rows, self.said = [], []

    def row(self, kind, *, stage, step, epoch, values):
        self.rows.append((kind, stage, step, epoch, dict(values)))

    def rewind(self, *, stage, step):
        self.rows = [row for row in self.rows if row[1] == stage and row[2] <= step]

    def say(self, message):
        self.said.append(message)


def weights(folder, stage="train"):
    index = json.loads((folder / stage / "index.json").read_text())
    state = torch.load(folder / stage / index["last"][0]["file"], weights_only=True)
    return state["trainer"]


def selected(folder, result, stage):
    """The network's weights that a stage ended with."""
    file = folder / stage / result.stages[stage].selected.file
    return torch.load(file, weights_only=True)["network"]


def same(a, b):
    """Equal to the last bit, through nested containers."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def test_by_hand_equals_the_loop(tmp_path):
    plan = run_plan(stage_plan(dropout=0.3, dataset=TinyData(shift=1)))
    rows = Rows()
    execute_run(plan, rows, tmp_path)

    trainer = Trainer(plan.stages[0], plan.seed)
    for _ in range(3):
        torch.rand(3)  # what else is drawn in the process must not matter
        for batch in trainer.batches():
            result = trainer.step(batch)
        values = trainer.end_epoch()

    assert same(trainer.state_dict(), weights(tmp_path))
    assert rows.rows[-1] == ("epoch", "train", 18, 3, values)
    assert rows.rows[-2][4]["train/loss"] == float(result.loss)


@pytest.mark.parametrize("every", [1, 4, None])
def test_interrupted_anywhere_ends_the_same(tmp_path, every):
    plan = run_plan(stage_plan(dropout=0.3, checkpoint_every=every, dataset=TinyData(shift=1)))
    whole = Rows()
    expected = execute_run(plan, whole, tmp_path / "whole")

    for asked in (1, 2, 5, 6, 7, 17):
        folder, rows, calls = tmp_path / f"cut-{asked}", Rows(), itertools.count(1)
        with pytest.raises(Interrupted):
            execute_run(plan, rows, folder, should_stop=lambda calls=calls, asked=asked: next(calls) == asked)
        result = execute_run(plan, rows, folder)

        assert result == expected
        assert rows.rows == whole.rows
        assert same(weights(folder), weights(tmp_path / "whole"))


def test_killed_between_any_two_writes_ends_the_same(tmp_path, monkeypatch):
    """A process may die before any file is replaced; what is on disk then must be enough."""
    from mmspec.engine import checkpoint, run

    plan = run_plan(stage_plan(epochs=2, checkpoint_every=2))
    expected = execute_run(plan, Rows(), tmp_path / "whole")
    write = checkpoint.write_whole

    class Killed(BaseException):
        pass

    for dies_at in range(1, 20):
        folder, rows, writes = tmp_path / f"killed-{dies_at}", Rows(), itertools.count(1)

        def dying(path, content, writes=writes, dies_at=dies_at):
            if next(writes) == dies_at:
                raise Killed
            write(path, content)

        for module in (checkpoint, run):
            monkeypatch.setattr(module, "write_whole", dying)
        try:
            execute_run(plan, rows, folder)
            finished = True
        except Killed:
            finished = False
        for module in (checkpoint, run):
            monkeypatch.setattr(module, "write_whole", write)
        assert execute_run(plan, rows, folder) == expected
        if finished:
            break
    assert finished
    assert dies_at > 10


def test_workers_do_not_change_a_bit(tmp_path):
    for workers in (0, 1, 2):
        execute_run(run_plan(stage_plan(workers=workers, dropout=0.2)), Rows(), tmp_path / str(workers))
    assert same(weights(tmp_path / "0"), weights(tmp_path / "1"))
    assert same(weights(tmp_path / "0"), weights(tmp_path / "2"))


def test_packed_data_give_the_same_run(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    for packed in (False, True):
        execute_run(run_plan(stage_plan(packed=packed)), Rows(), tmp_path / str(packed))
    assert same(weights(tmp_path / "False"), weights(tmp_path / "True"))


def test_seeds_differ_and_repeat(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        execute_run(run_plan(seed=seed), Rows(), tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a")["network"], weights(tmp_path / "c")["network"])


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    plan, rows = run_plan(), Rows()
    expected = execute_run(plan, rows, tmp_path)
    (tmp_path / "train" / "result.json").unlink()
    (tmp_path / "train" / "step-18.pt").write_bytes(b"not a checkpoint")

    assert execute_run(plan, rows, tmp_path) == expected
    assert any("step-18.pt cannot be used: its checksum does not match" in line for line in rows.said)


def test_a_checkpoint_cannot_execute_code(tmp_path):
    """A checkpoint that is a pickle with a call in it is refused, even with a right checksum."""
    import hashlib
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    execute_run(run_plan(), Rows(), tmp_path / "run")
    folder = tmp_path / "run" / "train"
    (folder / "result.json").unlink()
    content = pickle.dumps(Evil(), protocol=2)
    index = json.loads((folder / "index.json").read_text())
    for entry in index["last"]:
        (folder / entry["file"]).write_bytes(content)
        entry["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "index.json").write_text(json.dumps(index))

    rows = Rows()
    execute_run(run_plan(), rows, tmp_path / "run")
    assert not (tmp_path / "evil").exists()
    assert sum("cannot be used" in line for line in rows.said) == 2


def test_selects_the_best_epoch_and_measures_it(tmp_path):
    rows = Rows()
    result = execute_run(run_plan(stage_plan(epochs=5)), rows, tmp_path).stages["train"]
    by_epoch = {row[3]: row[4]["val/accuracy"] for row in rows.rows if row[0] == "epoch"}

    assert result.selected.value == max(by_epoch.values()) == result.values["val/accuracy"]
    assert result.selected.epoch == min(e for e, v in by_epoch.items() if v == result.selected.value)

    trainer = Trainer(stage_plan(epochs=5), 0)
    trainer.load_weights(torch.load(tmp_path / "train" / result.selected.file, weights_only=True))
    assert trainer.evaluate("test")["test/accuracy"] == result.values["test/accuracy"]


def test_without_select_the_last_weights_are_the_model(tmp_path):
    result = execute_run(run_plan(stage_plan(select=None)), Rows(), tmp_path).stages["train"]
    assert (result.selected.epoch, result.selected.metric) == (3, None)
    kept = torch.load(tmp_path / "train" / result.selected.file, weights_only=True)
    assert same(kept["network"], weights(tmp_path)["network"])


def test_stops_early(tmp_path):
    plan = stage_plan(epochs=50, stop=Stop(metric="train/loss", reaches=0.0, epochs=2))
    assert execute_run(run_plan(plan), Rows(), tmp_path).stages["train"].epochs == 2


def test_an_unknown_metric_is_named_with_those_there_are(tmp_path):
    with pytest.raises(RunError, match="no metric 'val/acuracy'") as raised:
        execute_run(run_plan(stage_plan(select="val/acuracy")), Rows(), tmp_path)
    assert "val/accuracy" in str(raised.value)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path, monkeypatch):
    import tiny

    monkeypatch.setattr(
        tiny.TinySgd, "build", lambda self, groups: torch.optim.SGD(groups[0]["params"], lr=1e30)
    )
    with pytest.raises(RunError, match="not a number"):
        execute_run(run_plan(stage_plan(epochs=9)), Rows(), tmp_path)


def test_a_later_stage_starts_from_an_earlier_one(tmp_path):
    first = stage_plan(name="first")
    second = stage_plan(name="second", init_from=InitFrom(stage="first", exclude=("branches.b.*",)), epochs=0)
    rows = Rows()
    result = execute_run(run_plan(first, second), rows, tmp_path)
    assert list(result.stages) == ["first", "second"]
    assert any("start fresh" in line for line in rows.said)

    fresh = Trainer(second, 0).network.state_dict()
    kept, own = selected(tmp_path, result, "first"), selected(tmp_path, result, "second")
    assert all(torch.equal(own[name], (fresh if ".b." in name else kept)[name]) for name in own)


def test_a_stage_is_put_together_from_two(tmp_path):
    a = stage_plan(name="a")
    b = stage_plan(name="b", epochs=2, groups=(Group(match="branches.a.*", lr_scale=3.0),))
    parts = (
        InitFrom(stage="a", exclude=("*.head.*",)),
        InitFrom(stage="b", include=("*.head.*",)),
    )
    both = stage_plan(name="both", assemble=parts, epochs=0)
    rows = Rows()
    result = execute_run(run_plan(a, b, both), rows, tmp_path)
    assert not any("start fresh" in line for line in rows.said)

    kept = {stage: selected(tmp_path, result, stage) for stage in ("a", "b")}
    own = selected(tmp_path, result, "both")
    heads = [name for name in own if ".head." in name]
    assert heads
    assert not any(torch.equal(kept["a"][name], kept["b"][name]) for name in heads)
    assert all(torch.equal(own[n], kept["b" if n in heads else "a"][n]) for n in own)


def test_two_stages_cannot_give_the_same_tensor(tmp_path):
    parts = (InitFrom(stage="a"), InitFrom(stage="b", include=("*.head.*",)))
    plans = [stage_plan(name="a"), stage_plan(name="b"), stage_plan(name="both", assemble=parts)]
    with pytest.raises(GraphError, match=r"weights of 'b': 'a' gives branches\.a\.head\.\w+ as well"):
        execute_run(run_plan(*plans), Rows(), tmp_path)


def test_init_from_names_that_match_nothing(tmp_path):
    second = stage_plan(name="second", init_from=InitFrom(stage="first", include=("nothing.*",)))
    with pytest.raises(GraphError, match="no name matches"):
        execute_run(run_plan(stage_plan(name="first"), second), Rows(), tmp_path)


class Arrays(Rows):
    """Keeps arrays as well."""

    def __init__(self):
        super().__init__()
        self.kept = {}

    def arrays(self, *, stage, arrays):
        self.kept |= {(stage, name): array.values.tolist() for name, array in arrays.items()}


@pytest.mark.parametrize("selects", [True, False])
def test_arrays_are_of_the_selected_weights_on_every_split_and_change_no_number(tmp_path, selects):
    select = "val/accuracy" if selects else None
    results, recorders = [], []
    for number, more in enumerate(({}, {"confusion_matrix": ConfusionMatrix()})):
        stage = stage_plan(metrics={"accuracy": TinyAccuracy(), **more}, select=select)
        recorders.append(Arrays())
        results.append(execute_run(run_plan(stage), recorders[-1], tmp_path / str(number)).to_json())
    assert json.dumps(results[0]) == json.dumps(results[1])
    assert recorders[0].rows == recorders[1].rows
    assert not recorders[0].kept
    assert sorted(recorders[1].kept) == [
        ("train", f"{split}/confusion") for split in ("test", "train", "val")
    ]
    for (_, name), counts in recorders[1].kept.items():
        share = sum(counts[i][i] for i in range(3)) / sum(map(sum, counts))
        assert share == pytest.approx(results[1]["values"][name.replace("confusion", "accuracy")])


def test_a_run_cut_off_while_measuring_leaves_the_same_arrays(tmp_path):
    plan = run_plan(stage_plan(metrics={"confusion_matrix": ConfusionMatrix()}, select=None))
    whole, cut = Arrays(), Arrays()
    execute_run(plan, whole, tmp_path / "whole")
    cut.arrays = lambda **said: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        execute_run(plan, cut, tmp_path / "cut")
    again = Arrays()
    execute_run(plan, again, tmp_path / "cut")
    assert again.kept == whole.kept != {}
