"""The data of Cadieu et al. 2014: what is read, objects, splits, images, and folders whole and broken."""

from __future__ import annotations

import csv
import pickle
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from mmspec import testing
from mmspec.errors import DataError
from mmspec.plugins.api import load_torchvision
from mmspec.spec.structure import MisfitError, structure
from mmspec_neural.cadieu_files import CATEGORIES, read_neural_data
from mmspec_neural.cadieu_objects import objects_by_order
from mmspec_neural.cadieu_sample import planted_means
from mmspec_neural.datasets import Cadieu2014
from mmspec_neural.rdm import compare_rdms, correlation_distance, rdm

BOTH = ("image", "neural")
FILE = "NeuralData_IT_multiunits.mat"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The stand-in; not to be changed."""
    root = tmp_path_factory.mktemp("cadieu")
    return Cadieu2014(root=root, size=16).write_sample(root)


@pytest.fixture
def copied(sample, tmp_path):
    """The stand-in in a folder that may be changed; images are copies."""
    root = tmp_path / "data"
    shutil.copytree(sample.root, root)
    return attrs.evolve(sample, root=root)


def told(plugin):
    """All that check() says, which open() must refuse as well."""
    problems = plugin.check()
    assert all(problem.hint for problem in problems)
    if problems:
        with pytest.raises(DataError):
            plugin.open(BOTH)
    return "\n".join(problem.what.replace(f"{plugin.root}", "ROOT") for problem in problems)


def rewrite(plugin, **changes):
    """Write the .mat file anew, with variables changed; None leaves one out."""
    path = plugin.root / FILE
    variables = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    variables.update(changes)
    savemat(path, {name: value for name, value in variables.items() if value is not None})


def meta(plugin):
    return [str(row) for row in loadmat(plugin.root / FILE)["meta"]]


# ---------------------------------------------------------------- what it is


def test_described_without_data(tmp_path):
    info = Cadieu2014(root=tmp_path / "absent").describe()
    assert info.modalities["image"].shape == (3, 224, 224)
    assert info.modalities["neural"].shape == (168,)
    assert info.classes == ("Animals", "Cars", "Chairs", "Faces", "Fruits", "Planes", "Tables")
    assert dict(info.splits) == {"train": "train"}
    assert info.groups == ("object", "category")
    v4 = Cadieu2014(root=tmp_path, area="v4", published_split=10).describe()
    assert v4.modalities["neural"].shape == (128,)
    assert dict(v4.splits) == {"train": "train", "test": "test"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "single"}, "must be given for units = 'single'"),
        ({"sites": 0}, "must be 1 or above, not 0"),
        ({"published_split": 0}, "must be one of the published splits, 1 to 10, not 0"),
        ({"published_split": 11}, "must be one of the published splits"),
        ({"images_per_object": 0}, "must be 1 or above"),
        ({"area": "v1"}, 'expected one of "it", "v4"'),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(MisfitError, match=message):
        structure({"root": "x", **options}, Cadieu2014)


@pytest.mark.parametrize(
    ("options", "name", "sites"),
    [
        ({}, "NeuralData_IT_multiunits.mat", 168),
        ({"area": "v4"}, "NeuralData_V4_multiunits.mat", 128),
        ({"units": "single", "sites": 9}, "NeuralData_IT_singleunits.mat", 9),
    ],
)
def test_each_area_has_its_file(tmp_path, options, name, sites):
    plugin = Cadieu2014(root=tmp_path, **options).write_sample(tmp_path)
    assert [path.name for path in tmp_path.glob("*.mat")] == [name]
    assert plugin.open(("neural",))["train"].read("neural", np.array([3])).shape == (1, sites)


@pytest.mark.parametrize(
    "options",
    [{"published_split": 3}, {"objects": Path("map.csv")}, {"area": "v4", "units": "single", "sites": 7}],
)
def test_it_conforms_whatever_its_options(tmp_path, options):
    testing.check_dataset(Cadieu2014(root=tmp_path / "absent", **options), tmp_path)


def test_samples_are_the_files_by_category_in_the_files_order(sample):
    held = loadmat(sample.root / FILE)
    rows = [str(row).split() for row in held["meta"]]
    order = sorted(range(len(rows)), key=lambda row: rows[row][1])  # stable
    assert order != list(range(len(rows)))
    source = sample.open(BOTH)["train"]
    assert source.ids.tolist() == [rows[row][0] for row in order]
    assert [CATEGORIES[t] for t in source.targets] == [rows[row][1] for row in order]
    assert source.groups["category"].tolist() == [rows[row][1] for row in order]
    neural = source.read("neural", np.arange(len(source)))
    np.testing.assert_array_equal(neural, held["features"][order])
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(
        again.read("image", np.array([4, 1])), source.read("image", np.array([4, 1]))
    )


def test_the_official_form_of_meta(sample):
    for row in meta(sample):
        path, category, *marks = row.split()
        assert len(path) == 51
        assert category in CATEGORIES
        assert len(marks) == 10
    assert len({len(row) for row in meta(sample)}) == 1  # a matrix of characters


def test_numbers_of_single_precision_are_kept(copied):
    features = loadmat(copied.root / FILE)["features"].astype(np.float32)
    rewrite(copied, features=features)
    np.testing.assert_array_equal(read_neural_data(copied.root / FILE).features, features.astype(float))


# ---------------------------------------------------------------- objects and splits


def test_objects_by_order_are_blocks_within_a_category():
    categories = np.array([*CATEGORIES, *reversed(CATEGORIES)] * 40)
    objects = objects_by_order(categories, 40)
    published = np.argsort(categories, kind="stable")  # rows by category, cut into blocks
    np.testing.assert_array_equal(np.unique(objects[published], return_inverse=True)[1], np.arange(560) // 40)
    assert objects[published][:41].tolist() == ["Animals/00"] * 40 + ["Animals/01"]


def test_the_49_objects_of_the_published_data():
    objects = objects_by_order(np.repeat(CATEGORIES, 280), 40)
    names, counts = np.unique(objects, return_counts=True)
    assert len(names) == 49
    assert set(counts) == {40}
    assert names[7] == "Cars/00"


def test_a_map_gives_objects_names(sample, tmp_path):
    plugin = attrs.evolve(sample, objects=tmp_path / "map.csv")
    source = sample.open(BOTH)["train"]
    names = {"Cars/03": "beetle"}
    rows = [
        [i, names.get(o, o.partition("/")[2])]
        for i, o in zip(source.ids, source.groups["object"], strict=True)
    ]
    rows[0][0] = rows[0][0].removeprefix("images/")
    rows[1][0] = rows[1][0].removeprefix("images/").removesuffix(".png")
    with plugin.objects.open("w", newline="") as file:
        csv.writer(file).writerows([["image", "object"], *reversed(rows)])
    mapped = plugin.open(BOTH)["train"].groups["object"]
    expected = [{"Cars/03": "Cars/beetle"}.get(o, o) for o in source.groups["object"]]
    assert mapped.tolist() == expected
    assert plugin.fingerprint() != sample.fingerprint()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "must have the columns image,object"),
        ("image,object\na\n", "must have the columns image,object, and both filled in each row"),
        ("image,object\na,\n", "both filled in each row"),
        ("image,object\na.png,1\nimages/a.png,2\n", "names 1 images more than once: a"),
        ("image,object\na,1\n", "has no object for 735 of 735 images: images/"),
        ("all", "names 1 images that are not of these data: extra"),
        (b"image,object\n\xff\xfe,1\n", "cannot be read: "),
    ],
)
def test_maps_that_do_not_fit_are_told(sample, tmp_path, content, said):
    path = tmp_path / "map.csv"
    if content == "all":
        content = "\n".join(["image,object", *(f"{i},o" for i in sample.open(BOTH)["train"].ids), "extra,o"])
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in told(attrs.evolve(sample, objects=path))


def test_objects_by_order_that_do_not_add_up_are_told(copied):
    assert told(attrs.evolve(copied, images_per_object=40)) == (
        "objects by order: blocks of 40 images do not add up to those of "
        + ", ".join(f"{name} (105)" for name in CATEGORIES)
    )


@pytest.mark.parametrize("split", [1, 10])
def test_published_splits_are_the_columns_of_meta(sample, split):
    sources = attrs.evolve(sample, published_split=split).open(BOTH)
    marks = {row.split()[0]: row.split()[1 + split] for row in meta(sample)}
    assert {marks[i] for i in sources["train"].ids} == {"1"}
    assert {marks[i] for i in sources["test"].ids} == {"0"}
    assert (len(sources["train"]), len(sources["test"])) == (588, 147)
    _, counts = np.unique(sources["test"].groups["object"], return_counts=True)
    assert counts.tolist() == [3] * 49


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(16, 16), (37, 23)])
def test_images_are_resized_as_torchvision_does_and_lose_their_aspect(copied, mode, size):
    source = copied.open(BOTH)["train"]
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 4), dtype=np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode)
    image.save(copied.root / source.files[3])
    transforms = load_torchvision().transforms
    expected = transforms.Resize((16, 16))(image.convert("RGBA").convert("RGB"))
    read = source.read("image", np.array([3]))[0]
    np.testing.assert_array_equal(read, np.asarray(expected).transpose(2, 0, 1))


def test_nothing_is_random(sample):
    assert not any(sample.augmentations(m, role) for m in BOTH for role in ("train", "validation", "test"))


def test_an_image_that_cannot_be_decoded_is_named_at_reading(copied):
    source = copied.open(BOTH)["train"]
    path = copied.root / source.files[0]
    path.write_bytes(path.read_bytes()[:50] + path.read_bytes()[-12:])
    with pytest.raises(DataError, match=r"\.png cannot be decoded: "):
        source.read("image", np.array([0]))
    Image.fromarray(np.full((8, 8), 3000, dtype=np.uint16)).save(path)
    with pytest.raises(DataError, match="of more than 8 bits"):
        source.read("image", np.array([0]))


# ---------------------------------------------------------------- what is planted


def test_the_planted_dissimilarities_are_in_the_responses(sample):
    source = sample.open(BOTH)["train"]
    matrix = rdm(source.read("neural", np.arange(len(source))), source.groups["object"])
    target = correlation_distance(planted_means(168))
    assert compare_rdms(matrix, target) > 0.8  # 0.89 as it is written today
    order = np.random.default_rng(0).permutation(49)
    assert abs(compare_rdms(matrix, target[np.ix_(order, order)])) < 0.2
    same = np.repeat(np.arange(7), 7)[:, None] == np.repeat(np.arange(7), 7)
    assert matrix[same & ~np.eye(49, dtype=bool)].max() < matrix[~same].mean()


# ---------------------------------------------------------------- fingerprint


def test_the_fingerprint_follows_the_samples(copied):
    mark = copied.fingerprint()
    changes = [{"size": 17}, {"published_split": 1}, {"published_split": 2}, {"images_per_object": 5}]
    assert len({mark} | {attrs.evolve(copied, **c).fingerprint() for c in changes}) == len(changes) + 1
    moved = copied.root.rename(copied.root.with_name("moved"))
    moved_plugin = attrs.evolve(copied, root=moved)
    assert moved_plugin.fingerprint() == mark
    next((moved / "images").iterdir()).unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        moved_plugin.fingerprint()


# ---------------------------------------------------------------- broken folders


@pytest.mark.parametrize("make", [True, False], ids=["empty folder", "no folder"])
def test_without_data_it_says_where_to_get_them(tmp_path, make):
    root = tmp_path / "cadieu"
    if make:
        root.mkdir()
    plugin = Cadieu2014(root=root)
    (problem,) = plugin.check()
    assert problem.what == (f"{root / FILE} is missing" if make else f"there is no folder {root}")
    assert "PLoSCB2014_data_20141216.zip" in problem.hint
    assert "10.1371/journal.pcbi.1003963" in problem.hint
    for ask in (plugin.fingerprint, lambda: plugin.open(BOTH)):
        with pytest.raises(DataError):
            ask()


def test_a_root_one_folder_too_high_is_told(copied):
    (problem,) = attrs.evolve(copied, root=copied.root.parent).check()
    assert problem.hint == f"it lies one folder deeper: root = {str(copied.root)!r}"


def test_missing_and_damaged_images_are_named_by_kind(copied):
    first, second, third, *_ = (copied.root / row.split()[0] for row in meta(copied))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    third.write_bytes(b"<html>404</html>")
    names = [path.relative_to(copied.root) for path in (first, second, third)]
    assert told(copied) == (
        f"ROOT: 1 of 735 images cut off before the end: {names[1]}\n"
        f"ROOT: 1 of 735 images missing: {names[0]}\n"
        f"ROOT: 1 of 735 images not in PNG format: {names[2]}"
    )
    neural = copied.open(("neural",))["train"].read("neural", np.arange(2))  # needs no image
    assert neural.shape == (2, 168)


def without_last(values):
    return values[:-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"meta": None}, "has no variable meta; it holds features"),
        ({"features": without_last}, "features of 734 images, but meta of 735"),
        ({"features": lambda f: f[:, :5]}, "has 5 sites, not 168"),
        ({"features": lambda f: f[None]}, "real numbers, images × sites, not float64 (1, 735, 168)"),
        ({"features": lambda f: f * 1j}, "features must be real numbers, images × sites, not complex128"),
        ({"features": lambda f: np.where(f > 3, np.nan, f)}, "entries that are not finite"),
        ({"meta": lambda _: np.ones((735, 3))}, "meta must be a string for each image, not float64 (735, 3)"),
        ({"extra": lambda _: {"a": 1}}, "holds what is neither array nor string: extra (struct)"),
    ],
)  # fmt: skip
def test_a_file_of_other_things_is_told(copied, changes, said):
    held = loadmat(copied.root / FILE)
    rewrite(copied, **{name: change and change(held.get(name)) for name, change in changes.items()})
    assert said in told(copied)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row[:-2], "it does not in rows 2"),
        (
            lambda row: row[:-1] + "7",
            "meta must say path, category and 10 times 0 or 1; it does not in rows 2",
        ),
        (lambda row: "", "it does not in rows 2"),
        (lambda row: row.replace("images/", "../"), "meta has paths that lead out of the folder, in rows 2"),
        (lambda row: row.replace("images/", "/etc/"), "lead out of the folder"),
        (lambda row: row.replace("images/", "C:\\"), "lead out of the folder"),
        (lambda row: row.replace("Animals", "Animal"), "it has Animal, Animals, Cars"),
    ],
)
def test_rows_of_meta_that_mean_nothing_are_told(copied, change, said):
    rows = meta(copied)
    rows[1] = change(rows[1])
    rewrite(copied, meta=np.array(rows))
    assert said in told(copied)


def test_images_named_twice_and_splits_without_test_are_told(copied):
    rows = meta(copied)
    rewrite(copied, meta=np.array([rows[0], *rows[:-1]]))
    assert "meta names 1 images more than once: images/" in told(copied)
    rewrite(copied, meta=np.array([" ".join([*row.split()[:2], *["1"] * 10]) for row in rows]))
    assert "published split 4 has no test images" in told(attrs.evolve(copied, published_split=4))
