"""Images of binary tasks: decoded, cropped, and told of when damaged; folders as ModNet laid them out."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from folders import write_imagenet, write_images
from PIL import Image

from mmspec.errors import DataError
from mmspec.plugins.api import CenterCrop, HorizontalFlip, RandomResizedCrop, load_torchvision
from mmspec_modnet.datasets import BinaryFolders, ClassHierarchy
from mmspec_modnet.images import decode, middle_square


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def task(tmp_path):
    """A task as ModNet laid it out."""
    root = tmp_path / "Task_1_Animals"
    for part, count in (("train", 6), ("val", 2)):
        for label in "01":
            write_images(root / part / label, count, ending="png")
    return BinaryFolders(root=root, resize=8, size=6)


def images(plugin):
    return sorted(path for path in plugin.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [(37, 50), (50, 37), (20, 20), (21, 90), (12, 15)])
@pytest.mark.parametrize("side", [20, 21])
def test_squares_are_torchvisions_resize_and_crop(size, side):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image, transforms = Image.fromarray(pixels), load_torchvision().transforms
    expected = transforms.CenterCrop(side)(transforms.Resize(side)(image))
    np.testing.assert_array_equal(np.asarray(middle_square(image, side)), np.asarray(expected))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_pixels_of_all_kinds_are_read(tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path = tmp_path / "image.JPEG"  # ImageNet has PNG files of this name
    Image.fromarray(pixels).convert(mode).save(path, "JPEG" if mode == "CMYK" else "PNG")
    assert (decode(path).mode, decode(path).size) == ("RGB", (8, 8))


def test_deep_grey_is_refused(tmp_path):
    Image.fromarray(np.full((8, 8), 40000, dtype=np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match=r"deep\.png cannot be decoded: its pixels are I;16"):
        decode(tmp_path / "deep.png")


def test_splits_are_the_folders(task):
    sources = task.open(("image",))
    assert {split: np.bincount(source.targets).tolist() for split, source in sources.items()} == {
        "train": [6, 6], "test": [2, 2],
    }  # fmt: skip
    assert sources["test"].ids.tolist() == [
        "val/0/0_0.png",
        "val/0/0_1.png",
        "val/1/1_0.png",
        "val/1/1_1.png",
    ]
    assert dict(task.describe().splits) == {"train": "train", "test": "test"}
    expected = np.asarray(middle_square(decode(task.root / "val/1/1_1.png"), 8)).transpose(2, 0, 1)
    np.testing.assert_array_equal(sources["test"].read("image", np.array([3]))[0], expected)


def test_only_training_is_random(task):
    crop, flip = task.augmentations("image", "train")
    assert isinstance(crop, RandomResizedCrop)
    assert isinstance(flip, HorizontalFlip)
    for role in ("validation", "test"):
        [middle] = task.augmentations("image", role)
        assert isinstance(middle, CenterCrop)
    whole = BinaryFolders(root=task.root, resize=8, size=6, least_area=1.0, flip=0.0)
    assert whole.augmentations("image", "train") == whole.augmentations("image", "test")


def test_as_published_what_is_measured_is_random_too(task):
    published = attrs.evolve(task, compat="modnet")
    training = published.augmentations("image", "train")
    assert all(step.is_random for step in training)
    for role in ("validation", "test"):
        assert published.augmentations("image", role) == training


def test_missing_folders_are_told(tmp_path, task):
    [problem] = BinaryFolders(root=tmp_path / "absent").check()
    assert "there is no folder" in problem.what
    assert "{train,val}/{0,1}" in problem.hint
    for file in (task.root / "val" / "1").iterdir():
        file.unlink()
    assert [problem.what for problem in task.check()] == [f"{task.root}: no images in val/1"]
    with pytest.raises(DataError, match="no images in val/1"):
        task.open(("image",))


@pytest.mark.parametrize("ending", ["JPEG", "png"])
@pytest.mark.parametrize(
    ("spoil", "damage"),
    [
        (lambda content: b"", "without any content"),
        (lambda content: b"GIF89a" + content, "neither JPEG nor PNG"),
        (lambda content: content[: len(content) // 2], "cut off or damaged"),
    ],
)
def test_damaged_images_are_named(task, ending, spoil, damage):
    write_images(task.root / "train" / "1", 1, size=(60, 60), ending=ending, first=100)
    assert not task.check()
    path = task.root / "train" / "1" / f"1_100.{ending}"
    path.write_bytes(spoil(path.read_bytes()))
    assert [p.what for p in task.check()] == [f"{task.root}: 1 image {damage}: train/1/1_100.{ending}"]
    source = task.open(("image",))["train"]
    with pytest.raises(DataError, match=rf"1_100\.{ending} cannot be decoded"):
        source.read("image", np.arange(len(source)))


def test_more_bytes_behind_the_end_do_no_harm(task):
    path = task.root / "train" / "1" / "1_0.png"
    path.write_bytes(path.read_bytes() + b"and more")
    assert not task.check()


def test_an_image_that_goes_away_is_named(task):
    source = task.open(("image",))["train"]
    (task.root / "train" / "0" / "0_0.png").unlink()
    with pytest.raises(DataError, match=r"train/0/0_0\.png cannot be decoded"):
        source.read("image", np.array([0]))


def test_a_training_batch_is_what_the_network_takes(tmp_path):
    plugin = ClassHierarchy(
        root=write_imagenet(tmp_path), positive=("wolf",), negative=("cat",), resize=8, size=6
    )
    batch = torch.from_numpy(plugin.open(("image",))["train"].read("image", np.arange(5)))
    for step in plugin.augmentations("image", "train"):
        batch = step(batch, 0, 1, np.arange(5))
    assert (batch.shape[1:], batch.dtype) == (plugin.describe().modalities["image"].shape, torch.uint8)


@pytest.mark.parametrize(
    ("name", "positive"), [("Task_1_Animals", 5), ("Task_2_Canines", 3), ("Task_3_Wolf", 1)]
)
def test_stand_ins_nest(tmp_path, name, positive):
    plugin = BinaryFolders(root=tmp_path / "absent" / name).write_sample(tmp_path / "sample")
    assert plugin.root == tmp_path / "sample" / name
    assert not plugin.check()
    train = plugin.open(("image",))["train"]
    digits = {int(each.rpartition("/")[2][0]) for each in train.ids[train.targets == 1]}
    assert digits == set(range(positive))
    assert np.ptp(np.bincount(train.targets)) < 0.2 * len(train)
