"""NVGesture's list files: read as they come, and every mistake in them told at once."""

from __future__ import annotations

import random

import pytest

from mmspec_greedy.nvgesture_lists import SENSORS, Frames, read_list

WORDS = [
    "path:./Video_data/class_01/subject13_r0",
    "depth:sk_depth:80:160",
    "color:sk_color:82:162",
    "duo_left:duo_left:75:168",
    "label:1",
]
FOLDER = "Video_data/class_01/subject13_r0"


def listed(tmp_path, *lines, end="\n", encoding="utf-8"):
    path = tmp_path / "train.lst"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def told(tmp_path, *lines):
    return [str(problem) for problem in read_list(listed(tmp_path, *lines))[1]]


def test_a_line_says_which_frames_of_which_videos(tmp_path):
    clips, problems = read_list(listed(tmp_path, " ".join(WORDS)))
    assert problems == []
    (clip,) = clips
    assert (clip.path, clip.subject, clip.target) == (FOLDER, "subject13", 0)
    assert clip.frames["depth"] == Frames(f"{FOLDER}/sk_depth.avi", 80, 160)
    assert clip.frames["color"] == Frames(f"{FOLDER}/sk_color.avi", 82, 162)
    assert clip.frames["duo_left"] == Frames(f"{FOLDER}/duo_left.avi", 75, 168)
    assert [len(clip.frames[sensor]) for sensor in ("depth", "color", "duo_left")] == [80, 80, 93]


def test_the_other_stereo_videos_have_the_frames_of_the_left_one(tmp_path):
    ((clip,), _) = read_list(listed(tmp_path, " ".join(WORDS)))
    assert set(clip.frames) == set(SENSORS)
    for sensor in ("duo_right", "duo_disparity"):
        assert clip.frames[sensor] == Frames(f"{FOLDER}/{sensor}.avi", 75, 168)
    ((own,), _) = read_list(listed(tmp_path, " ".join([*WORDS, "duo_right:right:1:9"])))
    assert own.frames["duo_right"] == Frames(f"{FOLDER}/right.avi", 1, 9)


def test_sensors_that_are_not_listed_have_no_frames(tmp_path):
    ((clip,), problems) = read_list(listed(tmp_path, " ".join([*WORDS[:2], WORDS[4]])))
    assert problems == []
    assert set(clip.frames) == {"depth"}


@pytest.mark.parametrize("seed", range(5))
def test_words_may_stand_in_any_order(seed, tmp_path):
    shuffled = random.Random(seed).sample(WORDS, len(WORDS))
    assert read_list(listed(tmp_path, " ".join(shuffled))) == read_list(listed(tmp_path, " ".join(WORDS)))


@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\n\r\n", "\n\n\t\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_blank_lines_and_tabs_do_not_matter(end, encoding, tmp_path):
    lines = ["\t".join(WORDS), " ".join(WORDS).replace("subject13", "subject2")]
    clips, problems = read_list(listed(tmp_path, *lines, end=end, encoding=encoding))
    assert problems == []
    assert [clip.subject for clip in clips] == ["subject13", "subject2"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("color:sk_color:82:162", "color:sk_color:82", "'color:sk_color:82' should be color:VIDEO:START:END"),
        (
            "color:sk_color:82:162",
            "color:sk_color:a:162",
            "'color:sk_color:a:162' should be color:VIDEO:START",
        ),
        ("color:sk_color:82:162", "color:sk_color:-2:162", "should be color:VIDEO:START:END"),
        ("color:sk_color:82:162", "color:../up:82:162", "should be color:VIDEO:START:END"),
        ("82:162", "162:82", "color has no frames: it starts at 162 and ends before 82"),
        ("82:162", "82:82", "color has no frames"),
        ("color:sk", "colour:sk", "'colour:sk_color:82:162' is none of path:…, label:…, color:…, depth:…"),
        ("label:1", "label", "'label' is none of path"),
        ("label:1", "", "the line has no label"),
        ("label:1", "label:0", "the label should be 1 to 25, not '0'"),
        ("label:1", "label:26", "the label should be 1 to 25, not '26'"),
        ("label:1", "label:one", "the label should be 1 to 25, not 'one'"),
        ("label:1", "label:1 label:2", "label is given twice"),
        (WORDS[0], "", "the line has no path"),
        ("subject13_r0", "sub13", "the path should end like subject13_r0, not 'sub13'"),
    ],
)
def test_a_mistake_is_told_with_its_place(old, new, what, tmp_path):
    line = " ".join(WORDS)
    (problem,) = read_list(listed(tmp_path, "", line.replace(old, new)))[1]
    assert what in problem.what
    assert problem.where.file == str(tmp_path / "train.lst")
    assert problem.where.line == 2
    if new and new in line.replace(old, new):
        marked = problem.where.text[problem.where.column - 1 :][: problem.where.width]
        assert marked.strip(":") in line.replace(old, new)


def test_all_mistakes_are_told_at_once(tmp_path):
    good = " ".join(WORDS)
    problems = told(
        tmp_path, good, good.replace("label:1", "label:99").replace("80:160", "x:y"), "nonsense", good
    )
    assert len(problems) == 4
    for problem, (line, what) in zip(
        problems,
        [
            (2, "'depth:sk_depth:x:y' should be"),
            (2, "not '99'"),
            (3, "'nonsense' is none of"),
            (4, f"{FOLDER} stands in line 1 already"),
        ],
        strict=True,
    ):
        assert f"train.lst:{line}:" in problem
        assert what in problem


def test_an_empty_list_is_told(tmp_path):
    assert "lists no clips" in told(tmp_path, "", " ")[0]


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "train.lst"
    path.write_bytes(bytes(range(128, 256)))
    assert read_list(path)[1]
