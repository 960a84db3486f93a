"""Digits tuned to planted dissimilarities: what is learned holds on other images, permuted it is not."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import mmspec
from mmspec.engine.loop import Interrupted
from mmspec.engine.recorder import Silent
from mmspec.engine.run import execute_run
from mmspec.plugins.api import ArraySource, Backbone, Cut, DataInfo, Dataset, ModalityInfo
from mmspec.plugins.registry import default_registry
from mmspec_neural.rdm import compare_rdms, correlation_distance

#: Digits that are alike by the planted target, and not to the eye.
FAMILIES = ((0, 1, 7), (2, 4, 8), (3, 5, 6, 9))


def planted():
    """A vector of each digit: that of its family, and something of its own. (10, 30)"""
    random = np.random.default_rng(0)
    vectors = 0.5 * random.normal(size=(10, 30))
    for family in FAMILIES:
        vectors[list(family)] += random.normal(size=30)
    return vectors


@attrs.frozen(kw_only=True)
class DigitObjects(Dataset):
    """Digits as ten objects in three families; of each image a noisy vector of its object."""

    def describe(self):
        modalities = {
            "image": ModalityInfo((1, 8, 8), scale=1 / 16),
            "planted": ModalityInfo((30,), dtype="float64", scale=1.0),
        }
        splits = {"train": "train", "val": "validation"}
        return DataInfo(modalities, tuple("0123456789"), splits, ("object", "category"))

    def open(self, modalities):
        digits, random = load_digits(), np.random.default_rng(1)
        every = {
            "image": digits.images[:, None].astype(np.uint8),
            "planted": planted()[digits.target] + random.normal(0, 0.3, (len(digits.target), 30)),
        }
        families = np.array([next(f for f, m in enumerate(FAMILIES) if t in m) for t in digits.target])
        held_out = np.arange(len(families)) % 4 == 0
        return {
            split: ArraySource(
                {m: every[m][rows] for m in modalities},
                digits.target[rows],
                np.flatnonzero(rows),
                {
                    "object": np.array([f"digit {t}" for t in digits.target[rows]]),
                    "category": np.array([f"family {f}" for f in families[rows]]),
                },
            )
            for split, rows in (("train", ~held_out), ("val", held_out))
        }

    def fingerprint(self):
        return "digits"


@attrs.frozen(kw_only=True)
class Small(Backbone):
    """Two convolutions and a layer of 64 features."""

    def stage_names(self):
        return ("conv",)

    def build(self, shape):
        first = torch.nn.Sequential(torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU())
        second = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3, padding=1, stride=2), torch.nn.ReLU())
        last = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 4 * 4, 64))
        return Cut({"conv": torch.nn.Sequential(first, second)}, last)


SPEC = """
mmspec = 1
name = "tuning"
dataset = "digit_objects"
modalities.image.backbone = "small"
reads = { target = "planted", truth = "planted" }
objective = { use = "rdm_mse", diagonal = false }
sampler = { use = "k_per_group", k = 8, group = "object" }
optimizer = { use = "adam", lr = 1e-3 }
train = { epochs = 20, batch_size = 80, eval_batch_size = 64, device = "cpu", threads = 1, packed = false }
select.metric = "val/rdm_spearman"
evaluate.metrics = [{ use = "rdm_similarity", target = "truth", diagonal = false }]

[[stages]]
name = "planted"
extract = { layer = "input", modality = "planted" }

[[stages]]
name = "before"
train.epochs = 0

[[stages]]
name = "tuned"
"""


REGISTRY = default_registry().with_plugins(
    {("dataset", "digit_objects"): DigitObjects, ("backbone", "small"): Small}
)


@attrs.define
class Kept(Silent):
    """Keeps what a run records."""

    found: dict = attrs.field(factory=dict)

    def arrays(self, *, stage, arrays):
        self.found |= {f"{stage}/{name}": array for name, array in arrays.items()}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A run by changes of the spec: its values and arrays; each once."""
    done = {}

    def run(*changes):
        if changes not in done:
            folder = tmp_path_factory.mktemp("tuning")
            (folder / "spec.toml").write_text(SPEC)
            [found] = mmspec.load(folder / "spec.toml", set=changes, registry=REGISTRY).runs
            kept = Kept()
            done[changes] = execute_run(found.plan, kept, folder / "run").values, kept.found
        return done[changes]

    return run


def test_tuning_makes_dissimilarities_of_held_out_images_those_of_the_target(tuned):
    values, _ = tuned()
    assert values["before/val/rdm_spearman"] < 0.2
    assert values["tuned/val/rdm_spearman"] > 0.7
    assert values["tuned/val/rdm_mse"] < 0.02 < 0.5 < values["before/val/rdm_mse"]


@pytest.mark.parametrize("seed", [0, 1])
def test_tuning_to_a_permuted_target_does_not(tuned, seed):
    values, _ = tuned(f'reads.target={{stage="planted", shuffle="object", seed={seed}}}')
    assert abs(values["tuned/val/rdm_spearman"]) < 0.3
    assert values["tuned/val/loss"] < 0.1  # though it has been learned


def test_matrices_of_the_selected_weights_are_kept_with_borders_between_families(tuned):
    values, arrays = tuned()
    matrix, target = arrays["tuned/val/rdm"], arrays["tuned/val/rdm_target"]
    assert compare_rdms(matrix.values, target.values) == values["tuned/val/rdm_spearman"]
    assert matrix.entries == (tuple(f"digit {d}" for d in range(10)),) * 2
    families = tuple(f"family {next(f for f, m in enumerate(FAMILIES) if d in m)}" for d in range(10))
    assert matrix.classes == (families, families)
    assert compare_rdms(target.values, correlation_distance(planted())) > 0.98


def test_a_run_that_was_cut_off_within_an_epoch_ends_the_same(tuned, tmp_path):
    changes = ("train.epochs=2",)
    (tmp_path / "spec.toml").write_text(SPEC)
    [found] = mmspec.load(tmp_path / "spec.toml", set=changes, registry=REGISTRY).runs
    asked = itertools.count()
    with pytest.raises(Interrupted):
        execute_run(found.plan, Kept(), tmp_path / "run", should_stop=lambda: next(asked) > 30)
    states = list((tmp_path / "run" / "tuned").glob("*.pt"))
    assert states
    again = execute_run(found.plan, Kept(), tmp_path / "run")
    assert again.values == tuned(*changes)[0]
