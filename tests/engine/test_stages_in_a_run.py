"""Stages that read what others have left, and stages that measure and train nothing."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from test_loop import Rows, same, selected, weights
from tiny import (
    TinyAnalysis,
    TinyData,
    TinyObjective,
    analysis_plan,
    extract_plan,
    run_plan,
    stage_plan,
)
from torch.nn.functional import mse_loss

from mmspec.data.samplers import KPerGroup
from mmspec.data.table_files import read_table
from mmspec.data.transforms import check_transforms
from mmspec.engine.run import execute_run
from mmspec.engine.trainer import Trainer
from mmspec.errors import DataError, GraphError, RunError
from mmspec.plugins.api import AnalysisResult, RandomShift, Schedule
from mmspec.plugins.registry import default_registry
from mmspec.plugins.working import Batch
from mmspec.spec.model import Evaluate, InitFrom, Read

SEEN: list[Batch] = []


def towards(features, target):
    """How far features are from a target of their shape."""
    return mse_loss(features, target) if features.shape == target.shape else target.sum() * 0


@attrs.frozen(kw_only=True)
class Towards(TinyObjective):
    """Cross-entropy, and features towards those of the table `target`."""

    def build(self):
        plain = super().build()

        def terms(output, batch):
            SEEN.append(batch)
            target = batch.tables["target"]
            return {m: x + towards(output.features[m], target) for m, x in plain(output, batch).items()}

        return terms


def teacher(**options):
    return extract_plan(name="teacher", modality="a", **options)


def taught(read="teacher", **options):
    read = read if isinstance(read, Read) else Read(stage=read)
    return stage_plan(name="taught", objective=Towards(), reads={"target": read}, **options)


# ---------------------------------------------------------------- tables in training


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_hold_the_rows_of_their_samples(tmp_path, workers):
    SEEN.clear()
    execute_run(run_plan(teacher(), taught(workers=workers, epochs=2)), Rows(), tmp_path)
    table = read_table(tmp_path / "teacher" / "table", "teacher")
    sources = TinyData().open(("a",))
    splits = {len(source): None for source in sources.values()}
    assert len(splits) == 1
    assert len(SEEN) > 12
    rows = {tuple(row.tolist()): number for number, row in enumerate(np.asarray(table.values))}
    met = set()
    for batch in SEEN:
        found = [rows[tuple(row)] for row in batch.tables["target"].tolist()]
        assert table.targets[found].tolist() == batch.target.tolist()
        split = {table.splits[number] for number in found}
        assert len(split) == 1  # those of the batch's own split
        source = sources[split.pop()]
        assert table.ids[found].tolist() == source.ids[batch.index].tolist()
        pairs = np.array(batch.group_names["pair"])[batch.groups["pair"]]
        assert pairs.tolist() == source.groups["pair"][batch.index].astype(str).tolist()
        met.update(found)
    assert len(met) >= 44  # training and validation; test as well at the end


def test_a_table_teaches_and_a_shuffled_one_teaches_otherwise(tmp_path):
    reads = {
        "plain": Read(stage="teacher"),
        "again": Read(stage="teacher", shuffle=None, seed=3),
        "shuffled": Read(stage="teacher", shuffle="samples"),
        "other": Read(stage="teacher", shuffle="samples", seed=1),
        "groups": Read(stage="teacher", shuffle="pair"),
    }
    for name, read in reads.items():
        execute_run(run_plan(teacher(), taught(read)), Rows(), tmp_path / name)
    states = {name: weights(tmp_path / name, "taught")["network"] for name in reads}
    assert same(states["plain"], states["again"])
    others = [name for name in reads if not same(states["plain"], states[name])]
    assert others == ["shuffled", "other", "groups"]
    assert not same(states["shuffled"], states["other"])


def test_tables_take_the_precision_of_the_stage(tmp_path):
    SEEN.clear()
    execute_run(run_plan(teacher(), taught(precision="float64", epochs=1)), Rows(), tmp_path)
    assert {batch.tables["target"].dtype for batch in SEEN} == {torch.float64}


def test_whole_numbers_can_be_a_target(tmp_path):
    SEEN.clear()
    execute_run(run_plan(teacher(layer="input"), taught(epochs=1)), Rows(), tmp_path)
    assert SEEN[0].tables["target"].dtype == torch.float32
    assert SEEN[0].tables["target"].shape == (4, 32)


def test_a_split_that_the_table_does_not_have_is_told(tmp_path):
    with pytest.raises(DataError, match="has no features of 22 samples") as error:
        execute_run(run_plan(teacher(splits=("train", "val")), taught()), Rows(), tmp_path)
    assert "extract the splits that they are in" in str(error.value)
    plan = run_plan(teacher(splits=("train", "val")), taught(evaluate=Evaluate(splits=("val",))))
    assert "val/accuracy" in execute_run(plan, Rows(), tmp_path / "not needed").values


def test_the_same_sample_in_two_test_splits_has_the_row_of_its_own(tmp_path):
    """As colored_digits: test and test_iid are the same digits in other colours."""

    class Twice(TinyData):
        def describe(self):
            splits = {"train": "train", "val": "validation", "test": "test", "iid": "test"}
            return attrs.evolve(super().describe(), splits=splits)

        def open(self, modalities):
            sources = super().open(modalities)
            arrays = {m: 255 - x for m, x in sources["test"].arrays.items()}
            return {**sources, "iid": attrs.evolve(sources["test"], arrays=arrays)}

    SEEN.clear()
    data = Twice()
    execute_run(run_plan(teacher(dataset=data), taught(dataset=data, epochs=0)), Rows(), tmp_path)
    table = read_table(tmp_path / "teacher" / "table", "teacher")
    for split in ("test", "iid"):
        wanted = table.of_splits([split]).values
        assert any(np.array_equal(batch.tables["target"], wanted[:4]) for batch in SEEN)
    less = teacher(dataset=data, splits=("test", "iid"))
    with pytest.raises(DataError, match="has no features of 22 samples"):
        execute_run(run_plan(less, taught(dataset=data)), Rows(), tmp_path / "less")


# ---------------------------------------------------------------- measuring alone


def test_a_stage_of_no_epochs_measures_as_a_bare_evaluation(tmp_path):
    first = stage_plan()
    measured = stage_plan(name="measured", epochs=0, init_from=InitFrom(stage="train"))
    rows = Rows()
    result = execute_run(run_plan(first, measured), rows, tmp_path)

    trainer = Trainer(measured, 0)
    trainer.network.load_state_dict(selected(tmp_path, result, "train"))
    wanted = {}
    for split in ("train", "val", "test"):
        wanted |= trainer.evaluate(split)
    assert result.stages["measured"].values == wanted
    assert {name: result.values[name] for name in wanted} == wanted
    assert same(selected(tmp_path, result, "measured"), selected(tmp_path, result, "train"))
    assert result.stages["measured"].epochs == result.stages["measured"].steps == 0
    assert not [row for row in rows.rows if row[1] == "measured"]
    trained = result.stages["train"].values
    assert result.values["train/val/accuracy"] == trained["val/accuracy"] == wanted["val/accuracy"]


@pytest.mark.parametrize("select", [None, "val/accuracy"])
def test_select_does_no_harm_where_nothing_is_trained(tmp_path, select):
    result = execute_run(run_plan(stage_plan(epochs=0, select=select)), Rows(), tmp_path / "run")
    assert result.stages["train"].selected.epoch == 0
    assert result.stages["train"].selected.metric is None
    assert {name.split("/")[0] for name in result.values} == {"train", "val", "test"}
    again = execute_run(run_plan(stage_plan(epochs=0, select=select)), Rows(), tmp_path / "run")
    assert again == result


@pytest.mark.parametrize("name", default_registry().names("schedule"))
def test_every_schedule_is_built_where_nothing_is_trained(tmp_path, name):
    required = {
        "step": {"step_size": 2}, "multistep": {"milestones": (1, 3)}, "exponential": {"gamma": 0.5},
    }  # fmt: skip
    schedule: Schedule = default_registry().find("schedule", name).load()(**required.get(name, {}))
    result = execute_run(run_plan(stage_plan(epochs=0, schedule=schedule)), Rows(), tmp_path)
    assert "test/accuracy" in result.values


def test_what_cannot_be_sampled_can_be_measured(tmp_path):
    """Two pictures of a pair each: nothing for batches of nine of each."""
    sampler = KPerGroup(k=9, group="pair")
    with pytest.raises(DataError):
        execute_run(run_plan(stage_plan(sampler=sampler)), Rows(), tmp_path / "trained")
    assert execute_run(run_plan(stage_plan(sampler=sampler, epochs=0)), Rows(), tmp_path / "measured").values


# ---------------------------------------------------------------- random transforms


@attrs.frozen(kw_only=True)
class Shifted(TinyData):
    """Moves samples at random in these roles."""

    roles: tuple[str, ...] = ("train",)

    def augmentations(self, modality, role):
        return (RandomShift(stream="x", pixels=1),) if role in self.roles else ()


def test_training_samples_are_measured_without_what_is_random(tmp_path):
    check_transforms(stage_plan(dataset=Shifted()))
    moved, still = (
        execute_run(run_plan(stage_plan(dataset=data, epochs=0)), Rows(), tmp_path / str(i)).values
        for i, data in enumerate((Shifted(), TinyData()))
    )
    assert moved == still


@pytest.mark.parametrize("role", ["validation", "test"])
def test_random_transforms_are_refused_where_nothing_is_trained(tmp_path, role):
    plan = stage_plan(dataset=Shifted(roles=("train", role)))
    for act in (check_transforms, lambda plan: Trainer(plan, 0)):
        with pytest.raises(GraphError, match=rf"a of splits of {role} at random \(RandomShift\)") as error:
            act(plan)
        assert "evaluate.random_transforms = true allows it" in str(error.value)
    allowed = stage_plan(
        dataset=Shifted(roles=("train", role)), evaluate=Evaluate(random_transforms=True), epochs=1
    )
    check_transforms(allowed)
    a, b = (execute_run(run_plan(allowed), Rows(), tmp_path / x).values for x in "ab")
    assert a == b


# ---------------------------------------------------------------- analyses


def analysed(tmp_path, *stages, rows=None):
    return execute_run(run_plan(*stages), rows or Rows(), tmp_path)


def test_an_analysis_reads_what_stages_have_left(tmp_path):
    rows = Rows()
    stages = stage_plan(), extract_plan(modality="a", init_from=InitFrom(stage="train"))
    result = analysed(tmp_path, *stages, analysis_plan(features="features", model="train"), rows=rows)
    table = read_table(tmp_path / "features" / "table", "features")
    assert result.values["analysis/mean"] == float(table.values.mean())
    assert result.values["analysis/val accuracy"] == result.values["val/accuracy"]
    assert result.values["val/accuracy"] == result.stages["train"].values["val/accuracy"]
    assert "analysis: 66 rows" in rows.said
    assert result.stages["features"].values == {}


def test_an_analysis_reads_an_analysis_and_shuffled_tables(tmp_path):
    class Order(TinyAnalysis):
        def analyse(self, inputs, *, workers):
            order = inputs["features"].table.values[:, 0]
            values = {"first": float(order[0]), "sum": float(order.sum())}
            return AnalysisResult(values | {"heard": inputs["model"].values.get("plain/first", 0.0)})

    result = analysed(
        tmp_path,
        extract_plan(modality="a"),
        analysis_plan(name="plain", analysis=Order(), features="features", model="features"),
        analysis_plan(
            name="control",
            analysis=Order(),
            features=Read(stage="features", shuffle="samples"),
            model="plain",
        ),
    )
    assert result.values["control/first"] != result.values["plain/first"]
    assert result.values["control/sum"] == pytest.approx(result.values["plain/sum"], rel=1e-5)
    assert result.values["control/heard"] == result.values["plain/first"]
    assert list(result.stages) == ["features", "plain", "control"]


def test_an_analysis_that_gives_something_else_than_numbers_is_told(tmp_path):
    def gives(values, arrays=None):
        class Odd(TinyAnalysis):
            def analyse(self, inputs, *, workers):
                return AnalysisResult(values, arrays or {})

        stages = (
            extract_plan(modality="a"),
            analysis_plan(analysis=Odd(), features="features", model="features"),
        )
        return lambda: analysed(tmp_path, *stages)

    for values, told in (
        ({"it": "high"}, r"stage analysis: its analysis gives 'it' as str, not a number"),
        ({"it": np.ones(3)}, r"'it' as ndarray, not a number"),
        ({"a/b": 1.0}, r"the name 'a/b'"),
        ({3: 1.0}, r"the name 3"),
    ):
        with pytest.raises(RunError, match=told):
            gives(values)()
    assert gives({"it": np.float32(0.5), "n": 3})().values == {"analysis/it": 0.5, "analysis/n": 3.0}
