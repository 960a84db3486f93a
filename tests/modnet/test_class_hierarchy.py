"""Tasks over an image-folder ImageNet: which images are taken, which held out, what is said of mistakes."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from folders import bytes_below, write_imagenet, write_images

from mmspec.errors import DataError
from mmspec.plugins.api import Outline
from mmspec_modnet.datasets import ClassHierarchy


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Not to be changed."""
    return write_imagenet(tmp_path_factory.mktemp("imagenet"))


def task(root, positive="canine", negative="animal", **options):
    options = {"hierarchy": root / "is_a.txt", "resize": 8, "size": 6, **options}
    return ClassHierarchy(
        root=root, positive=tuple(positive.split()), negative=tuple(negative.split()), **options
    )


def taken(plugin):
    """{split: ids} of each class."""
    sources = plugin.open(("image",))
    return {
        label: {split: set(source.ids[source.targets == label].tolist()) for split, source in sources.items()}
        for label in (0, 1)
    }


def folders(ids):
    return {each.partition("/")[0] for each in ids}


def told(plugin):
    return "\n".join(f"{problem.what}; {problem.hint}" for problem in plugin.check())


# ---------------------------------------------------------------- which images


def test_a_synset_stands_for_all_below_it_and_what_is_positive_is_not_negative(tree):
    found = taken(task(tree, "canine", "animal tool"))
    assert folders(found[1]["train"]) == {"wolf", "dog"}
    assert folders(found[0]["train"]) == {"cat", "saw"}


def test_folders_need_no_hierarchy(tree):
    found = taken(task(tree, "wolf", "cat saw", hierarchy=None))
    assert (folders(found[1]["train"]), folders(found[0]["train"])) == ({"wolf"}, {"cat", "saw"})
    groups = task(tree, "wolf", "cat").open(("image",))["train"].groups["folder"]
    assert set(groups) == {"wolf", "cat"}


@pytest.mark.parametrize(("held_out", "test"), [(0.3, 9), (0.2, 6)])
def test_classes_are_equally_large_and_split_by_their_shares(tree, held_out, test):
    found = taken(task(tree, "canine", "tool", held_out=held_out))  # 30 and 40 images
    for label in (0, 1):
        assert {split: len(ids) for split, ids in found[label].items()} == {"train": 30 - test, "test": test}
        assert not found[label]["train"] & found[label]["test"]


def test_as_many_as_asked_for(tree):
    found = taken(task(tree, "canine", "tool", per_class=20, held_out=0.3))
    assert {len(found[label]["train"]) for label in (0, 1)} == {14}
    assert {len(found[label]["test"]) for label in (0, 1)} == {6}


def test_the_seed_says_which(tree):
    one, again, other = (taken(task(tree, "canine", "tool", seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one[0] != other[0]
    assert one[1]["test"] != other[1]["test"]


def test_tasks_over_the_same_images_agree_on_what_is_held_out(tree):
    first, second = taken(task(tree, "animal", "tool")), taken(task(tree, "canine", "cat saw"))
    ids = [{split: found[0][split] | found[1][split] for split in found[0]} for found in (first, second)]
    assert ids[0]["test"] & ids[1]["test"]
    assert not ids[0]["test"] & ids[1]["train"]
    assert not ids[0]["train"] & ids[1]["test"]


def test_another_image_does_not_redraw_the_others(tmp_path):
    root = write_imagenet(tmp_path)
    before = taken(task(root, "canine", "tool", per_class=20))
    write_images(root / "train" / "cat", 5, first=100)  # of neither class
    assert taken(task(root, "canine", "tool", per_class=20)) == before
    write_images(root / "train" / "saw", 1, first=100)
    after = taken(task(root, "canine", "tool", per_class=20))
    assert len(after[0]["train"] - before[0]["train"]) <= 2
    assert after[1] == before[1]


def test_nothing_on_disk_is_changed(tmp_path):
    root = write_imagenet(tmp_path)
    before = bytes_below(root)
    plugin = task(root, "canine", "tool")
    plugin.check(), plugin.fingerprint(), plugin.open(("image",))["train"].read("image", np.arange(4))
    assert bytes_below(root) == before


def test_images_may_lie_in_the_root_itself(tmp_path):
    write_images(tmp_path / "Wolf", 6, ending="png")
    write_images(tmp_path / "Animals_Not_Wolf", 9, ending="jpg")
    found = taken(task(tmp_path, "Wolf", "Animals_Not_Wolf", hierarchy=None, part=""))
    assert len(found[0]["train"]) == len(found[1]["train"]) == 4


# ---------------------------------------------------------------- what is hashed


def test_the_fingerprint_is_of_the_images_used(tmp_path):
    root = write_imagenet(tmp_path)
    mark = task(root, "canine", "tool").fingerprint()
    write_images(root / "train" / "cat", 1, first=100)
    assert task(root, "canine", "tool").fingerprint() == mark
    assert attrs.evolve(task(root, "canine", "tool"), size=5).fingerprint() == mark
    others = [
        task(root, "tool", "canine"), task(root, "wolf", "tool"),
        task(root, "canine", "tool", seed=1), task(root, "canine", "tool", resize=9),
        task(root, "canine", "tool", per_class=10),
    ]  # fmt: skip
    assert len({mark, *(other.fingerprint() for other in others)}) == 6


# ---------------------------------------------------------------- mistakes


def test_a_name_that_is_not_there_is_told_with_the_nearest(tree):
    assert "no folder of 'canines'; did you mean 'canine'?" in told(task(tree, "canines"))
    assert "no folder of 'animal'; there are cat, dog" in told(task(tree, "wolf", "animal", hierarchy=None))
    with pytest.raises(DataError, match="no folder of 'bird'"):
        task(tree, "bird").open(("image",))


def test_missing_data_are_told_with_their_source(tmp_path):
    assert "there is no folder" in told(task(tmp_path / "absent", hierarchy=None))
    assert "https://image-net.org" in told(task(tmp_path / "absent", hierarchy=None))


def test_no_name_is_of_both_classes(tree):
    plain = Outline(modalities=("image",), stages={}, data=None, splits={}, fusion=None)
    [mistake] = task(tree, "canine cat", "cat tool").mistakes(plain)
    assert (mistake.what, mistake.option) == ("both positive and negative: cat", "negative")
    [mistake] = task(tree, size=9).mistakes(plain)
    assert mistake.option == "size"


def test_too_few_images_are_told(tree):
    assert "21 images of the smaller class for train, not 70" in told(
        task(tree, "canine", "tool", per_class=100)
    )
    assert "of one class there is no image for train" in told(task(tree, "canine wolf", "dog"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a b\nc d e\n", "line 2: not a parent and a child: 'c d e'"), (b"\xff\xfe\xff", "is not a text file")],
)
def test_a_hierarchy_that_is_none_is_told(tree, tmp_path, content, message):
    path = tmp_path / "is_a.txt"
    path.write_bytes(content)
    assert message in told(task(tree, hierarchy=path))
    assert "cannot be read" in told(task(tree, hierarchy=tmp_path / "absent.txt"))


def test_a_circle_does_no_harm(tree, tmp_path):
    path = tmp_path / "is_a.txt"
    path.write_text("canine wolf\nwolf canine\nanimal cat\n\n")
    assert folders(taken(task(tree, "canine", "animal", hierarchy=path))[1]["train"]) == {"wolf"}


@pytest.mark.parametrize(
    "options", [{"held_out": 0.0}, {"held_out": 1.0}, {"per_class": 1}, {"positive": ""}, {"least_area": 0.0}]
)
def test_options_that_make_no_sense_are_refused(tree, options):
    with pytest.raises(ValueError, match="must"):
        task(tree, **options)


# ---------------------------------------------------------------- the stand-in


def test_the_stand_in_nests_tasks(tmp_path):
    asked = ClassHierarchy(root=tmp_path, positive=("n02083346",), negative=("n00015388",), per_class=5950)
    second = asked.write_sample(tmp_path)
    assert (second.positive, second.negative) == (asked.positive, asked.negative)
    other = ClassHierarchy(root=tmp_path, positive=("fish",), negative=("bird",)).write_sample(tmp_path)
    first, later = taken(other), taken(second)
    assert folders(later[1]["train"]) < folders(first[1]["train"])
    assert all(later[1][split] < first[1][split] for split in ("train", "test"))
    assert not first[1]["test"] & later[1]["train"]
