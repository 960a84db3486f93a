"""Smoke runs: plans in little, stand-ins in the cache, and nothing mixed with real runs."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from tiny import TinyData, TinyNet

from mmspec.errors import DataError, PluginError, Problem
from mmspec.graph.identity import identify
from mmspec.launch.prepare import MissingDataError, check_machine, make_ready, prepare
from mmspec.launch.smoke import first_seed, in_words, smoke_plans
from mmspec.launch.standin import stand_in
from mmspec.plugins.plan import RunPlan
from mmspec.plugins.registry import default_registry
from mmspec.plugins.resolve import plan_from_json, resolve
from mmspec.records import RunDirectory
from mmspec.spec.load import read_document
from mmspec_greedy.datasets import ColoredMnist

SPEC = """\
mmspec = 1
name = "digits"
seeds = [3, 4]

[dataset]
use = "colored_mnist"
root = "nowhere"
[modalities.grey]
backbone = "small_cnn"
[modalities.color]
backbone = { use = "small_cnn", channels = [4, 4], strides = [2, 2] }
[fusion]
use = "mmtm"
at = [{ grey = "conv3", color = "conv2" }]
ratio = 2
[optimizer]
use = "sgd"
lr = 0.05
groups = [{ match = "branches.grey.*", lr_scale = 0.5 }]
[train]
epochs = 40
batch_size = 64
eval_batch_size = 4
workers = 6
precision = "bf16"
threads = 2
[train.stop]
metric = "train/accuracy"
reaches = 1.0
[select]
metric = "val/accuracy"
[track]
use = "wandb"
project = "digits"

[[stages]]
name = "first"
train.epochs = 2
[[stages]]
name = "second"
init_from = "first"
evaluate.metrics = ["accuracy", "conditional_utilization"]

[[variants]]
name = "none"
[[variants]]
name = "guided"
balancing = { use = "guided", start_epoch = 20 }

[sweep]
"optimizer.lr" = [0.1, 0.05]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "smoke"


@pytest.fixture
def plans(tmp_path: Path) -> tuple[RunPlan, ...]:
    (tmp_path / "digits.toml").write_text(SPEC)
    return resolve(read_document(tmp_path / "digits.toml"))


# ---------------------------------------------------------------- plans


def test_every_variant_point_and_stage_of_one_seed_in_little(plans):
    made = smoke_plans(first_seed(plans))
    assert [plan.labels for plan in made] == [plan.labels for plan in plans if plan.seed == 3]
    assert {plan.seed for plan in made} == {3}
    for plan in made:
        assert (plan.experiment, plan.trackers) == ("smoke-digits", {})
        first, second = (stage.spec.train for stage in plan.stages)
        assert (first.epochs, second.epochs) == (2, 3)  # never more than the spec's
        for train in (first, second):
            assert (train.batch_size, train.eval_batch_size, train.workers) == (8, 4, 1)
            assert (train.precision, train.threads, train.stop) == ("bf16", 1, None)
    guided = next(plan for plan in made if plan.labels["variant"] == "guided")
    assert guided.stages[0].balancing.start_epoch == 2  # so that it shows in three epochs


def test_a_spec_smaller_than_smoke_stays_as_small(tmp_path):
    overrides = ["train={epochs=1,batch_size=2}", "stages=[{name='train'}]"]
    document = read_document(_written(tmp_path), overrides)
    for plan in smoke_plans(resolve(document)):
        train = plan.stages[0].spec.train
        assert (train.epochs, train.batch_size, train.eval_batch_size) == (1, 2, 4)


def test_the_plan_is_made_again_from_what_is_recorded(plans):
    for plan in smoke_plans(plans):
        again = plan_from_json(json.loads(json.dumps(plan.resolved)))
        assert again == plan
        assert again.stages[0].dataset.check() == []


def test_what_the_spec_says_else_is_kept(plans):
    for plan, small in zip(plans, smoke_plans(plans), strict=True):
        for stage, little in zip(plan.stages, small.stages, strict=True):
            for key in ("split", "modalities", "fusion", "optimizer", "select", "evaluate", "init_from"):
                assert stage.resolved[key] == little.resolved[key]


def test_said_in_a_line(plans, cache):
    assert (
        in_words(smoke_plans(plans))
        == f"on stand-ins in {cache}: 600 training samples of colored_mnist; 3 epochs"
    )


def test_a_small_form_that_does_not_fit_is_the_plugins_mistake(tmp_path):
    @attrs.frozen(kw_only=True)
    class Fewer(TinyNet):
        """Fewer stages in little, so that fusion has no place."""

        stages: int = 2

        def stage_names(self):
            return ("conv1", "conv2")[: self.stages]

        def smoke(self):
            return attrs.evolve(self, stages=1)

    registry = default_registry().with_plugins({("backbone", "fewer"): Fewer})
    overrides = ["fusion.at=['conv2']", *(f"modalities.{m}.backbone='fewer'" for m in ("grey", "color"))]
    plans = resolve(read_document(_written(tmp_path), overrides), registry)
    with pytest.raises(PluginError, match=r"in little, it does not fit.*conv2") as caught:
        smoke_plans(plans, registry)
    assert "smoke()" in str(caught.value.problems[-1].hint)


def _written(folder: Path) -> Path:
    (folder / "digits.toml").write_text(SPEC)
    return folder / "digits.toml"


# ---------------------------------------------------------------- stand-ins


def test_a_stand_in_is_written_once_and_read_again(cache):
    first = stand_in("mnist", ColoredMnist(root=Path("a")), "code")
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    assert first.check() == []
    assert first.root.is_relative_to(cache)
    assert stand_in("mnist", ColoredMnist(root=Path("a")), "code") == first
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == files
    assert len(list(cache.iterdir())) == 1


def test_other_options_or_code_another_stand_in():
    plugin = ColoredMnist(root=Path("a"))
    others = [(plugin, "new code"), (attrs.evolve(plugin, seed=7), "code")]
    roots = {stand_in("mnist", each, code).root for each, code in [(plugin, "code"), *others]}
    assert len(roots) == 3
    assert stand_in("mnist", others[1][0], "code").seed == 7


def test_a_damaged_stand_in_is_written_again():
    plugin = stand_in("mnist", ColoredMnist(root=Path("a")), "code")
    next(plugin.root.rglob("train-images*")).write_bytes(b"half")
    assert stand_in("mnist", ColoredMnist(root=Path("a")), "code").check() == []
    (plugin.root.parent / "plugin.json").write_text("{")
    assert stand_in("mnist", ColoredMnist(root=Path("a")), "code") == plugin


def test_several_processes_make_one_stand_in(cache):
    script = (
        "from pathlib import Path\n"
        "from mmspec.launch.standin import stand_in\n"
        "from mmspec_greedy.datasets import ColoredMnist\n"
        "plugin = stand_in('mnist', ColoredMnist(root=Path('a')), 'code')\n"
        "print(plugin.fingerprint())\n"
    )
    with ThreadPoolExecutor(3) as pool:
        said = list(
            pool.map(
                lambda _: subprocess.run([sys.executable, "-c", script], check=True, capture_output=True),
                range(3),
            )
        )
    assert len({each.stdout for each in said}) == 1
    assert len(list(cache.iterdir())) == 1  # nothing half-made is left


def test_the_cache_may_be_moved(cache, tmp_path, monkeypatch):
    stand_in("mnist", ColoredMnist(root=Path("a")), "code")
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("MMSPEC_CACHE", "elsewhere")
    moved = stand_in("mnist", ColoredMnist(root=Path("a")), "code")
    assert moved.root.is_relative_to(tmp_path / "elsewhere")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="stand-in of mnist cannot be written") as caught:
        stand_in("mnist", ColoredMnist(root=Path("a")), "code")
    assert "MMSPEC_CACHE" in caught.value.problems[0].hint


def test_a_dataset_that_needs_no_files_is_its_own_stand_in():
    assert stand_in("tiny", TinyData(samples=5), "code") == TinyData(samples=5)


@attrs.frozen(kw_only=True)
class Lacking(TinyData):
    """Needs files, and writes no stand-in."""

    def check(self):
        return [Problem("there are no files", hint="ask the author")]


def test_a_dataset_without_stand_in_says_what_it_needs():
    with pytest.raises(DataError, match="smoke run of tiny needs what is not here: there are no files"):
        stand_in("tiny", Lacking(), "code")


@attrs.frozen(kw_only=True)
class Failing(TinyData):
    """Cannot write its stand-in."""

    def write_sample(self, root):
        raise ZeroDivisionError("by no sample")


def test_a_failing_plugin_is_named(cache):
    with pytest.raises(PluginError, match=r"tiny failed to write its stand-in: ZeroDivisionError"):
        stand_in("tiny", Failing(), "code")
    assert list(cache.iterdir()) == []


# ---------------------------------------------------------------- apart from real runs


def test_smoke_runs_lie_apart_and_are_never_stale_to_real_ones(plans, tmp_path):
    document = read_document(tmp_path / "digits.toml")
    small = smoke_plans(plans[:1])
    smoke, real = identify(small[0], {}, smoke=True), identify(small[0], {})
    assert smoke.id.startswith("smoke-none-")
    assert smoke.spec_hash == real.spec_hash
    assert smoke.id.rpartition("-")[2] != real.id.rpartition("-")[2]

    [run] = prepare(small, tmp_path / "runs", smoke=True)
    assert run.path.parent == tmp_path / "runs" / "smoke-digits"
    assert run.identity.smoke
    make_ready([run], document, [])
    RunDirectory.open(run.path).finish({"values": {}, "stages": {}})
    # Even a real run of the same name and spec, in the same folder, has nothing to do with it.
    [other] = prepare(small, tmp_path / "runs")
    assert other.path.parent == run.path.parent
    assert (other.state, other.stale) == ("new", ())
    [again] = prepare(small, tmp_path / "runs", smoke=True)
    assert again.state == "finished"


# ---------------------------------------------------------------- what is missing


@attrs.frozen(kw_only=True)
class Weightless(TinyNet):
    """Lacks its weights."""

    def stage_names(self):
        return ("conv1", "conv2", "conv3")

    def check(self):
        return [Problem("there are no weights")]


def test_all_plugins_say_at_once_what_is_missing(tmp_path):
    registry = default_registry().with_plugins({("backbone", "weightless"): Weightless})
    overrides = ["modalities.grey.backbone='weightless'"]
    plans = resolve(read_document(_written(tmp_path), overrides), registry)
    with pytest.raises(MissingDataError) as caught:
        check_machine(plans)
    assert [p.what.split()[0] for p in caught.value.problems] == ["MNIST", "there"]  # each once
    without = [attrs.evolve(p, stages=tuple(_on(s, TinyData()) for s in p.stages)) for p in plans]
    with pytest.raises(DataError) as caught:
        check_machine(without)
    assert not isinstance(caught.value, MissingDataError)


def _on(stage, dataset):
    return attrs.evolve(stage, dataset=dataset)
