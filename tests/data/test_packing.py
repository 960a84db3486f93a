"""Packing: whole or not at all, the same whoever does it, and said where it cannot be."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
from packable import SPLITS, Packable
from waiting import wait_for

from mmspec.data import pack_layout, pack_lock, pack_writer, packing
from mmspec.data.pack_workers import spread
from mmspec.errors import DataError, RunError

BOTH = ("a", "bb")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(pack_layout, "_CHUNK_SAMPLES", 4)


#: What only the making needs; who is killed right after the renaming leaves it until the pack is asked for.
LEFT = {"journal", "plan.json", "lock"}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_log(path):
    return Counter(path.read_text().split("\n")[:-1])


def files(cache):
    return sorted(path.name for path in cache.iterdir())


# ---------------------------------------------------------------- what a pack is


def test_a_pack_reads_as_the_data_do(tmp_path):
    data = Packable()
    packed, opened = packing.open_packed(data, BOTH, tmp_path), data.open(BOTH)
    assert list(packed) == list(opened)
    for split, one in opened.items():
        indices = np.array([3, 0, 5, 3])
        for m in BOTH:
            assert np.array_equal(packed[split].read(m, indices), one.read(m, indices))
            assert packed[split].read(m, indices).shape == (4, *SPLITS[split][1])
        assert np.array_equal(packed[split].ids, one.ids)
        assert np.array_equal(packed[split].targets, one.targets)
        assert np.array_equal(packed[split].groups["pair"], one.groups["pair"])
    for folder in packing.pack(data, BOTH, tmp_path).values():
        assert packing.verify(folder) == []


@pytest.mark.parametrize("jobs", [2, 5, 99])
def test_processes_write_what_one_process_writes(tmp_path, jobs):
    alone = packing.pack(Packable(), BOTH, tmp_path / "alone", jobs=1)
    many = packing.pack(Packable(), BOTH, tmp_path / "many", jobs=jobs)
    for m in BOTH:
        assert contents(many[m]) == contents(alone[m])


def test_a_packed_source_is_pickled_without_its_data(tmp_path):
    source = packing.open_packed(Packable(), BOTH, tmp_path)["train"]
    rows = source.read("a", np.arange(50))
    kept = pickle.dumps(source)
    assert len(kept) < rows.nbytes
    assert np.array_equal(pickle.loads(kept).read("a", np.arange(50)), rows)


def test_rows_are_the_callers_own(tmp_path):
    source = packing.open_packed(Packable(), ("a",), tmp_path)["train"]
    rows = source.read("a", np.array([1, 2]))
    assert type(rows) is np.ndarray
    assert rows.flags.writeable
    assert rows.base.flags.owndata
    before = rows.copy()
    rows[:] = 0
    assert np.array_equal(source.read("a", np.array([1, 2])), before)


def test_an_empty_split_is_packed(tmp_path):
    data = Packable(splits={"train": (5, (3, 2, 2)), "test": (0, (3, 2, 2))})
    source = packing.open_packed(data, ("a",), tmp_path, follow=lambda _: None)["test"]
    assert len(source) == 0
    assert packing.verify(packing.pack(data, ("a",), tmp_path)["a"]) == []


def test_a_finished_pack_asks_the_data_for_nothing_but_their_fingerprint(tmp_path, monkeypatch):
    packing.pack(Packable(), BOTH, tmp_path)

    def refuse(*_):
        raise AssertionError

    for name in ("open", "describe", "check"):
        monkeypatch.setattr(Packable, name, refuse)
    assert len(packing.open_packed(Packable(), BOTH, tmp_path)["train"]) == 50


def test_a_modality_is_packed_once_whoever_reads_it(tmp_path):
    alone = packing.pack(Packable(), ("bb",), tmp_path)["bb"]
    log = tmp_path / "log"
    both = packing.pack(Packable(log=log), BOTH, tmp_path)
    assert both["bb"] == alone
    assert {line.split()[0] for line in read_log(log)} == {"a"}


def test_progress_reaches_its_total(tmp_path):
    told = []
    packing.pack(Packable(), BOTH, tmp_path, jobs=2, follow=told.append)
    for m in BOTH:
        mine = [p for p in told if p.what == f"packing {m}"]
        assert [p.done for p in mine] == sorted(p.done for p in mine)
        assert mine[-1].done == mine[-1].total == sum(n * np.prod(shape) for n, shape in SPLITS.values())


# ---------------------------------------------------------------- damage


def test_damage_is_found(tmp_path):
    folder = packing.pack(Packable(), BOTH, tmp_path)["a"]
    content = bytearray((folder / "val.samples.npy").read_bytes())
    content[-1] ^= 1
    (folder / "val.samples.npy").write_bytes(content)
    (folder / "test.samples.npy").unlink()
    ids = len((folder / "train.ids.npy").read_bytes())
    (folder / "train.ids.npy").write_bytes(b"")
    problems = packing.verify(folder)
    assert [p.what.split("/")[-1] for p in problems] == [
        "test.samples.npy is missing",
        f"train.ids.npy is damaged: 0 bytes, not {ids}",
        "val.samples.npy is damaged",
    ]
    assert all(f"delete {folder}" in p.hint for p in problems)
    with pytest.raises(DataError, match=r"\.npy cannot be read"):
        packing.open_packed(Packable(), BOTH, tmp_path)


DAMAGED = '{"modality": "a", "splits": {"train": {"groups": [], "files": {"train.samples.npy": %s}}}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"modality": "a", "splits": {"train": 3}}',
        "\xff",
        DAMAGED % "[]",
        DAMAGED % "[[1, 2]]",
    ],
)
def test_a_damaged_list_is_said(tmp_path, text):
    folder = packing.pack(Packable(), ("a",), tmp_path)["a"]
    (folder / "pack.json").write_text(text, encoding="latin-1")
    for look in (packing.verify, lambda _: packing.open_packed(Packable(), ("a",), tmp_path)):
        with pytest.raises(DataError, match="is no pack"):
            look(folder)


def test_a_pack_without_its_list_is_made_again(tmp_path):
    folder = packing.pack(Packable(), ("a",), tmp_path)["a"]
    (folder / "pack.json").unlink()
    assert packing.verify(packing.pack(Packable(), ("a",), tmp_path)["a"]) == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_damaged_samples_are_named_and_the_others_kept(tmp_path, jobs):
    with pytest.raises(DataError) as caught:
        packing.pack(Packable(damaged=("train-9", "train-10"), gone=("test-3",)), ("a",), tmp_path, jobs=jobs)
    assert sorted(p.what for p in caught.value.problems) == [
        "split 'test', a: sample test-3 cannot be read: [Errno 2] No such file or directory: 'test-3.png'",
        "train-10 is damaged",
        "train-9 is damaged",
    ]
    log = tmp_path / "log"
    folder = packing.pack(Packable(log=log), ("a",), tmp_path)["a"]
    again = [f"a train-{i}" for i in (0, 8, 9, 10, 11)] + [f"a test-{i}" for i in range(4)] + ["a val-0"]
    assert set(read_log(log)) == set(again)  # the first of each split tells its shape
    assert contents(folder) == contents(packing.pack(Packable(), ("a",), tmp_path / "whole")["a"])


def test_of_very_many_damaged_samples_some_are_named(tmp_path):
    damaged = tuple(f"train-{i}" for i in range(1, 50)) + tuple(f"test-{i}" for i in range(1, 21))
    with pytest.raises(DataError) as caught:
        packing.pack(Packable(damaged=damaged), ("a",), tmp_path)
    assert 50 <= len(caught.value.problems) <= 55
    assert "may be more" in caught.value.problems[-1].what


def test_a_cache_without_locks_is_said(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pack_lock.fcntl, "flock", refused)
    with pytest.raises(DataError, match="cannot be locked: No locks available"):
        packing.pack(Packable(), ("a",), tmp_path)


def test_a_sample_of_another_shape_is_said(tmp_path):
    with pytest.raises(
        DataError,
        match=r"samples train-8 to train-11 are 5 × 8 × 3 uint8, the first of the split is 6 × 8 × 3",
    ):
        packing.pack(Packable(odd="train-10"), ("a",), tmp_path)


# ---------------------------------------------------------------- interrupted


def stop_after(count):
    told = []

    def follow(progress):
        told.append(progress)
        if len(told) == count:
            raise KeyboardInterrupt

    return follow


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("count", [1, 7, 20])
def test_an_interrupted_packing_goes_on(tmp_path, count, jobs):
    log, whole = tmp_path / "log", packing.pack(Packable(), ("a",), tmp_path / "whole")["a"]
    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        packing.pack(Packable(seconds=0.001), ("a",), cache, jobs=jobs, follow=stop_after(count))
    folder = packing.find_packs(Packable(), ("a",), cache)["a"]
    assert files(cache) == [f"{folder.name}.making"]
    packing.pack(Packable(log=log), ("a",), cache)
    read = sum(read_log(log).values())
    assert read <= 3 + 78 - 4 * (count - 1 if jobs == 2 else count) + 12  # firsts; a short chunk a split
    assert files(cache) == [folder.name]
    assert contents(folder) == contents(whole)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (pack_writer, "_write_samples"),
        (pack_writer, "_finish_split"),
        (pack_writer, "_publish"),
        (pack_writer.shutil, "rmtree"),
        (Path, "rename"),
        (Path, "unlink"),
    ],
)
def test_interrupted_between_two_steps_it_goes_on(tmp_path, monkeypatch, module, name):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with contextlib.suppress(KeyboardInterrupt):  # where it is called at all
            packing.pack(Packable(), ("a",), tmp_path / "cache")
    folder = packing.pack(Packable(), ("a",), tmp_path / "cache")["a"]
    assert packing.verify(folder) == []
    assert packing.open_packed(Packable(), ("a",), tmp_path / "cache")["val"].ids[0] == "val-0"


def test_what_is_left_in_a_finished_pack_goes_when_it_is_next_asked_for(tmp_path, monkeypatch):
    def killed(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(packing, "tidy", killed)
        packing.pack(Packable(), ("a",), tmp_path / "cache")
    (made,) = packing.find_packs(Packable(), ("a",), tmp_path / "cache").values()
    assert contents(made).keys() >= LEFT
    folder = packing.pack(Packable(), ("a",), tmp_path / "cache")["a"]
    assert contents(folder) == contents(packing.pack(Packable(), ("a",), tmp_path / "whole")["a"])


def test_what_was_damaged_meanwhile_is_written_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        packing.pack(Packable(), ("a",), tmp_path / "cache", follow=stop_after(10))
    (making,) = (tmp_path / "cache").iterdir()
    content = bytearray((making / "train.samples.npy").read_bytes())
    content[200] ^= 255
    (making / "train.samples.npy").write_bytes(content)
    with (making / "journal").open("a") as file:
        file.write("12 0123")  # a line that was cut off
    log = tmp_path / "log"
    folder = packing.pack(Packable(log=log), ("a",), tmp_path / "cache")["a"]
    assert {"a train-1", "a train-2", "a train-3"} <= set(read_log(log))
    assert "a train-5" not in read_log(log)
    assert contents(folder) == contents(packing.pack(Packable(), ("a",), tmp_path / "whole")["a"])


def test_what_was_begun_otherwise_is_not_continued(tmp_path):
    other = Packable(splits={"train": (30, (3, 2, 2))})
    with pytest.raises(KeyboardInterrupt):
        packing.pack(other, ("a",), tmp_path / "cache", follow=stop_after(3))
    folder = packing.pack(Packable(), ("a",), tmp_path / "cache")["a"]
    assert contents(folder) == contents(packing.pack(Packable(), ("a",), tmp_path / "whole")["a"])


def packer(cache, jobs, seconds):
    script = Path(__file__).with_name("packable.py")
    return subprocess.Popen([sys.executable, script, cache, str(jobs), str(seconds)])


@pytest.mark.parametrize("jobs", [1, 3])
def test_killed_at_any_moment_it_goes_on(tmp_path, jobs):
    cache, moments = tmp_path / "cache", random.Random(jobs)
    whole = packing.pack(Packable(), BOTH, tmp_path / "whole")
    folders = packing.find_packs(Packable(), BOTH, cache)
    killed = 0
    for _ in range(6):
        process = packer(cache, jobs, 0.004)
        time.sleep(moments.uniform(0.15, 0.7))
        with_children = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        killed += process.poll() is None
        process.kill()
        process.wait()
        psutil.wait_procs(with_children, timeout=10)
        assert not any(each.is_running() for each in with_children[1:])
        for m, folder in folders.items():
            if folder.exists():
                found = contents(folder)
                assert {name: found[name] for name in found.keys() - LEFT} == contents(whole[m])
    assert killed
    packing.pack(Packable(), BOTH, cache)
    assert {m: contents(folder) for m, folder in folders.items()} == {
        m: contents(f) for m, f in whole.items()
    }
    assert files(cache) == sorted(folder.name for folder in folders.values())


# ---------------------------------------------------------------- two at once


def test_of_two_packers_one_waits(tmp_path):
    cache, log, told = tmp_path / "cache", tmp_path / "log", []
    first = threading.Thread(
        target=packing.pack, args=(Packable(log=log, seconds=0.01), BOTH, cache), kwargs={"jobs": 1}
    )
    first.start()
    wait_for(log.exists)  # then it has the lock
    folders = packing.pack(Packable(log=log), BOTH, cache, follow=told.append)
    first.join()
    assert any(p.what.startswith("waiting for another process to pack") for p in told)
    assert not any(p.what.startswith("packing") for p in told)
    assert max(read_log(log).values()) <= 2  # the first sample of a split is read twice, to tell its shape
    assert files(cache) == sorted(folder.name for folder in folders.values())
    assert all(packing.verify(folder) == [] for folder in folders.values())


def test_many_packers_at_once(tmp_path):
    cache = tmp_path / "cache"
    processes = [packer(cache, jobs, 0.002) for jobs in (1, 2, 3, 1)]
    time.sleep(0.5)
    processes[0].send_signal(signal.SIGKILL)
    assert [process.wait(timeout=60) for process in processes[1:]] == [0, 0, 0]
    processes[0].wait()
    whole = packing.pack(Packable(), BOTH, tmp_path / "whole")
    for m, folder in packing.find_packs(Packable(), BOTH, cache).items():
        assert contents(folder) == contents(whole[m])
    assert len(files(cache)) == 2


# ---------------------------------------------------------------- room


def with_free(monkeypatch, free):
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: usage)


def test_too_small_a_disk_is_said_with_figures(tmp_path, monkeypatch):
    with_free(monkeypatch, 3 * 2**20)
    data = Packable(splits={"train": (2000, (3, 1000, 2000))})
    with pytest.raises(DataError, match=r"packing needs 11\.2 GiB, but .* has 3\.0 MiB free") as caught:
        packing.pack(data, ("a",), tmp_path)
    assert "MMSPEC_CACHE" in caught.value.problems[0].hint
    assert files(tmp_path) == []


def test_what_is_there_already_needs_no_room(tmp_path, monkeypatch):
    data = Packable(splits={"train": (20, (3, 300, 300))})
    with pytest.raises(KeyboardInterrupt):
        packing.pack(data, ("a",), tmp_path, follow=stop_after(2))
    with_free(monkeypatch, 2**20)
    assert packing.verify(packing.pack(data, ("a",), tmp_path)["a"]) == []


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_fills_up_is_said(tmp_path, monkeypatch, call, jobs):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(DataError, match="packing stopped: No space left on device") as caught:
            packing.pack(Packable(), ("a",), tmp_path, jobs=jobs)
    (problem,) = caught.value.problems
    assert "it goes on from here" in problem.hint
    assert packing.verify(packing.pack(Packable(), ("a",), tmp_path)["a"]) == []


# ---------------------------------------------------------------- processes


def die(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_process_that_dies_is_said():
    with pytest.raises(RunError, match=r"a process that was reading data died \(signal 9\)"):
        list(spread(die, range(8), jobs=2))


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def fail(task):
    raise Unpicklable(task, 2)


def test_any_error_comes_back_with_where_it_was():
    (done,) = [each for each in spread(fail, [1], jobs=2) if each]
    with pytest.raises(RuntimeError, match=r"in fail\n"):
        done.get()
