"""The coloured digits: splits, colours, determinism, and MNIST files whole and broken."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from mmspec.errors import DataError
from mmspec.plugins.api import load_torchvision
from mmspec_greedy import idx
from mmspec_greedy.colors import class_colors, enlarge, split_colors
from mmspec_greedy.datasets import ColoredDigits, ColoredMnist, load_digits

BOTH = ("grey", "color")


@pytest.fixture(scope="module")
def digits():
    return ColoredDigits().open(BOTH)


@pytest.fixture
def mnist(tmp_path):
    return ColoredMnist(root=tmp_path).write_sample(tmp_path)


def seen_colors(source):
    """The colour of each sample, from its pixels: the brightest one divided by its grey value. (N, 3)"""
    every = np.arange(len(source))
    grey = source.read("grey", every).reshape(len(every), -1).astype(float)
    color = source.read("color", every).reshape(len(every), 3, -1).astype(float)
    brightest = grey.argmax(axis=1)
    return color[every, :, brightest] / grey[every, brightest][:, None]


# ---------------------------------------------------------------- what all have in common


def test_described_as_it_is(digits):
    info = ColoredDigits().describe()
    assert dict(info.splits) == {
        "train": "train",
        "val": "validation",
        "test": "test",
        "test_iid": "test",
    }
    assert set(digits) == set(info.splits)
    for split in digits.values():
        for modality, expected in info.modalities.items():
            read = split.read(modality, np.array([3, 0]))
            assert read.shape == (2, *expected.shape)
            assert read.dtype == expected.dtype
            assert len(expected.mean) == len(expected.std) == expected.shape[0]
    info = info.modalities["color"]
    low, high = ((np.array([0, 255]) * info.scale) - info.mean[0]) / info.std[0]
    assert (low, high) == (-1.0, 1.0)


def test_the_split_of_the_recipe(digits):
    assert {name: len(source) for name, source in digits.items()} == {
        "train": 1097,
        "val": 200,
        "test": 500,
        "test_iid": 500,
    }
    ids = [set(digits[name].ids.tolist()) for name in ("train", "val", "test")]
    assert len(set.union(*ids)) == 1797 == sum(map(len, ids))


def test_iid_test_is_test_in_other_colors(digits):
    test, iid = digits["test"], digits["test_iid"]
    every = np.arange(500)
    np.testing.assert_array_equal(test.ids, iid.ids)
    np.testing.assert_array_equal(test.targets, iid.targets)
    np.testing.assert_array_equal(test.read("grey", every), iid.read("grey", every))
    assert (test.read("color", every) != iid.read("color", every)).any()


def test_the_colored_digit_is_the_grey_one_times_a_color(digits):
    source = digits["train"]
    grey, color = source.read("grey", np.arange(50)), source.read("color", np.arange(50))
    expected = grey * seen_colors(source)[:50, :, None, None]
    assert np.abs(color - expected).max() <= 1.0  # half a grey level in each
    assert (color[np.broadcast_to(grey == 0, color.shape)] == 0).all()


@pytest.mark.parametrize("split", ["train", "test_iid"])
def test_colors_give_the_class_away_in_training_and_iid(digits, split):
    source = digits[split]
    means = class_colors(10, 0)
    for target in range(10):
        mean = seen_colors(source)[source.targets == target].mean(axis=0)
        # Noise has standard deviation 0.14; clipping pulls means at the edge inwards by up to 0.06.
        assert np.abs(mean - means[target]).max() < 0.12


@pytest.mark.parametrize("split", ["val", "test"])
def test_colors_tell_nothing_in_validation_and_test(digits, split):
    source = digits[split]
    nearest = np.linalg.norm(seen_colors(source)[:, None] - class_colors(10, 0), axis=2).argmin(axis=1)
    assert (nearest == source.targets).mean() < 0.2
    assert len(np.unique(nearest)) == 10


def test_color_variance_is_a_variance():
    targets = np.zeros(20000, dtype=int)
    means = class_colors(10, 3)
    colors = split_colors(targets, "train", classes=10, seed=3, variance=0.0004)
    inside = (means[0] > 0.1) & (means[0] < 0.9)  # channels that are not clipped
    if inside.any():
        np.testing.assert_allclose(colors[:, inside].std(axis=0), 0.02, rtol=0.03)
    exact = split_colors(targets[:5], "train", classes=10, seed=3, variance=0.0)
    np.testing.assert_array_equal(exact, np.repeat(means[:1], 5, axis=0))


def test_colors_stay_in_range():
    colors = split_colors(np.arange(10).repeat(100), "test", classes=10, seed=0, variance=0.5)
    assert colors.min() == 0.0
    assert colors.max() == 1.0


def test_mean_colors_differ_from_class_to_class():
    for seed in range(5):
        means = class_colors(10, seed)
        distances = np.linalg.norm(means[:, None] - means, axis=2) + np.eye(10)
        assert distances.min() > 0.3
        assert means.max(axis=1).min() > 0.2  # no digit vanishes
    assert not np.array_equal(class_colors(10, 0), class_colors(10, 1))


def test_same_options_same_data():
    first, second = ColoredDigits(), ColoredDigits()
    assert first.fingerprint() == second.fingerprint()
    others = [ColoredDigits(seed=1), ColoredDigits(color_variance=0.03)]
    assert len({first.fingerprint(), *(other.fingerprint() for other in others)}) == 3
    assert ColoredDigits(shift=2).fingerprint() == first.fingerprint()  # augmentation is not data


def test_sources_can_be_sent_to_other_processes(digits):
    again = pickle.loads(pickle.dumps(digits["val"]))
    np.testing.assert_array_equal(
        again.read("color", np.arange(9)), digits["val"].read("color", np.arange(9))
    )


def test_shift_moves_both_modalities_together():
    assert ColoredDigits().augmentations("grey", "train") == ()
    moves = {m: ColoredDigits(shift=3).augmentations(m, "train")[0] for m in BOTH}
    grey = torch.randint(0, 255, (6, 1, 28, 28), dtype=torch.uint8)
    color = grey.expand(6, 3, 28, 28)
    samples = np.arange(6)
    moved = moves["grey"](grey, 0, 1, samples)
    assert torch.equal(moved.expand(6, 3, 28, 28), moves["color"](color, 0, 1, samples))
    assert not torch.equal(moved, grey)


def test_digits_need_no_files(tmp_path):
    assert ColoredDigits().check() == ()
    assert ColoredDigits().write_sample(tmp_path) == ColoredDigits()


def test_enlarging_is_bilinear():
    ramp = np.arange(8.0)[None, None, :].repeat(8, axis=1)
    expected = np.clip((np.arange(28) + 0.5) * 8 / 28 - 0.5, 0, 7)
    np.testing.assert_allclose(enlarge(ramp)[0], np.tile(expected, (28, 1)), atol=1e-12)
    image = np.random.default_rng(0).random((2, 8, 8))
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(image)[:, None], size=(28, 28), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(enlarge(image), reference[:, 0].numpy(), atol=1e-12)


# ---------------------------------------------------------------- MNIST


def test_what_torchvision_reads_is_what_we_read(mnist):
    official = load_torchvision().datasets.MNIST(mnist.root, train=False)
    ours = mnist.open(BOTH)["test"]
    np.testing.assert_array_equal(ours.read("grey", np.arange(240))[:, 0], official.data.numpy())
    np.testing.assert_array_equal(ours.targets, official.targets.numpy())


def test_every_byte_and_option_is_in_the_fingerprint(mnist):
    marks = {mnist.fingerprint()}
    marks |= {attrs.evolve(mnist, **o).fingerprint() for o in ({"seed": 1}, {"color_variance": 0.1})}
    for part in idx.PARTS:
        for place in (idx.image_file, idx.label_file):
            path = place(mnist.root, part)
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))
            marks.add(mnist.fingerprint())
    assert len(marks) == 7
    assert attrs.evolve(mnist, shift=2).fingerprint() in marks


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak from /proc")
def test_mnist_at_its_own_size_is_opened_in_little_memory(tmp_path):
    """In a process of its own, whose peak of memory is its own too; torch alone would take longer."""
    script = """
import re, sys
from pathlib import Path
import numpy as np
from mmspec_greedy.datasets import ColoredMnist
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
plugin = ColoredMnist(root=Path(sys.argv[1]))
before = peak()
plugin.fingerprint()
sources = plugin.open(("grey", "color"))
print(*map(len, sources.values()))
for rows in np.arange(50000).reshape(-1, 100):
    sources["train"].read("color", rows)
print(peak() - before)
"""
    images, targets = load_digits()
    for part, count in (("train", 60000), ("t10k", 10000)):
        rows = np.random.default_rng(count).integers(0, len(images), count)
        idx.write_pair(tmp_path, part, images[rows], targets[rows])
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert said[0] == "50000 10000 10000 10000"
    assert float(said[1]) < 100  # the pages of 55 MB of files; tinted, the digits alone would be 165


def test_torchvision_itself_reads_the_sample(mnist):
    official = load_torchvision().datasets.MNIST
    images, targets = load_digits()
    train, test = official(mnist.root, train=True), official(mnist.root, train=False)
    np.testing.assert_array_equal(train.data.numpy(), images[:720])
    np.testing.assert_array_equal(test.targets.numpy(), targets[720:960])


def test_mnist_is_read_in_its_official_parts(mnist):
    assert mnist.check() == []
    sources = mnist.open(BOTH)
    images, targets = load_digits()
    assert {n: len(s) for n, s in sources.items()} == {
        "train": 600,
        "val": 120,
        "test": 240,
        "test_iid": 240,
    }
    np.testing.assert_array_equal(sources["train"].read("grey", np.arange(9))[:, 0], images[:9])
    np.testing.assert_array_equal(sources["val"].targets, targets[600:720])
    np.testing.assert_array_equal(sources["test"].read("grey", np.arange(9))[:, 0], images[720:729])
    ids = [set(sources[name].ids.tolist()) for name in ("train", "val", "test")]
    assert len(set.union(*ids)) == 960


def test_mnist_without_its_own_validation(mnist):
    plugin = attrs.evolve(mnist, validation=0)
    assert set(plugin.describe().splits) == {"train", "test", "test_iid"}
    assert {n: len(s) for n, s in plugin.open(BOTH).items()} == {"train": 720, "test": 240, "test_iid": 240}
    assert plugin.fingerprint() != mnist.fingerprint()


def test_missing_files_are_all_named_with_where_to_get_them(tmp_path):
    (problem,) = ColoredMnist(root=tmp_path).check()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        assert f"{tmp_path}/MNIST/raw/{name}-ubyte" in problem.what
    assert f"torchvision.datasets.MNIST('{tmp_path}', download=True)" in problem.hint
    for ask in (lambda p: p.open(BOTH), lambda p: p.fingerprint()):
        with pytest.raises(DataError, match="MNIST is missing"):
            ask(ColoredMnist(root=tmp_path))


def test_only_what_is_missing_is_named(mnist):
    idx.label_file(mnist.root, "t10k").unlink()
    (problem,) = mnist.check()
    assert "t10k-labels" in problem.what
    assert "train" not in problem.what


def test_packed_files_are_to_be_unpacked(mnist):
    path = idx.image_file(mnist.root, "train")
    path.rename(path.with_name(path.name + ".gz"))
    (problem,) = mnist.check()
    assert problem.hint.endswith(f"gunzip {path}.gz")


def header(*shape, kind=8, axes=None):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, axes or len(shape), *shape)


DAMAGE = {
    "empty": b"",
    "short header": b"\x00\x00\x08",
    "no header of axes": header(5, 28, 28)[:9],
    "text": b"<html>404 not found</html>" * 10,
    "other values": header(1, 28, 28, kind=13) + bytes(28 * 28),
    "other axes": header(720) + bytes(720),
    "cut off": header(720, 28, 28) + bytes(1000),
    "too long": header(1, 28, 28) + bytes(28 * 28 + 1),
    "huge": header(2**32 - 1, 2**32 - 1, 2**32 - 1),
    "other size": header(720, 27, 27) + bytes(720 * 27 * 27),
    "fewer images": header(700, 28, 28) + bytes(700 * 28 * 28),
    "no images": header(0, 28, 28),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_named(mnist, damage):
    path = idx.image_file(mnist.root, "train")
    path.write_bytes(damage)
    with pytest.raises(DataError, match=r"train-(images|labels)-idx") as caught:
        mnist.open(BOTH)
    assert all(problem.hint for problem in caught.value.problems)


def test_labels_beyond_nine_are_named(mnist):
    path = idx.label_file(mnist.root, "t10k")
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte holds label 11"):
        mnist.open(BOTH)


def test_validation_of_the_official_files_is_the_last_ten_thousand():
    assert round(ColoredMnist(root=Path("x")).validation * 60000) == 10000


def test_old_caches_of_torchvision_are_not_read(mnist):
    """torchvision prefers `processed/*.pt`, pickles of older versions, where they lie about."""
    processed = mnist.root / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        (processed / name).write_bytes(b"not a pickle that anyone should load")
    assert len(mnist.open(BOTH)["train"]) == 600


@pytest.mark.parametrize("validation", [-0.1, 1.0, 200])
def test_validation_is_a_share(validation):
    with pytest.raises(ValueError, match="must be"):
        ColoredMnist(root=Path("x"), validation=validation)


@pytest.mark.parametrize("options", [{"seed": -1}, {"color_variance": -0.1}, {"shift": -1}, {"shift": 28}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        ColoredDigits(**options)
