"""NVGesture: clips, splits and faults, on the stand-in and on videos whose pictures are numbered."""

from __future__ import annotations

import shutil
import struct
import warnings

import attrs
import av
import numpy as np
import pytest
import torch
from numbered_videos import number_of, write
from sklearn.linear_model import LogisticRegression

from mmspec.data.loader import Loader, Placement
from mmspec.data.splits import with_validation
from mmspec.errors import DataError
from mmspec.spec.model import Split
from mmspec_greedy.nvgesture import CLASSES, NvGesture
from mmspec_greedy.nvgesture_clips import Window
from mmspec_greedy.nvgesture_files import LISTS
from mmspec_greedy.nvgesture_lists import LABELS, Frames

SENSORS = ("color", "depth")
VIDEOS = {"color": "sk_color", "depth": "sk_depth", "duo_left": "duo_left", "duo_right": "duo_right"}
LENGTH = 60


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The stand-in at the size of a smoke run."""
    root = tmp_path_factory.mktemp("nvgesture")
    return NvGesture(root=root / "absent").smoke().write_sample(root)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three numbered clips to train with, two to test; depth is late by 3 frames, the stereo camera by 5."""
    root = tmp_path_factory.mktemp("numbered")
    made = [(1, 1), (2, 2), (3, 3), (1, 4), (25, 5)]
    folders = [f"Video_data/class_{label:02d}/subject{subject}_r0" for label, subject in made]
    video = write(root / "video.avi", range(LENGTH))
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for name in VIDEOS.values():
            shutil.copy(video, root / folder / f"{name}.avi")
    lines = [
        f"path:./{folder} depth:sk_depth:13:33 color:sk_color:10:30 duo_left:duo_left:15:39 label:{label}"
        for folder, (label, _) in zip(folders, made, strict=True)
    ]
    (root / LISTS["train"]).write_text("\n".join(lines[:3]))
    (root / LISTS["test"]).write_text("\n".join(lines[3:]))
    return root


@pytest.fixture
def numbered(written, tmp_path):
    """The numbered clips, to be damaged."""
    root = shutil.copytree(written, tmp_path / "numbered")
    return NvGesture(root=root, frames=8, range=20, resize=64, size=64, validation=0)


def numbers(clips):
    """The frame numbers in clips (N, C, T, H, W), from their first channel."""
    return [[number_of(frame) for frame in clip[0]] for clip in clips]


def relist(plugin, split, old, new, count=-1):
    path = plugin.root / LISTS[split]
    path.write_text(path.read_text().replace(old, new, count))


def told(plugin):
    """What check() says, which open() must say as well."""
    problems = plugin.check()
    if problems:
        with pytest.raises(DataError) as error:
            plugin.open(plugin.sensors)
        assert error.value.problems == tuple(problems)
    return [str(problem) for problem in problems]


# ---------------------------------------------------------------- which frames


def test_there_are_25_gestures():
    assert len(CLASSES) == len(set(CLASSES)) == LABELS == 25


def window(**options):
    return Window(
        **{"count": 80, "frames": 64, "spread": False, "resize": 8, "size": 8, "pad": False, **options}
    )


def test_a_run_lies_in_the_middle_of_the_range():
    assert window(frames=80).numbers(Frames("v", 100, 180)).tolist() == list(range(100, 180))
    assert window().numbers(Frames("v", 100, 180)).tolist() == list(range(108, 172))
    assert window().numbers(Frames("v", 100, 193)).tolist() == list(range(114, 178))  # of 106 to 185
    assert window().numbers(Frames("v", 100, 150)).tolist()[-24:] == [148] + [149] * 23


def test_spread_frames_cover_the_whole_range():
    spread = window(count=8, frames=8, spread=True)
    assert spread.numbers(Frames("v", 100, 180)).tolist() == list(range(105, 180, 10))
    assert spread.numbers(Frames("v", 100, 108)).tolist() == list(range(100, 108))
    assert spread.numbers(Frames("v", 0, 93)).tolist() == [5, 17, 29, 40, 52, 63, 75, 87]
    assert spread.numbers(Frames("v", 0, 4)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_each_sensor_has_its_own_range(numbered):
    plugin = attrs.evolve(numbered, sensors=("color", "depth", "duo_left", "duo_right"))
    sources = plugin.open(plugin.sensors)
    starts = {"color": 10, "depth": 13, "duo_left": 17, "duo_right": 17}  # the middle 20 of 24
    for sensor, start in starts.items():
        train = sources["train"].read(sensor, np.array([2, 0]))
        assert numbers(train) == [list(range(start, start + 20))] * 2
        test = sources["test"].read(sensor, np.array([1]))
        assert numbers(test) == [list(range(start + 6, start + 14))]
    assert sources["train"].read("color", np.array([0])).shape == (1, 3, 20, 64, 64)
    assert sources["train"].read("depth", np.array([0])).shape == (1, 1, 20, 64, 64)


@pytest.mark.parametrize(
    ("sampling", "expected"), [("center", [*range(16, 24)]), ("uniform", [11, 13, 16, 18, 21, 23, 26, 28])]
)
def test_without_random_starts_all_splits_read_the_same_frames(sampling, expected, numbered):
    sources = attrs.evolve(numbered, sampling=sampling).open(SENSORS)
    for source in sources.values():
        assert numbers(source.read("color", np.array([0]))) == [expected]


def test_sources_for_evaluation_hold_the_middle_of_what_training_holds(sample):
    train = attrs.evolve(sample, validation=0).open(SENSORS)["train"]
    middle = attrs.evolve(train, window=attrs.evolve(sample.open(SENSORS)["test"].window))
    for sensor in SENSORS:
        (crop,) = sample.augmentations(sensor, "validation")
        raw = torch.from_numpy(train.read(sensor, np.arange(4)))
        np.testing.assert_array_equal(crop(raw, 0, 1, np.arange(4)), middle.read(sensor, np.arange(4)))


def loaded(plugin, sources, split, role, epoch=1):
    info = plugin.describe()
    steps = {m: plugin.augmentations(m, role) for m in plugin.sensors}
    loader = Loader(
        sources[split],
        info.modalities,
        Placement(torch.device("cpu")),
        batch_size=8,
        seed=3,
        augmentations=steps,
        in_order=steps,
    )
    (batch,) = loader.shuffled(epoch) if role == "train" else loader.ordered()
    assert {m: tuple(x.shape[1:]) for m, x in batch.inputs.items()} == {
        m: each.shape for m, each in info.modalities.items()
    }
    return batch


def frame_numbers(batch, sensor):
    return np.array(numbers(((batch.inputs[sensor] + 1) * 127.5).numpy()))


def test_random_starts_are_the_same_for_all_sensors(numbered):
    sources = numbered.open(SENSORS)
    starts = set()
    for epoch in range(1, 12):
        batch = loaded(numbered, sources, "train", "train", epoch)
        color, depth = (frame_numbers(batch, sensor) for sensor in SENSORS)
        np.testing.assert_array_equal(color + 3, depth)
        np.testing.assert_array_equal(np.diff(color, axis=1), 1)
        assert 10 <= color.min() <= color.max() < 30
        starts |= set(color[:, 0].tolist())
    assert len(starts) > 8  # of 13


def test_validation_taken_out_of_train_by_the_spec_sees_the_middle(numbered):
    sources = with_validation(numbered.open(SENSORS), Split(fraction=0.4, group_by="subject"))
    for split, role in (("val", "validation"), ("test", "test")):
        batch = loaded(numbered, sources, split, role)
        assert (frame_numbers(batch, "color") == np.arange(16, 24)).all()


def test_crops_and_flips_are_the_same_for_all_sensors_and_frames(sample):
    plugin = attrs.evolve(sample, flip=0.5)
    color, depth = (plugin.augmentations(sensor, "train") for sensor in SENSORS)
    assert color == depth
    assert [type(step).__name__ for step in color] == ["RandomCrop", "HorizontalFlip"]
    ramp = torch.arange(54 * 54).view(1, 1, 1, 54, 54).expand(20, 1, 20, 54, 54)
    done = ramp
    for step in color:
        done = step(done, 0, 1, np.arange(20))
    assert done.shape == (20, 1, 17, 48, 48)
    assert (done == done[:, :, :1]).all()
    assert len(plugin.augmentations("color", "test")) == len(sample.augmentations("color", "train")) == 1


# ---------------------------------------------------------------- splits


def subjects(source):
    return set(source.groups["subject"].tolist())


@pytest.mark.parametrize("seed", range(4))
def test_validation_by_subject_shares_no_subject_with_training(seed, sample):
    sources = attrs.evolve(sample, seed=seed).open(SENSORS)
    assert not subjects(sources["train"]) & subjects(sources["val"])
    assert (len(sources["train"]), len(sources["val"]), len(sources["test"])) == (20, 4, 12)


def test_validation_by_sample_takes_a_share(sample):
    by_sample = attrs.evolve(sample, validation_by="sample")
    sources, others = by_sample.open(SENSORS), attrs.evolve(by_sample, seed=1).open(SENSORS)
    assert (len(sources["train"]), len(sources["val"])) == (19, 5)
    assert not set(sources["train"].ids) & set(sources["val"].ids)
    assert subjects(sources["train"]) & subjects(sources["val"])
    assert set(sources["val"].ids) != set(others["val"].ids)


def test_without_validation_train_is_the_whole_list(sample):
    plugin = attrs.evolve(sample, validation=0)
    assert dict(plugin.describe().splits) == {"train": "train", "test": "test"}
    sources = plugin.open(SENSORS)
    assert {split: len(source) for split, source in sources.items()} == {"train": 24, "test": 12}


@pytest.mark.parametrize(("share", "side"), [(0.01, "val"), (0.99, "train")])
def test_a_share_that_leaves_nothing_is_refused(share, side, sample):
    with pytest.raises(DataError, match=rf"validation = {share:g} of 6 subjects leaves no clip in {side}"):
        attrs.evolve(sample, validation=share).open(SENSORS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 300}, "must be between 1 and `resize`, 256"),
        ({"range": 60}, "must be `frames`, 64, or above"),
        ({"sensors": ()}, "must name one sensor or more"),
        ({"sensors": ("color", "color")}, "each once"),
        ({"validation": 1.0}, "below 1"),
        ({"flip": 1.5}, "between 0 and 1"),
    ],
)
def test_options_that_cannot_be(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        NvGesture(root=tmp_path, **options)


# ---------------------------------------------------------------- what may be wrong


def test_without_data_it_says_where_to_get_them(tmp_path):
    (problem,) = told(NvGesture(root=tmp_path / "absent"))
    assert all(name in problem for name in LISTS.values())
    assert "research.nvidia.com" in problem
    assert "Video_data must lie in" in problem


def test_one_missing_list_is_named(sample, tmp_path):
    (tmp_path / LISTS["train"]).write_text((sample.root / LISTS["train"]).read_text())
    (problem,) = told(attrs.evolve(sample, root=tmp_path))
    assert LISTS["test"] in problem
    assert LISTS["train"] not in problem


def test_mistakes_in_both_lists_are_told_together(numbered):
    relist(numbered, "train", "label:2", "label:26")
    relist(numbered, "test", "color:sk_color:10:30", "color:sk_color", 1)
    problems = told(numbered)
    assert [f"{LISTS[split]}:" in p for split, p in zip(("train", "test"), problems, strict=True)] == [
        True,
        True,
    ]


def test_a_clip_in_both_lists_is_refused(numbered):
    (numbered.root / LISTS["test"]).write_text((numbered.root / LISTS["train"]).read_text())
    (problem,) = told(numbered)
    assert "3 clips are in both lists: Video_data/class_01/subject1_r0, " in problem


def test_faults_of_videos_are_told_at_once_with_names_and_counts(numbered):
    videos = numbered.root / "Video_data"
    (videos / "class_01/subject1_r0/sk_color.avi").unlink()
    (videos / "class_02/subject2_r0/sk_depth.avi").write_bytes(b"no video")
    whole = (videos / "class_03/subject3_r0/sk_color.avi").read_bytes()
    (videos / "class_03/subject3_r0/sk_color.avi").write_bytes(whole[:5000])
    relist(numbered, "test", "depth:sk_depth:13:33", "depth:sk_depth:50:70", 1)
    relist(numbered, "train", "depth:sk_depth:13:33", "depth:sk_depth:13:20", 1)
    problems = told(numbered)
    assert len(problems) == 5
    for what in (
        f"{LISTS['train']}: 1 of 6 videos are missing: Video_data/class_01/subject1_r0/sk_color.avi",
        f"{LISTS['train']}: 1 of 6 videos are no AVI files: Video_data/class_02/subject2_r0/sk_depth.avi",
        "1 of 6 videos are cut short: Video_data/class_03/subject3_r0/sk_color.avi "
        f"(5000 of {len(whole)} bytes)",
        f"{LISTS['test']}: 1 of 4 videos end before their frames do: "
        "Video_data/class_01/subject4_r0/sk_depth.avi (frames 56 to 63 of 60)",
        "1 of 6 videos have too few frames in the lists: "
        "Video_data/class_01/subject1_r0/sk_depth.avi (7 for 20)",
    ):
        assert any(what in problem for problem in problems), what


def test_a_missing_sensor_matters_to_those_who_want_it(numbered):
    relist(numbered, "train", "depth:sk_depth:13:33", "")
    assert attrs.evolve(numbered, sensors=("color",)).check() == []
    assert numbered.open(("color",))
    (problem,) = told(numbered)
    assert "3 of 6 videos have no frames in the lists: Video_data/class_01/subject1_r0: depth" in problem
    absent = told(attrs.evolve(numbered, sensors=("duo_disparity",)))
    assert ["3 of 3 videos are missing" in absent[0], "2 of 2 videos are missing" in absent[1]] == [
        True,
        True,
    ]


def test_many_names_are_cut_off(sample, tmp_path):
    for name in LISTS.values():
        (tmp_path / name).write_text((sample.root / name).read_text())
    train, test = told(attrs.evolve(sample, root=tmp_path))
    assert "48 of 48 videos are missing" in train
    assert ", and 38 more" in train
    assert "24 of 24" in test


def without_frame_count(path):
    content = bytearray(path.read_bytes())
    content[48:52] = struct.pack("<I", 0)
    path.write_bytes(content)


def test_a_video_that_does_not_say_how_long_it_is_is_an_error_when_read(numbered):
    relist(numbered, "train", "color:sk_color:10:30", "color:sk_color:50:70")
    path = numbered.root / "Video_data/class_02/subject2_r0/sk_color.avi"
    for folder in (numbered.root / "Video_data").glob("*/*"):
        without_frame_count(folder / "sk_color.avi")
    source = numbered.open(SENSORS)["train"]
    with pytest.raises(DataError) as error:
        source.read("color", np.array([1]))
    assert f"{path} has 10 of the 20 frames wanted, 50 to 69: none from 60 on" in str(error.value)
    padded = attrs.evolve(numbered, pad="repeat").open(SENSORS)["train"]
    with pytest.warns(UserWarning, match=r"none from 60 on; the last one is repeated"):
        clip = padded.read("color", np.array([1]))
    assert numbers(clip) == [[*range(50, 60), *[59] * 10]]


def test_padding_says_what_it_does(numbered):
    relist(numbered, "train", "color:sk_color:10:30", "color:sk_color:45:65", 1)
    relist(numbered, "train", "depth:sk_depth:13:33", "depth:sk_depth:13:23", 1)
    assert len(told(numbered)) == 2
    padding = attrs.evolve(numbered, pad="repeat")
    assert padding.check() == []
    with pytest.warns(UserWarning, match="frames are repeated") as record:
        source = padding.open(SENSORS)["train"]
    (said,) = (str(each.message) for each in record)
    folder = "Video_data/class_01/subject1_r0"
    videos = f"{folder}/sk_color.avi (5), {folder}/sk_depth.avi (10)"
    assert said == f'pad = "repeat": frames are repeated in 2 videos: {videos}'
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numbers(source.read("color", np.array([0]))) == [[*range(45, 60), *[59] * 5]]
        assert numbers(source.read("depth", np.array([0]))) == [[*range(13, 23), *[22] * 10]]


def test_padding_makes_nothing_out_of_nothing(numbered):
    relist(numbered, "train", "color:sk_color:10:30", "color:sk_color:60:80", 1)
    (problem,) = told(attrs.evolve(numbered, pad="repeat"))
    assert "end before their frames do" in problem


# ---------------------------------------------------------------- fingerprint, stand-in


def test_the_fingerprint_is_of_lists_videos_and_options(numbered):
    mark = numbered.fingerprint()
    same = [{"flip": 0.5}, {"sensors": ("depth", "color")}]
    other = [{"sensors": ("color",)}, {"sampling": "center"}, {"pad": "repeat"}, {"validation": 0.5}]
    assert {attrs.evolve(numbered, **options).fingerprint() for options in same} == {mark}
    assert len({mark, *(attrs.evolve(numbered, **options).fingerprint() for options in other)}) == 5
    relist(numbered, "test", "label:25", "label:24")
    assert numbered.fingerprint() != mark
    (numbered.root / "Video_data/class_01/subject1_r0/sk_color.avi").unlink()
    with pytest.raises(DataError, match=r"sk_color\.avi cannot be read"):
        numbered.fingerprint()


@pytest.mark.parametrize("sensors", [("color", "depth"), ("duo_left", "duo_right", "duo_disparity")])
def test_pyav_alone_reads_the_stand_in(sensors, sample, tmp_path):
    plugin = attrs.evolve(sample, sensors=sensors)
    if sensors != sample.sensors:
        plugin = plugin.write_sample(tmp_path)
    source = plugin.open(sensors)["train"]
    for clip in source.clips[:3]:
        for sensor in sensors:
            frames = clip.frames[sensor]
            with av.open(str(plugin.root / frames.video)) as file:
                (stream,) = file.streams
                assert (stream.width, stream.height, stream.average_rate) == (320, 240, 30)
                decoded = [frame.to_ndarray(format="gray") for frame in file.decode(stream)]
            assert len(decoded) == stream.frames >= frames.end
            expected = np.array(decoded)[plugin.open(sensors)["train"].window.numbers(frames)].mean(
                axis=(1, 2)
            )
            grey = source.read(sensor, np.flatnonzero(source.ids == clip.path))[0].mean(axis=(2, 3))
            luma = grey[0] if len(grey) == 1 else np.array([0.299, 0.587, 0.114]) @ grey
            assert np.abs(luma - expected).max() < 3


def test_the_stand_in_has_the_frames_that_default_options_need(tmp_path):
    plugin = NvGesture(root=tmp_path, sensors=("depth",)).write_sample(tmp_path)
    assert plugin.check() == []
    source = plugin.open(("depth",))["train"]
    assert source.read("depth", np.array([0])).shape == (1, 1, 80, 256, 256)


def test_gestures_can_be_learned_from_depth_more_easily_than_from_color(sample):
    plugin = attrs.evolve(sample, sampling="uniform", frames=8, resize=48, size=48, validation=0)
    sources = plugin.open(SENSORS)
    score = {}
    for sensor in SENSORS:
        train, test = (features(sources[split], sensor) for split in ("train", "test"))
        model = LogisticRegression(C=100, max_iter=2000).fit(train, sources["train"].targets)
        score[sensor] = model.score(test, sources["test"].targets)
    assert score["depth"] > 0.9
    assert 0.25 < score["color"] < score["depth"] - 0.2  # four gestures: chance is 0.25


def features(source, sensor):
    """Clips as four pictures of six by six, without what stands still. (N, …)"""
    clips = source.read(sensor, np.arange(len(source))) / 255
    small = clips.reshape(*clips.shape[:2], 4, 2, 6, 8, 6, 8).mean(axis=(3, 5, 7))
    return (small - small.mean(axis=2, keepdims=True)).reshape(len(clips), -1)
