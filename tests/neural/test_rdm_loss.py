"""The RDM loss and the RDM metric: groups that are absent, whole splits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mmspec
from mmspec import testing
from mmspec.errors import SpecError
from mmspec.plugins.api import Batch, DataInfo, ModalityInfo, NetworkOutput, Outline
from mmspec_neural import rdm as on_arrays
from mmspec_neural import rdm_torch
from mmspec_neural.metrics import RdmSimilarity
from mmspec_neural.objectives import RdmMse
from mmspec_neural.rdm_loss import masked_rdm_mse
from mmspec_neural.rdm_metric import StreamingRdms

N, GROUPS = 48, 8
CATEGORIES = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])


def drawn(groups, width=11, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(GROUPS, width, generator=generator, dtype=dtype)
    return means[groups] + 0.5 * torch.randn(len(groups), width, generator=generator, dtype=dtype)


def seen(groups, features=None, target=None):
    """What a network says of a batch, and the batch."""
    features = drawn(groups) if features is None else features
    output = NetworkOutput({"image": features}, {"image": features}, features[:, :3])
    names = {"object": tuple(f"o{g}" for g in range(GROUPS)), "category": ("x", "y", "z")}
    codes = {"object": groups, "category": CATEGORIES[groups]}
    tables = {"target": drawn(groups, 6, 1) if target is None else target}
    return output, Batch({}, CATEGORIES[groups], torch.arange(len(groups)), codes, names, tables)


# ---------------------------------------------------------------- the loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("diagonal", [True, False])
def test_with_all_groups_it_is_the_published_loss_to_the_bit(diagonal, dtype):
    groups = torch.arange(N) % GROUPS
    features, target = drawn(groups, dtype=dtype), drawn(groups, 6, 1, dtype)
    one, other = (rdm_torch.rdm(x, groups, GROUPS) for x in (features, target))
    expected = rdm_torch.rdm_mse(one, other, diagonal=diagonal)
    assert masked_rdm_mse(features, target, groups, GROUPS, diagonal=diagonal).equal(expected)


@pytest.mark.parametrize("diagonal", [True, False])
def test_groups_that_a_batch_has_not_count_nothing(diagonal):
    groups = torch.arange(N) % 5 + (torch.arange(N) % 5 > 1)  # 0, 1, 3, 4, 5 of 8
    features, target = drawn(groups).requires_grad_(), drawn(groups, 6, 1)
    loss = masked_rdm_mse(features, target, groups, GROUPS, diagonal=diagonal)
    one, other = (on_arrays.rdm(x.detach().numpy(), groups.numpy()) for x in (features, target))
    assert loss.item() == pytest.approx(on_arrays.rdm_mse(one, other, diagonal=diagonal), abs=1e-14)
    loss.backward()
    assert features.grad.isfinite().all()
    assert features.grad.abs().sum(1).min() > 0


def test_the_gradient_is_right_where_groups_are_absent():
    groups = torch.tensor([0, 0, 2, 2, 5, 5])
    features, target = drawn(groups, 5).requires_grad_(), drawn(groups, 6, 1)
    assert torch.autograd.gradcheck(lambda x: masked_rdm_mse(x, target, groups, GROUPS), (features,))


@pytest.mark.parametrize("diagonal", [True, False])
def test_a_batch_of_one_group_teaches_nothing(diagonal):
    groups = torch.zeros(4, dtype=torch.int64)
    features = drawn(groups).requires_grad_()
    loss = masked_rdm_mse(features, drawn(groups, 6, 1), groups, GROUPS, diagonal=diagonal)
    loss.backward()
    assert loss.item() == 0
    assert not features.grad.any()


def test_groups_may_be_the_classes():
    output, batch = seen(torch.arange(N) % GROUPS)
    loss = RdmMse(group="class").build()(output, batch)["image"]
    one, other = (
        on_arrays.rdm(x.numpy(), batch.target.numpy())
        for x in (output.features["image"], batch.tables["target"])
    )
    assert loss.item() == pytest.approx(on_arrays.rdm_mse(one, other), abs=1e-14)


def test_under_autocast_it_is_computed_in_single_precision():
    groups = torch.arange(N) % GROUPS
    output, batch = seen(groups, drawn(groups).bfloat16(), drawn(groups, 6, 1).float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = RdmMse().build()(output, batch)["image"]
    plain = masked_rdm_mse(output.features["image"].float(), batch.tables["target"], groups, GROUPS)
    assert loss.dtype == torch.float32
    assert loss.equal(plain)


# ---------------------------------------------------------------- the metric


def metric(**options):
    defaults = {
        "modality": "image", "grouping": "object", "target": "target", "border": "category",
        "classes": ("x", "y", "z"), "method": "spearman", "diagonal": True,
    }  # fmt: skip
    return StreamingRdms(**{**defaults, **options})


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("sizes", [[N], [10, 3, 1, 34]])
def test_over_a_split_it_is_that_of_all_samples(method, sizes):
    groups = torch.arange(N) % GROUPS
    features, target = drawn(groups), drawn(groups, 6, 1)
    streaming = metric(method=method)
    for _ in range(2):
        streaming.reset()
        for part in torch.arange(N).split(sizes):
            streaming.update(*seen(groups[part], features[part], target[part]))
    one, other = (on_arrays.rdm(x.numpy(), groups.numpy()) for x in (features, target))
    values, arrays = streaming.compute(), streaming.arrays()
    assert values[f"rdm_{method}"] == pytest.approx(on_arrays.compare_rdms(one, other, method), abs=1e-12)
    assert values["rdm_mse"] == pytest.approx(on_arrays.rdm_mse(one, other), abs=1e-12)
    np.testing.assert_allclose(arrays["rdm"].values, one, rtol=0, atol=1e-12)
    np.testing.assert_allclose(arrays["rdm_target"].values, other, rtol=0, atol=1e-12)
    assert arrays["rdm"].classes[0] == tuple("xyz"[c] for c in CATEGORIES)


def test_groups_that_a_split_has_not_are_left_out():
    groups = torch.tensor([0, 1, 3, 6]).repeat(6)
    streaming = metric()
    streaming.update(*seen(groups))
    array = streaming.arrays()["rdm"]
    assert array.entries[0] == ("o0", "o1", "o3", "o6")
    assert array.classes[0] == ("x", "x", "y", "z")
    expected = on_arrays.rdm(drawn(groups).numpy(), groups.numpy())
    np.testing.assert_allclose(array.values, expected, rtol=0, atol=1e-12)


def test_a_split_of_two_groups_has_nothing_to_compare():
    streaming = metric()
    assert np.isnan(list(streaming.compute().values())).all()
    assert not streaming.arrays()
    streaming.update(*seen(torch.tensor([0, 1, 0])))
    assert np.isnan(list(streaming.compute().values())).all()


@pytest.mark.parametrize(("grouping", "border"), [("object", "species"), ("category", "object")])
def test_without_a_class_of_each_group_there_are_no_borders(grouping, border):
    streaming = metric(grouping=grouping, border=border)
    streaming.update(*seen(torch.arange(N) % GROUPS))
    assert streaming.arrays()["rdm"].classes == ()


def test_single_precision_sums_lose_nothing():
    groups = torch.arange(N) % GROUPS
    features = drawn(groups).float() + 1000
    streaming = metric()
    for part in torch.arange(N).split(7):
        streaming.update(*seen(groups[part], features[part]))
    expected = on_arrays.rdm(features.double().numpy(), groups.numpy())
    np.testing.assert_allclose(streaming.arrays()["rdm"].values, expected, rtol=0, atol=1e-9)


# ---------------------------------------------------------------- promises, and what is refused


def test_they_keep_their_promises():
    testing.check_objective(RdmMse(), ("one",))
    testing.check_objective(RdmMse(group="class", diagonal=False), ("one",))
    testing.check_metric(RdmSimilarity(), 1)
    testing.check_metric(RdmSimilarity(modality="two", border="class", method="pearson"), 2)


def outline(modalities=("image",), reads=("target",), groups=("object", "category")):
    data = DataInfo(dict.fromkeys(modalities, ModalityInfo((3,))), ("x",), {"train": "train"}, groups)
    splits = {"train": "train", "val": "validation", "test": "test"}
    return Outline(
        modalities=modalities, stages={}, data=data, splits=splits, fusion=None, reads=tuple(reads)
    )


@pytest.mark.parametrize("plugin", [RdmMse, RdmSimilarity])
@pytest.mark.parametrize(
    ("options", "around", "option", "told"),
    [
        ({}, {"reads": ()}, "target", "under the name 'target'"),
        ({"target": "it"}, {}, "target", "under the name 'it'"),
        ({"group": "species"}, {}, "group", "no groups 'species'"),
        ({}, {"modalities": ("left", "right")}, None, "not clear whose"),
        ({"modality": "neural"}, {}, "modality", "no branch 'neural'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(plugin, options, around, option, told):
    [mistake] = plugin(**options).mistakes(outline(**around))
    assert mistake.option == option
    assert told in mistake.what
    assert mistake.hint


def test_what_fits_is_not_refused():
    for plugin in (RdmMse(), RdmMse(group="class", modality="image"), RdmSimilarity(border="class")):
        assert not list(plugin.mistakes(outline()))
    assert not list(RdmSimilarity().mistakes(outline(groups=("object",))))
    assert list(RdmSimilarity(border="species").mistakes(outline()))


def test_a_spec_that_forgets_the_target_is_told_where(tmp_path):
    (tmp_path / "spec.toml").write_text(
        'mmspec = 1\nname = "it"\ndataset = "colored_digits"\nmodalities.grey.backbone = "small_cnn"\n'
        'optimizer = { use = "adam", lr = 0.1 }\ntrain = { epochs = 1, batch_size = 8 }\n'
        'objective = { use = "rdm_mse", group = "class", target = "it" }\n'
    )
    with pytest.raises(
        SpecError, match=r"objective\.target: the stage reads nothing under the name 'it'"
    ) as found:
        mmspec.load(tmp_path / "spec.toml")
    assert 'hint: add reads.it = "STAGE"' in str(found.value)


def test_what_there_is_after_each_epoch_can_be_selected_by():
    names = list(RdmSimilarity(method="pearson").epoch_metrics(outline()))
    assert names == ["train/rdm_pearson", "train/rdm_mse", "val/rdm_pearson", "val/rdm_mse"]
