"""A stage that writes a feature table: to the bit what a plain forward in evaluation gives."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
import torch
from test_loop import Rows, selected
from tiny import TinyData, TinyNet, extract_plan, run_plan, stage_plan
from torch import nn

from mmspec.data.table_files import read_table
from mmspec.data.transforms import check_transforms
from mmspec.engine.extraction import Extraction
from mmspec.engine.loop import Interrupted
from mmspec.engine.run import execute_run
from mmspec.errors import DataError, GraphError
from mmspec.graph.graph import build_graph
from mmspec.graph.network import build_network, infer_shapes
from mmspec.plugins.api import ArraySource, CenterCrop, Cut, HorizontalFlip, RandomCrop, RandomShift
from mmspec.spec.model import InitFrom, Split


def extracted(plan, folder, seed=0):
    """The table that a stage writes."""
    Extraction(plan, seed).write(folder, {}, lambda *_: None)
    return read_table(folder, plan.name)


def bare(plan, seed=0, dtype=torch.float32, weights=None, size=4):
    """A loop by hand: batches of features and logits of each branch, and of what each module gives."""
    network = (
        build_network(plan, infer_shapes(plan), seed).to(dtype, memory_format=torch.channels_last).eval()
    )
    if weights is not None:
        network.load_state_dict(weights)
    given: dict[str, list] = {}

    def keep(name):
        return lambda _, __, output: given.setdefault(name, []).append(output)

    for m in plan.backbones:
        for name, module in network.branches[m].named_modules():
            module.register_forward_hook(keep(f"{m}: {name}"))
    factor = torch.tensor(1 / 255 / 0.5, dtype=torch.float64).to(dtype)
    for source in plan.dataset.open(tuple(plan.backbones)).values():
        for start in range(0, len(source), size):
            raw = {m: torch.from_numpy(x[start : start + size]) for m, x in source.arrays.items()}
            inputs = {m: x.to(dtype, memory_format=torch.channels_last) * factor - 1 for m, x in raw.items()}
            with torch.no_grad():
                output = network(inputs)
            for m in plan.backbones:
                given.setdefault(f"{m}: features", []).append(output.features[m])
                given.setdefault(f"{m}: logits", []).append(output.logits[m])
    return given


def rows(batches, pool="flatten"):
    """Batches of a layer's output as one array (N, D)."""
    averaged = pool == "mean" and batches[0].ndim > 2
    return torch.cat([x.flatten(2).mean(2) if averaged else x.flatten(1) for x in batches]).numpy()


LAYERS = ["stages.one", "stages.one.0", "stages.one.1", "stages.two.1", "pool", "pool.0", "head"]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("modality", ["a", "b"])
def test_it_equals_a_plain_forward_to_the_bit(tmp_path, precision, modality):
    dtype = getattr(torch, precision)
    expected = bare(extract_plan(), dtype=dtype)
    for layer in ("features", "logits", *LAYERS):
        for pool in ("flatten", "mean"):
            plan = extract_plan(layer=layer, modality=modality, pool=pool, precision=precision)
            table = extracted(plan, tmp_path / f"{layer}-{pool}")
            wanted = rows(expected[f"{modality}: {layer}"], pool)
            assert table.values.dtype == wanted.dtype == np.dtype(precision)
            assert np.array_equal(table.values, wanted), (layer, pool)


def test_rows_carry_their_samples(tmp_path):
    plan = extract_plan(modality="a", splits=("test", "train"))
    table = extracted(plan, tmp_path / "table")
    sources = TinyData().open(("a",))
    both = [sources["test"], sources["train"]]
    assert table.ids.tolist() == [i for source in both for i in source.ids]
    assert table.targets.tolist() == [t for source in both for t in source.targets]
    assert table.splits.tolist() == ["test"] * 22 + ["train"] * 22
    assert table.grouping("pair").tolist() == [p for source in both for p in source.groups["pair"]]
    assert table.classes == tuple("xyz")
    whole = extracted(extract_plan(modality="a"), tmp_path / "whole")
    assert np.array_equal(whole.of_splits(["test"]).values, table.of_splits(["test"]).values)
    assert np.array_equal(whole.matched(table).values, table.values)


def test_only_groups_of_all_splits_are_kept(tmp_path):
    class Uneven(TinyData):
        def open(self, modalities):
            sources = super().open(modalities)
            sources["test"].groups = {"pose": sources["test"].ids}
            return sources

    table = extracted(extract_plan(modality="a", dataset=Uneven()), tmp_path / "table")
    assert table.groups == {}


@pytest.mark.parametrize("options", [{"workers": 1}, {"packed": True}, {"workers": 1, "packed": True}])
def test_how_samples_are_read_changes_nothing(tmp_path, monkeypatch, options):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))
    for layer in ("features", "input"):
        plain = extracted(extract_plan(modality="a", layer=layer), tmp_path / f"plain-{layer}")
        other = extracted(extract_plan(modality="a", layer=layer, **options), tmp_path / f"other-{layer}")
        assert np.array_equal(plain.values, other.values)
        assert plain.values.dtype == other.values.dtype


@pytest.mark.parametrize("size", [1, 5, 22, 64])
def test_other_batches_give_nearly_the_same(tmp_path, size):
    tables = [
        extracted(extract_plan(modality="b", batch_size=n), tmp_path / str(n)).values for n in (4, size)
    ]
    assert np.allclose(*tables, rtol=1e-5, atol=1e-6)
    assert np.array_equal(tables[1], rows(bare(extract_plan(), size=size)["b: features"]))


def test_other_seeds_give_other_features(tmp_path):
    tables = [extracted(extract_plan(modality="a"), tmp_path / str(seed), seed).values for seed in (0, 0, 1)]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


def test_without_fusion_a_branch_is_as_if_alone(tmp_path):
    beside = extracted(extract_plan(modality="a", fusion=False), tmp_path / "beside")
    alone = extracted(extract_plan(modalities=("a",)), tmp_path / "alone")
    fused = extracted(extract_plan(modality="a"), tmp_path / "fused")
    assert np.array_equal(beside.values, alone.values)
    assert not np.array_equal(beside.values, fused.values)


def test_without_fusion_nothing_else_is_read_or_computed(tmp_path):
    plan = extract_plan(modality="b", fusion=False, layer="stages.one")
    stage = Extraction(plan, 0)
    ran = []
    for name, module in stage.network.named_modules():
        module.register_forward_hook(lambda _, __, ___, name=name: ran.append(name))
    stage.write(tmp_path / "table", {}, lambda *_: None)
    assert {name.rpartition(".")[0] for name in ran} == {"branches.b.stages", "branches.b.stages.one"}
    assert list(next(iter(stage.sources.values())).arrays) == ["b"]


def test_the_memory_layout_changes_nothing_but_rounding(tmp_path):
    for layer in ("stages.one", "features"):
        tables = [
            extracted(
                extract_plan(modality="a", layer=layer, channels_last=last), tmp_path / f"{layer}{last}"
            )
            for last in (False, True)
        ]
        assert np.allclose(tables[0].values, tables[1].values, rtol=1e-4, atol=1e-5)


def test_bf16_is_written_as_float32(tmp_path):
    whole = [extracted(extract_plan(modality="a", precision=p), tmp_path / p) for p in ("bf16", "float32")]
    assert whole[0].values.dtype == np.float32
    assert np.allclose(whole[0].values, whole[1].values, atol=0.05)
    assert not np.array_equal(whole[0].values, whole[1].values)


# ---------------------------------------------------------------- samples themselves


def test_samples_are_written_as_the_dataset_has_them(tmp_path):
    arrays = [source.arrays["b"] for source in TinyData().open(("b",)).values()]
    whole = np.concatenate(arrays).reshape(66, -1)
    table = extracted(extract_plan(layer="input", modality="b", batch_size=5), tmp_path / "table")
    assert table.values.dtype == np.uint8
    assert np.array_equal(table.values, whole)
    mean = extracted(extract_plan(layer="input", modality="b", pool="mean"), tmp_path / "mean")
    assert mean.values.dtype == np.float64
    assert np.array_equal(mean.values, whole.reshape(66, 2, 16).mean(2))


@attrs.frozen(kw_only=True)
class Uncut(TinyData):
    """Sources hold more than the network sees."""

    cut: bool = True
    drawn: bool = False

    def describe(self):
        info = super().describe()
        smaller = {m: attrs.evolve(each, shape=(2, 2, 2)) for m, each in info.modalities.items()}
        return attrs.evolve(info, modalities=smaller)

    def augmentations(self, modality, role):
        if not self.cut:
            return ()
        random = role == "train" or self.drawn
        return (RandomCrop(stream="x", shape=(2, 2)) if random else CenterCrop(shape=(2, 2)),)


def test_samples_are_cut_as_in_evaluation_in_training_splits_too(tmp_path):
    table = extracted(extract_plan(layer="input", modality="a", dataset=Uncut()), tmp_path / "table")
    arrays = [source.arrays["a"] for source in TinyData().open(("a",)).values()]
    assert np.array_equal(table.values, np.concatenate(arrays)[:, :, 1:3, 1:3].reshape(66, -1))
    features = extracted(extract_plan(modality="a", dataset=Uncut()), tmp_path / "features")
    again = extracted(extract_plan(modality="a", dataset=Uncut()), tmp_path / "again", seed=0)
    assert np.array_equal(features.values, again.values)


def test_samples_that_are_not_as_described_are_told(tmp_path):
    plan = extract_plan(layer="input", modality="a", dataset=Uncut(cut=False))
    with pytest.raises(DataError, match=r"samples of a in split train are \(2, 4, 4\), not \(2, 2, 2\)"):
        extracted(plan, tmp_path / "table")
    assert not list(tmp_path.iterdir())


def test_random_transforms_are_refused_and_allowed(tmp_path):
    for layer in ("features", "input"):
        plan = extract_plan(layer=layer, modality="a", dataset=Uncut(drawn=True))
        for act in (check_transforms, lambda plan: extracted(plan, tmp_path / "table")):
            with pytest.raises(GraphError, match=r"changes a .* at random \(RandomCrop\)") as error:
                act(plan)
            assert "extract.random_transforms = true allows it" in str(error.value)
        allowed = attrs.evolve(
            plan,
            spec=attrs.evolve(plan.spec, extract=attrs.evolve(plan.spec.extract, random_transforms=True)),
        )
        check_transforms(allowed)
        tables = [extracted(allowed, tmp_path / f"{layer}-{i}", seed) for i, seed in enumerate((0, 0, 1))]
        assert np.array_equal(tables[0].values, tables[1].values)
        assert not np.array_equal(tables[0].values, tables[2].values)
        assert allowed.is_random


def test_only_transforms_of_splits_that_are_written_matter(tmp_path):
    class RandomTest(TinyData):
        def augmentations(self, modality, role):
            return (RandomShift(stream="x", pixels=1),) if role == "test" else ()

    plan = extract_plan(modality="a", dataset=RandomTest(), splits=("train", "val"))
    check_transforms(plan)
    extracted(plan, tmp_path / "table")
    with pytest.raises(GraphError, match="splits of test at random"):
        check_transforms(extract_plan(modality="a", dataset=RandomTest()))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_flip_that_is_certain_is_not_random(p):
    class Mirrored(TinyData):
        def augmentations(self, modality, role):
            return (HorizontalFlip(stream="x", p=p),)

    check_transforms(extract_plan(modality="a", dataset=Mirrored()))


# ---------------------------------------------------------------- what depends on the seed


def test_whether_the_seed_matters():
    @attrs.frozen(kw_only=True)
    class Given(TinyNet):
        is_random = False

    def given(**options):
        plan = extract_plan(modality="a", fusion=False, **options)
        return attrs.evolve(plan, backbones=dict.fromkeys(plan.backbones, Given()))

    assert extract_plan(modality="a").is_random
    assert not extract_plan(modality="a", layer="input").is_random
    assert not extract_plan(modality="a", init_from=InitFrom(stage="train")).is_random
    assert not given().is_random
    assert not given(layer="stages.one").is_random
    assert given(layer="logits").is_random  # the classifier is drawn, whatever the backbone's weights are
    assert given(layer="head").is_random
    assert attrs.evolve(given(), fusion=extract_plan().fusion).is_random


# ---------------------------------------------------------------- layers that are none


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("stages.tow", "branch a has no layer 'stages.tow'"),
        ("stages.one.7", "branch a has no layer 'stages.one.7'"),
        ("stages.one.0.weight", "branch a has no layer 'stages.one.0.weight'"),
        ("stages", "stages takes no part in a forward pass"),
    ],
)
def test_a_layer_that_is_none_is_told_when_the_spec_is_checked(layer, told):
    with pytest.raises(GraphError, match=told):
        build_graph(extract_plan(modality="a", layer=layer))


def test_the_nearest_names_are_told():
    with pytest.raises(GraphError) as error:
        build_graph(extract_plan(modality="a", layer="stages.tow"))
    assert "it has stages.two," in str(error.value)


def odd_network(second):
    """A plan whose branch has a second stage of one's own making."""

    class Odd(TinyNet):
        def build(self, shape):
            cut = super().build(shape)
            return Cut({"one": cut.stages["one"], "two": second()}, cut.pool)

    def plan(layer):
        made = extract_plan(modalities=("a",), layer=layer)
        return attrs.evolve(made, backbones={"a": Odd()})

    return plan


class Recurrent(nn.Module):
    """Has a part that gives a tuple, one that is not used, one that runs twice, one that sums up."""

    def __init__(self):
        super().__init__()
        self.pair, self.idle, self.twice = Pair(), nn.Linear(3, 3), nn.ReLU()
        self.total, self.turned = Total(), Turned()

    def forward(self, x):
        x, _ = self.pair(x)
        self.total(x)
        self.turned(x)
        return self.twice(self.twice(x - 1) - 0.1)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Total(nn.Module):
    def forward(self, x):
        return x.flatten(1).sum(1)


class Turned(nn.Module):
    def forward(self, x):
        return x.transpose(0, 1)


def test_layers_that_give_no_row_a_sample(tmp_path):
    plan = odd_network(Recurrent)
    with pytest.raises(GraphError, match=r"stages\.two\.pair gives tuple, not a tensor"):
        build_graph(plan("stages.two.pair"))
    with pytest.raises(GraphError, match=r"stages\.two\.idle takes no part in a forward pass"):
        build_graph(plan("stages.two.idle"))
    with pytest.raises(
        GraphError, match=r"gives \(3, 2, 4, 4\) for 2 samples: its first axis is not that of"
    ):
        build_graph(plan("stages.two.turned"))
    assert extracted(plan("stages.two.total"), tmp_path / "total").values.shape == (66, 1)


def test_of_a_module_that_runs_twice_the_first_time_counts(tmp_path):
    twice = extracted(odd_network(Recurrent)("stages.two.twice"), tmp_path / "twice")
    first = extracted(odd_network(Recurrent)("stages.one"), tmp_path / "one")
    assert np.array_equal(twice.values, np.maximum(first.values - 1, 0))


def test_the_graph_ends_at_the_layer():
    graph = build_graph(extract_plan(modality="b", layer="stages.one.0", pool="mean"))
    assert [node.id for node in graph.nodes] == ["source.b", "branches.b.stages.one", "table"]
    assert graph.edges[-1].shape == (3,)
    fused = build_graph(extract_plan(modality="b", layer="stages.two"))
    assert {"fusion.one", "branches.a.stages.one"} <= {node.id for node in fused.nodes}
    assert "branches.a.stages.two" not in {node.id for node in fused.nodes}


# ---------------------------------------------------------------- in a run


def test_weights_are_those_of_the_stage_that_is_named(tmp_path):
    stages = stage_plan(fusion=True), extract_plan(modality="a", init_from=InitFrom(stage="train"))
    result = execute_run(run_plan(*stages), Rows(), tmp_path)
    expected = rows(bare(stages[1], weights=selected(tmp_path, result, "train"))["a: features"])
    table = read_table(tmp_path / "features" / "table", "features")
    assert np.array_equal(table.values, expected)
    assert not np.array_equal(table.values, rows(bare(stages[1])["a: features"]))
    assert result.values == {**result.stages["train"].values}


def test_validation_that_is_taken_from_training_has_its_own_split(tmp_path):
    class Two(TinyData):
        def describe(self):
            return attrs.evolve(super().describe(), splits={"train": "train", "test": "test"})

        def open(self, modalities):
            sources = super().open(modalities)
            return {split: sources[split] for split in ("train", "test")}

    table = extracted(
        extract_plan(modality="a", dataset=Two(), split=Split(fraction=0.5)), tmp_path / "table"
    )
    assert sorted(set(table.splits.tolist())) == ["test", "train", "val"]
    whole = extracted(extract_plan(modality="a", dataset=Two(), batch_size=22), tmp_path / "whole")
    order = whole.positions(table.ids.tolist())
    assert np.allclose(table.values, whole.values[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("asked", [1, 4, 9, 17])
def test_interrupted_it_leaves_no_half_table_and_starts_again(tmp_path, asked):
    plan, calls = run_plan(extract_plan(modality="a")), itertools.count(1)
    whole = execute_run(plan, Rows(), tmp_path / "whole")
    with pytest.raises(Interrupted):
        execute_run(plan, Rows(), tmp_path / "cut", should_stop=lambda: next(calls) == asked)
    assert not list((tmp_path / "cut").rglob("*.npy"))
    assert execute_run(plan, Rows(), tmp_path / "cut") == whole
    tables = [read_table(tmp_path / each / "features" / "table", "it").values for each in ("whole", "cut")]
    assert np.array_equal(*tables)


def test_a_finished_table_is_not_written_again(tmp_path, monkeypatch):
    plan = run_plan(extract_plan(modality="a"))
    execute_run(plan, Rows(), tmp_path)
    monkeypatch.setattr(Extraction, "write", None)
    execute_run(plan, Rows(), tmp_path)


def test_a_sample_that_cannot_be_read_is_told(tmp_path):
    class Broken(ArraySource):
        def read(self, modality, indices):
            if 9 in indices:
                raise DataError("sample 9 is damaged")
            return super().read(modality, indices)

    class Data(TinyData):
        def open(self, modalities):
            sources = super().open(modalities)
            return {s: Broken(x.arrays, x.targets, x.ids, x.groups) for s, x in sources.items()}

    for layer, workers in itertools.product(("features", "input"), (0, 1)):
        plan = extract_plan(modality="a", dataset=Data(), layer=layer, workers=workers)
        with pytest.raises(DataError, match="sample 9 is damaged"):
            execute_run(run_plan(plan), Rows(), tmp_path)
        assert not list(tmp_path.rglob("*.npy"))
