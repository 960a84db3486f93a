"""The specs and reports on networks and neurons: every published row is there, and equal work is shared."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import tomli

import mmspec
from mmspec.graph.identity import stage_ids
from mmspec.launch.execute import execute
from mmspec.launch.prepare import make_ready, prepare
from mmspec.records import load_run
from mmspec.report.render import render_report

ROOT = Path(__file__).parents[2]
STUDENT = {"use": "squeezenet1_0", "weights": "IMAGENET1K_V1"}
#: Dissimilarities before and after tuning, and of the target.
ARRAYS = ("untuned/val/rdm", "finetune/val/rdm", "finetune/val/rdm_target")
#: The stages of fine-tuning that are those of the sweep over networks.
OF_THE_TEACHER = ("features", "it", "sit", "svm", "rdm")


def published(name):
    """The methods of a published table."""
    content = tomli.loads((ROOT / "reports" / "published" / f"{name}.toml").read_text())
    return [row["method"] for row in content["row"]]


def plans(name):
    """The plans of a spec's runs by (variant, seed)."""
    runs = mmspec.load(ROOT / "specs" / f"{name}.toml").runs
    return {(run.plan.labels["variant"], run.plan.seed): run.plan for run in runs}


def stage(plan, name):
    """What a stage of a plan says, every default filled in."""
    return next(stage.resolved for stage in plan.stages if stage.name == name)


# ---------------------------------------------------------------- what they say


def test_there_is_a_run_for_every_published_row():
    assert list(plans("cadieu_sit")) == [(row, 0) for row in published("neural_sit")]
    rows = [row for row, _ in plans("cadieu_neural")]
    assert rows + published("neural_sit") == published("neural_svm")
    seeds = (0, 1, 2)
    assert list(plans("cadieu_finetune")) == [(r, s) for r in published("neural_gain") for s in seeds]


@pytest.mark.parametrize("name", ["cadieu_finetune", "cadieu_controls"])
def test_the_student_is_the_same_whoever_teaches(name):
    for plan in plans(name).values():
        for each in ("untuned", "before", "finetune", "after"):
            assert stage(plan, each)["modalities"]["image"]["backbone"] == STUDENT
        tuned = stage(plan, "finetune")
        assert (tuned["train"]["batch_size"], tuned["sampler"]["k"]) == (196, 4)
        assert (tuned["optimizer"]["lr"], tuned["optimizer"]["weight_decay"]) == (1e-6, 0)
        assert stage(plan, "after")["init_from"]["stage"] == "finetune"
        assert stage(plan, "untuned")["train"]["epochs"] == 0
        assert stage(plan, "before")["split"] == stage(plan, "after")["split"] == tuned["split"]
        before, after = (stage(plan, each)["analysis"] for each in ("svm_before", "svm_after"))
        assert before == after


def test_whose_dissimilarities_are_the_target():
    found = {row: stage(plan, "finetune") for (row, _), plan in plans("cadieu_finetune").items()}
    assert found["IT-multi"]["reads"]["teacher"]["stage"] == "it"
    assert {row for row, tuned in found.items() if tuned["reads"]["teacher"]["stage"] == "it"} == {"IT-multi"}
    assert all(tuned["reads"]["teacher"]["shuffle"] is None for tuned in found.values())
    assert all(tuned["train"]["epochs"] == 125 for tuned in found.values())


def test_controls_differ_in_what_cannot_be_learned_and_in_nothing_else():
    tuned = {row: stage(plan, "finetune") for (row, _), plan in plans("cadieu_controls").items()}
    teacher = {row: each["reads"]["teacher"] for row, each in tuned.items()}
    shuffled = [row for row, read in teacher.items() if read["shuffle"] == "object"]
    assert shuffled == [row for row in tuned if row.endswith("objects shuffled")]
    assert len(shuffled) == 2
    own = plans("cadieu_controls")["its own dissimilarities", 0]
    assert stage(own, "features")["modalities"]["image"]["backbone"] == STUDENT
    assert teacher["its own dissimilarities"] == {"stage": "features", "shuffle": None, "seed": 0}
    assert [row for row, each in tuned.items() if each["train"]["epochs"] == 0] == ["no training"]


@pytest.mark.parametrize("smoke", [False, True])
def test_what_is_asked_of_a_teacher_is_asked_once(smoke):
    networks = {row: stage_ids(plan, {}, smoke=smoke) for (row, _), plan in plans("cadieu_sit").items()}
    for (row, _), plan in plans("cadieu_finetune").items():
        if row != "IT-multi":
            ids = stage_ids(plan, {}, smoke=smoke)
            assert [ids[name] for name in OF_THE_TEACHER] == [networks[row][name] for name in OF_THE_TEACHER]
    every = {ids["features"] for ids in networks.values()}
    assert len(every) == 20
    assert len({ids["it"] for ids in networks.values()}) == 1


def test_the_student_is_measured_once_before():
    ids = [stage_ids(plan, {}) for plan in plans("cadieu_finetune").values()]
    for name in ("before", "sit_before", "svm_before", "svm_before_legacy"):
        assert len({of_run[name] for of_run in ids}) == 1
    assert len({of_run["finetune"] for of_run in ids}) == len(ids)


# ---------------------------------------------------------------- in little


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of runs: a network, SqueezeNet 1.0 tuned to it, and a control."""
    folder = tmp_path_factory.mktemp("in_little")
    run_in_little(folder, "cadieu_sit", "SqueezeNet 1.1")
    run_in_little(folder, "cadieu_finetune", "SqueezeNet 1.1", "train.epochs=1")
    run_in_little(folder, "cadieu_controls", "no training")
    return folder


def run_in_little(folder, name, variant, *overrides):
    """Make the smoke run of one variant of a spec, here and now."""
    experiment = mmspec.load(ROOT / "specs" / f"{name}.toml", set=overrides, smoke=True)
    plans = [run.plan for run in experiment.runs if run.plan.labels["variant"] == variant]
    for ready in make_ready(prepare(plans, folder, smoke=True), experiment.document, overrides):
        assert execute(ready.path) == 0, (ready.path / "log.txt").read_text()


def records(folder, experiment):
    """The records of an experiment's runs by variant."""
    runs = [load_run(path) for path in folder.glob(f"*{experiment}/*")]
    return {run.labels["variant"]: run for run in runs}


def test_a_network_is_measured_beside_it(done):
    (run,) = records(done, "cadieu_sit").values()
    assert {"sit/mean", "sit/std", "svm/accuracy", "svm_legacy/accuracy"} <= run.values.keys()
    assert all(math.isfinite(value) for value in run.values.values())
    own, of_it = run.array("rdm/rdm"), run.array("rdm_it/rdm")
    assert own.values.shape == (49, 49)
    assert own.entries == of_it.entries


def test_each_network_is_extracted_once(done):
    logs = "".join(path.read_text() for path in done.glob("*/*/log.txt"))
    tables = {name: logs.count(f" {name}: a table of") for name in ("features", "it", "before", "after")}
    # of SqueezeNet 1.1 in the sweep, not again as a teacher; of SqueezeNet 1.0 for the control
    assert tables == {"features": 2, "it": 1, "before": 1, "after": 2}


def test_tuning_leaves_before_and_after_and_the_target(done):
    (run,) = records(done, "cadieu_finetune").values()
    before, after, target = (run.array(name) for name in ARRAYS)
    assert before.entries == after.entries == target.entries
    assert not np.array_equal(before.values, after.values)
    assert run.array("untuned/val/rdm_target").values == pytest.approx(target.values)
    gain = run.values["svm_after/accuracy"] - run.values["svm_before/accuracy"]
    assert run.values["gain/mean"] == pytest.approx(gain)


def test_without_training_nothing_changes(done):
    run = records(done, "cadieu_controls")["no training"]
    before, after, _ = (run.array(name) for name in ARRAYS)
    assert np.array_equal(before.values, after.values)
    assert run.values["gain/mean"] == run.values["gain_legacy/mean"] == run.values["gain/std"] == 0
    assert run.values["sit_before/mean"] == run.values["sit_after/mean"]


@pytest.fixture
def as_if_real(done, tmp_path):
    """The folder of the same runs, as if they were no smoke runs, which no report takes."""
    for run in done.glob("smoke-*/*"):
        name = run.parent.name.removeprefix("smoke-")
        copy = tmp_path / name / run.name.removeprefix("smoke-")
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("checkpoints"))
        for file, changed in (
            ("spec.json", {"name": name}),
            ("identity.json", {"smoke": False, "id": copy.name}),
        ):
            content = json.loads((copy / file).read_text())
            (copy / file).write_text(json.dumps({**content, **changed}))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("neural_similarity", ("0.5604 ± 0.0313", "65.43 ± 1.66", "31.87 ± 1.7")),
        ("neural_finetuning", ("1.61", "−0.88", "9.86")),
    ],
)
def test_reports_set_published_figures_beside_ours(as_if_real, name, claims):
    out = as_if_real / "out"
    path = ROOT / "reports" / f"{name}.toml"
    made = render_report(path, runs_root=as_if_real, out=out, formats=("markdown", "html"))
    text = (out / "table.md").read_text()
    assert all(claim in text for claim in claims)
    for row in published("neural_gain"):
        assert row.replace(" with batch normalization", " bn") in text
    blocks = tomli.loads(path.read_text())
    assert sum(file.suffix == ".svg" for file in made.files) == len(blocks["figures"])
    values = [column["value"] for table in blocks["tables"] for column in table["columns"]]
    recorded = [run.values for name in ("sit", "finetune") for run in records(as_if_real, name).values()]
    assert [value for value in values if not any(value in run for run in recorded)] == []


@pytest.mark.slow
def test_responses_are_more_like_it_than_a_fresh_network_is(done):
    run_in_little(done, "cadieu_neural", "IT-multi")
    run_in_little(done, "cadieu_neural", "V4-multi")
    (network,) = records(done, "cadieu_sit").values()
    neural = records(done, "cadieu_neural")
    assert neural["IT-multi"].values["sit/mean"] > 0.9
    assert neural["IT-multi"].values["svm/accuracy"] > 0.9  # as they were planted
    assert neural["V4-multi"].values["sit/mean"] > network.values["sit/mean"]


@pytest.mark.slow
def test_a_shuffled_target_has_the_dissimilarities_of_other_objects(done):
    run_in_little(done, "cadieu_controls", "IT, objects shuffled")
    controls = records(done, "cadieu_controls")
    control, shuffled = controls["no training"], controls["IT, objects shuffled"]
    own, other = (run.array(ARRAYS[2]).values for run in (control, shuffled))
    assert np.sort(own.ravel()) == pytest.approx(np.sort(other.ravel()))
    assert not np.allclose(own, other)
    # what is shuffled is the target of tuning, and nothing else
    assert control.values["sit/mean"] == shuffled.values["sit/mean"]


@pytest.mark.slow
def test_all_of_them_in_little(tmp_path):
    for name, count in {
        "cadieu_sit": 20,
        "cadieu_neural": 2,
        "cadieu_finetune": 20,
        "cadieu_controls": 4,
    }.items():
        made = mmspec.load(ROOT / "specs" / f"{name}.toml", smoke=True).run(tmp_path)
        assert len(made) == count
    logs = "".join(path.read_text() for path in tmp_path.glob("*/*/log.txt"))
    assert logs.count(" features: a table of") == 20
