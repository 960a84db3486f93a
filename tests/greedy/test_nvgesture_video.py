"""Frames out of videos: exactly those asked for, whatever the video is like."""

from __future__ import annotations

import contextlib
import struct

import av
import numpy as np
import pytest
from numbered_videos import KINDS, number_of, read_all, write

from mmspec.errors import DataError
from mmspec_greedy.video import Header, read_frames, read_header

SIZE = 64


@pytest.fixture(scope="module", params=list(KINDS))
def video(request, tmp_path_factory):
    return write(tmp_path_factory.mktemp("videos") / "v.avi", **KINDS[request.param])


def read(path, wanted, channels=1, size=SIZE, resize=SIZE):
    wanted = np.asarray(wanted)
    out = np.zeros((channels, len(wanted), size, size), np.uint8)
    return read_frames(path, wanted, out, resize), out


@pytest.mark.parametrize(
    "wanted", [range(60), range(1, 20), range(12, 30), range(25, 60), range(59, 60), [0]]
)
def test_a_run_of_frames_is_exactly_that(video, wanted):
    found, out = read(video, wanted)
    assert found == len(wanted)
    assert [number_of(frame) for frame in out[0]] == list(wanted)
    whole = read_all(video, SIZE)
    for number, frame in zip(wanted, out[0], strict=True):
        np.testing.assert_array_equal(frame, whole[number])


@pytest.mark.parametrize("wanted", [[3, 11, 12, 13, 30, 58], [24, 24, 25, 40, 40, 40], [59, 59]])
def test_frames_may_be_far_apart_and_the_same(video, wanted):
    found, out = read(video, wanted)
    assert found == len(wanted)
    assert [number_of(frame) for frame in out[0]] == wanted


def test_every_start_gives_what_decoding_from_the_beginning_gives(video):
    whole = read_all(video, SIZE)
    for start in range(60):
        _, out = read(video, [start])
        np.testing.assert_array_equal(out[0, 0], whole[start], err_msg=f"frame {start}")


@pytest.mark.parametrize(
    ("container", "codec", "pix_fmt"), [("m4v", "mpeg4", "yuv420p"), ("mjpeg", "mjpeg", "yuvj420p")]
)
def test_without_time_stamps_frames_are_counted(container, codec, pix_fmt, tmp_path):
    video = write(tmp_path / "v", container=container, codec=codec, pix_fmt=pix_fmt)
    for start in (0, 14, 37):
        found, out = read(video, range(start, start + 20))
        assert found == 20
        assert [number_of(frame) for frame in out[0]] == list(range(start, start + 20))


def test_without_an_index_frames_are_the_same(video, tmp_path):
    content = video.read_bytes()
    assert content.count(b"idx1") == 1
    path = tmp_path / "v.avi"
    path.write_bytes(content.replace(b"idx1", b"JUNK"))
    for start in (0, 14, 40):
        found, out = read(path, range(start, start + 15))
        assert found == 15
        assert [number_of(frame) for frame in out[0]] == list(range(start, start + 15))


def test_colors_and_greys_come_out_as_they_went_in(tmp_path):
    colors = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "grey": (128, 128, 128)}
    with av.open(str(tmp_path / "v.avi"), "w") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for color in colors.values():
            picture = np.full((48, 64, 3), color, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    _, out = read(tmp_path / "v.avi", range(4), channels=3)
    assert np.abs(out.mean(axis=(2, 3)).T - list(colors.values())).max() < 6
    _, grey = read(tmp_path / "v.avi", range(4))
    luma = np.array(list(colors.values())) @ [0.299, 0.587, 0.114]
    assert np.abs(grey.mean(axis=(0, 2, 3)) - luma).max() < 6


@pytest.mark.parametrize("channels", [1, 3])
def test_color_is_what_pyav_makes_of_it(channels, video):
    found, out = read(video, range(5, 25), channels=channels)
    whole = np.stack(read_all(video, SIZE, {1: "gray", 3: "rgb24"}[channels])[5:25]).reshape(
        20, SIZE, SIZE, channels
    )
    assert found == 20
    assert (
        np.abs(out.transpose(1, 2, 3, 0).astype(int) - whole).max() <= 6
    )  # planar and packed RGB are rounded apart


def test_the_middle_is_kept(video):
    _, whole = read(video, range(3))
    _, middle = read(video, range(3), size=50)
    np.testing.assert_array_equal(middle, whole[:, :, 7:57, 7:57])


def test_a_video_that_ends_early_says_how_far_it_goes(video):
    found, out = read(video, range(50, 70))
    assert found == 10
    assert [number_of(frame) for frame in out[0, :10]] == list(range(50, 60))
    assert not out[:, 10:].any()
    assert read(video, range(80, 90))[0] == 0


def test_a_video_cut_short_is_never_filled_up(video, tmp_path):
    path = tmp_path / "v.avi"
    path.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    found, out = _read_or_nothing(path)
    assert found < 60
    assert [number_of(frame) for frame in out[0, :found]] == list(range(found))


def _read_or_nothing(path):
    out = np.zeros((1, 60, SIZE, SIZE), np.uint8)
    with contextlib.suppress(DataError):  # where not even the first frame is whole
        return read_frames(path, np.arange(60), out, SIZE), out
    return 0, out


def test_a_gap_is_an_error(tmp_path):
    path = write(tmp_path / "v.avi", [*range(10), *range(13, 30)])
    with pytest.raises(DataError, match=r"has no frame 10: after those before it comes 13"):
        read(path, range(5, 20))
    found, out = read(path, range(14, 20))
    assert found == 6
    assert [number_of(frame) for frame in out[0]] == list(range(14, 20))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no video at all" * 100])
def test_what_is_no_video_is_an_error(content, tmp_path):
    path = tmp_path / "v.avi"
    path.write_bytes(content)
    assert read_header(path) is None
    with pytest.raises(DataError, match=r"v\.avi cannot be read as a video"):
        read(path, range(3))


def test_the_header_knows_size_and_frames(video, tmp_path):
    size = video.stat().st_size
    assert read_header(video) == Header(size, 60)
    content = bytearray(video.read_bytes())
    content[48:52] = struct.pack("<I", 0)
    (tmp_path / "v.avi").write_bytes(content)
    assert read_header(tmp_path / "v.avi") == Header(size, None)
