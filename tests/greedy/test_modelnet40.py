"""ModelNet40's shaded views: splits, images of all kinds, augmentation, and trees whole and broken."""

from __future__ import annotations

import io
import pickle
import random
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from mmspec.errors import DataError
from mmspec.spec.structure import MisfitError, structure
from mmspec_greedy.modelnet40 import ModelNet40
from mmspec_greedy.modelnet40_files import CLASSES

BOTH = ("front", "rear")
#: Objects of each class in the tree of these tests.
TRAIN, TEST = 3, 1


def png(seed=0, size=8, mode="RGB", **options):
    """A PNG file of noise, as bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 4), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def write_object(root, name, part, number, contents):
    folder = root / name / part
    folder.mkdir(parents=True, exist_ok=True)
    for view, content in enumerate(contents, start=1):
        (folder / f"{name}_{number:04}.obj.shaded_v{view:03}.png").write_bytes(content)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """All classes with a few objects, each with twelve different images; not to be changed."""
    contents = [png(seed) for seed in range(12)]
    root = tmp_path_factory.mktemp("whole")
    for name in CLASSES:
        for number in range(1, TRAIN + TEST + 1):
            write_object(root, name, "train" if number <= TRAIN else "test", number, contents)
    return root


@pytest.fixture
def copied(tree, tmp_path):
    """Makes another tree in which the classes named may be changed; the others are links."""

    def copy(*names):
        root = tmp_path / "shaded"
        root.mkdir()
        for name in CLASSES:
            if name in names:
                shutil.copytree(tree / name, root / name)
            else:
                (root / name).symlink_to(tree / name)
        return root

    return copy


def view(root, name, number=1, which=0, part="train"):
    return root / name / part / f"{name}_{number:04}.obj.shaded_v{which + 1:03}.png"


def opened(root, modalities=BOTH, **options):
    return ModelNet40(root=root, **{"size": 8, **options}).open(modalities)


def pixels(path, size=8):
    """An image as Pillow alone gives it. (3, size, size)"""
    image = Image.open(path).convert("RGBA").convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)


def told(root, **options):
    """All that check() says."""
    return "\n".join(problem.what for problem in ModelNet40(root=root, **options).check())


# ---------------------------------------------------------------- what it is


def test_described_without_data(tmp_path):
    info = ModelNet40(root=tmp_path / "absent", views={"a": 0, "b": 3, "c": 11}).describe()
    assert list(info.modalities) == ["a", "b", "c"]
    assert {m.shape for m in info.modalities.values()} == {(3, 224, 224)}
    assert len(info.classes) == 40
    assert list(info.classes) == sorted(info.classes)
    assert dict(info.splits) == {"train": "train", "val": "validation", "test": "test"}
    assert info.groups == ("object",)


def test_classes_and_objects_are_in_the_order_of_their_names(tree):
    sources = opened(tree, validation=0)
    assert set(sources) == {"train", "test"}
    ids = [f"{name}/{name}_{number:04}" for name in CLASSES for number in range(1, TRAIN + 1)]
    assert sources["train"].ids.tolist() == ids
    np.testing.assert_array_equal(sources["train"].targets, np.arange(40).repeat(TRAIN))
    assert sources["test"].ids.tolist() == [f"{name}/{name}_{TRAIN + 1:04}" for name in CLASSES]
    assert sources["test"].groups["object"].tolist() == sources["test"].ids.tolist()


@pytest.mark.parametrize(("share", "seed"), [(0.2, 10), (0.5, 3)])
def test_validation_is_picked_by_pythons_shuffling_of_the_sorted_paths(tree, share, seed):
    first_views = sorted(path.as_posix() for path in tree.glob("*/train/*_v001.png"))
    random.Random(seed).shuffle(first_views)
    count = int(share * len(first_views))
    sources = opened(tree, validation=share, validation_seed=seed)
    for split, expected in (("val", first_views[:count]), ("train", first_views[count:])):
        files = [str(tree / file) for file in sources[split].files["front"]]
        assert files == sorted(expected)


def test_validation_of_the_paper():
    from mmspec_greedy.modelnet40 import validation_positions

    plugin = ModelNet40(root=Path("x"))
    held_out = validation_positions(9843, plugin.validation, plugin.validation_seed)
    assert len(held_out) == 1968
    assert sorted(validation_positions(10, 0.5, 10)) == [1, 2, 5, 7, 8]  # as Python shuffles


def test_any_views_by_any_names_one_even_twice(tree):
    views = {"left": 9, "again": 9, "front": 0}
    source = opened(tree, tuple(views), views=views)["train"]
    index = source.ids.tolist().index("bed/bed_0002")
    for name, which in views.items():
        expected = pixels(view(tree, "bed", 2, which))
        np.testing.assert_array_equal(source.read(name, np.array([index]))[0], expected)


def test_views_are_in_the_order_of_their_names_whatever_these_are(copied):
    tree = copied("sofa")
    for which in range(12):
        view(tree, "sofa", 1, which).rename(tree / "sofa" / "train" / f"sofa_0001.obj.{chr(122 - which)}.png")
    source = opened(tree, validation=0)["train"]
    read = source.read("front", np.array([source.ids.tolist().index("sofa/sofa_0001")]))[0]
    np.testing.assert_array_equal(read, pixels(tree / "sofa" / "train" / "sofa_0001.obj.o.png"))


def test_sources_can_be_sent_to_other_processes(tree):
    source = opened(tree)["val"]
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.read("rear", np.arange(9)), source.read("rear", np.arange(9)))


def test_a_smoke_run_has_small_images(tmp_path):
    plugin = ModelNet40(root=tmp_path)
    assert plugin.smoke() == attrs.evolve(plugin, size=64)
    assert attrs.evolve(plugin, size=32).smoke().size == 32


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [8, 21])
def test_images_of_all_kinds_become_rgb_of_the_size_asked_for(copied, mode, size):
    tree = copied("airplane")
    path = view(tree, "airplane")
    path.write_bytes(png(5, size, mode))
    source = opened(tree, validation=0)["train"]
    read = source.read("front", np.array([0]))[0]
    np.testing.assert_array_equal(read, pixels(path))
    assert read.dtype == np.uint8


def test_a_palette_with_a_transparent_colour_is_read(copied):
    tree = copied("airplane")
    path = view(tree, "airplane")
    path.write_bytes(png(5, 8, "P", transparency=bytes(range(200))))
    read = opened(tree, validation=0)["train"].read("front", np.array([0]))[0]
    np.testing.assert_array_equal(read, pixels(path))


def test_large_images_are_averaged_not_thinned_out(copied):
    tree = copied("airplane")
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checkers).save(view(tree, "airplane"))
    read = opened(tree, validation=0)["train"].read("front", np.array([0]))
    assert np.abs(read.astype(int) - 127).max() < 16


def deep_grey():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), 3000, dtype=np.uint16)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [png()[:60] + png()[-12:], b"", b"<html>" * 20, deep_grey(), png()[:40] + b"\xff" * 9 + png()[49:]],
    ids=["hollow", "empty", "text", "16 bits", "changed"],
)
def test_what_cannot_be_decoded_is_named_at_reading(copied, content):
    tree = copied("airplane")
    view(tree, "airplane").write_bytes(content)
    source = opened(tree, validation=0)["train"]
    with pytest.raises(
        DataError, match=r"airplane_0001\.obj\.shaded_v001\.png cannot be decoded: "
    ) as caught:
        source.read("front", np.array([0]))
    assert caught.value.problems[0].hint


# ---------------------------------------------------------------- augmentation


@pytest.mark.parametrize(
    ("options", "mirrored"),
    [
        ({}, {"train"}),
        ({"flip": 0.0}, set()),
        ({"compat": "wu2022"}, {"train", "validation"}),
        ({"compat": "wu2022", "flip": 0.0}, set()),
    ],
)
def test_which_images_are_mirrored(tmp_path, options, mirrored):
    plugin = ModelNet40(root=tmp_path, **options)
    for role in ("train", "validation", "test"):
        steps = plugin.augmentations("front", role)
        assert [step.p for step in steps] == ([0.5] if role in mirrored else [])


def test_views_are_mirrored_each_by_itself(tmp_path):
    plugin = ModelNet40(root=tmp_path)
    samples = np.arange(1000)
    ramp = torch.arange(4, dtype=torch.uint8).expand(1000, 3, 2, 4)
    front, rear = (
        (plugin.augmentations(m, "train")[0](ramp, 7, 1, samples)[:, 0, 0, 0] == 3).float() for m in BOTH
    )
    for share in (front.mean(), rear.mean(), (front == rear).float().mean()):
        assert 0.45 < share < 0.55  # 3 standard deviations of 1000 draws


# ---------------------------------------------------------------- fingerprint


def test_the_fingerprint_follows_the_samples(copied):
    tree = copied()
    plugin = ModelNet40(root=tree)
    mark = plugin.fingerprint()
    changes = [
        {"views": {"front": 0}}, {"views": {"front": 0, "rear": 7}}, {"views": {"rear": 0, "front": 6}},
        {"size": 100}, {"validation": 0.1}, {"validation": 0}, {"validation_seed": 11},
    ]  # fmt: skip
    marks = {attrs.evolve(plugin, **change).fingerprint() for change in changes}
    assert len(marks | {mark}) == len(changes) + 1
    # Augmentation is not data, and the order in which views are named is none of theirs.
    for change in ({"flip": 0.1}, {"compat": "wu2022"}, {"views": {"rear": 6, "front": 0}}):
        assert attrs.evolve(plugin, **change).fingerprint() == mark
    assert attrs.evolve(plugin, root=tree.rename(tree.with_name("moved"))).fingerprint() == mark


def test_the_fingerprint_is_of_the_views_used(copied):
    tree = copied("car")
    plugin = ModelNet40(root=tree)
    mark = plugin.fingerprint()
    view(tree, "car", which=5).write_bytes(png(99))
    assert plugin.fingerprint() == mark
    view(tree, "car", which=6).write_bytes(png(99))
    assert plugin.fingerprint() != mark


# ---------------------------------------------------------------- broken trees


def test_a_whole_tree_is_fine_and_left_as_it_is(copied):
    tree = copied("chair")
    (tree / "README.txt").write_text("other files do not matter")
    (tree / "chair" / "train" / ".DS_Store").write_bytes(b"nor do hidden ones")
    before = sorted(tree.rglob("*"))
    assert ModelNet40(root=tree).check() == []
    assert sorted(tree.rglob("*")) == before


@pytest.mark.parametrize("make", [True, False], ids=["empty folder", "no folder"])
def test_without_data_it_says_where_to_get_them_and_how_they_must_lie(tmp_path, make):
    root = tmp_path / "modelnet40"
    if make:
        root.mkdir()
    plugin = ModelNet40(root=root)
    (problem,) = plugin.check()
    assert "the shaded views of ModelNet40 are missing" in problem.what
    assert "supermoe.cs.umass.edu/shape_recog/shaded_images.tar.gz" in problem.hint
    assert f"{root}/<class>/<train|test>/<object>.obj.<view>.png" in problem.hint
    for ask in (plugin.fingerprint, lambda: plugin.open(BOTH)):
        with pytest.raises(DataError, match="views of ModelNet40 are missing"):
            ask()


def test_a_root_one_folder_too_high_is_told(copied):
    tree = copied()
    (problem,) = ModelNet40(root=tree.parent).check()
    assert problem.hint == f"they lie one folder deeper: root = {str(tree)!r}"


def test_missing_and_unknown_classes_are_named(copied):
    tree = copied()
    for name in ("lamp", "xbox"):
        (tree / name).rename(tree / f"{name}s")
    assert told(tree) == (
        f"{tree}: 2 of the 40 classes are missing: lamp, xbox\n"
        f"{tree}: 2 folders of no class of ModelNet40: lamps, xboxs"
    )
    with pytest.raises(DataError, match="lamp, xbox"):
        opened(tree)


def test_parts_without_objects_are_named(copied):
    tree = copied("bowl", "cone")
    (tree / "bowl" / "test").rename(tree / "bowl" / "Test")
    for path in (tree / "cone" / "train").iterdir():
        path.rename(path.with_name(path.name.replace(".obj", "")))
    assert told(tree) == f"{tree}: 2 folders without any <object>.obj.<view>.png: bowl/test, cone/train"


def test_objects_without_twelve_views_are_all_named_with_counts(copied):
    tree = copied("sink", "desk")
    view(tree, "sink", 2, 4).unlink()
    view(tree, "sink", TRAIN + 1, 0, "test").unlink()
    (tree / "desk" / "train" / "desk_0001.obj.extra.png").write_bytes(png())
    assert told(tree) == (
        f"{tree}: 3 objects without exactly 12 views: "
        "desk/train/desk_0001 (13), sink/train/sink_0002 (11), sink/test/sink_0004 (11)"
    )
    with pytest.raises(DataError, match="3 objects without exactly 12 views"):
        opened(tree)


def test_the_first_ten_are_named_and_the_others_counted(copied):
    tree = copied(*CLASSES[:12])
    for name in CLASSES[:12]:
        view(tree, name, 3, 11).unlink()
    first = ", ".join(f"{name}/train/{name}_0003 (11)" for name in CLASSES[:10])
    assert told(tree) == f"{tree}: 12 objects without exactly 12 views: {first}, and 2 more"


def test_damaged_images_are_named_by_kind_all_at_once(copied):
    tree = copied("tent", "vase", "lamp", "sofa", "door")
    view(tree, "tent", 1, 0).write_bytes(b"")
    view(tree, "tent", 2, 6).write_bytes(b"<html>404 not found</html>")
    view(tree, "vase", 1, 6).write_bytes(png()[:-1])
    view(tree, "vase", 2, 6).write_bytes(png()[:30])
    view(tree, "lamp", 1, 0).write_bytes(deep_grey())
    view(tree, "sofa", 1, 6).unlink()
    view(tree, "sofa", 1, 6).mkdir()
    view(tree, "door", 1, 3).unlink()
    problems = ModelNet40(root=tree).check()
    assert all(problem.hint for problem in problems)
    assert [problem.what.removeprefix(f"{tree}: ") for problem in problems] == [
        "1 object without exactly 12 views: door/train/door_0001 (11)",
        "2 images cut off before the end: vase/train/vase_0001.obj.shaded_v007.png, "
        "vase/train/vase_0002.obj.shaded_v007.png",
        "1 image in grey of 16 bits: lamp/train/lamp_0001.obj.shaded_v001.png",
        "1 image not in PNG format: tent/train/tent_0002.obj.shaded_v007.png",
        "1 image not readable (Is a directory): sofa/train/sofa_0001.obj.shaded_v007.png",
        "1 image without any content: tent/train/tent_0001.obj.shaded_v001.png",
    ]


def test_views_that_are_not_used_may_be_damaged(copied):
    tree = copied("tent")
    view(tree, "tent", 1, 5).write_bytes(b"")
    assert told(tree) == ""
    assert "tent_0001.obj.shaded_v006.png" in told(tree, views={"side": 5})


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "path", "what"),
    [
        ({"views": {}}, ("views",), "must name a view or more"),
        ({"views": {"a": 0, "b": 12}}, ("views",), "must count views from 0 to 11, not b = 12"),
        ({"views": {"a": -1}}, ("views",), "must count views from 0 to 11, not a = -1"),
        ({"views": {"a": "front"}}, ("views", "a"), 'expected an integer, not the string "front"'),
        ({"views": [0, 6]}, ("views",), "expected a table, not a list"),
        ({"size": 0}, ("size",), "must be 1 or above, not 0"),
        ({"validation": 1.0}, ("validation",), "must be 0 or above and below 1, not 1.0"),
        ({"flip": 1.5}, ("flip",), "must be between 0 and 1, not 1.5"),
    ],
)
def test_options_out_of_range_are_refused_at_their_place(options, path, what):
    with pytest.raises(MisfitError) as caught:
        structure({"root": "x", **options}, ModelNet40)
    assert [(misfit.path, misfit.what) for misfit in caught.value.misfits] == [(path, what)]
