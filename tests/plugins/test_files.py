"""Hashes of files, remembered beside their size and times."""

from __future__ import annotations

import hashlib
import os

import pytest

from mmspec.plugins import files
from mmspec.plugins.files import hash_files


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMSPEC_CACHE", str(tmp_path / "cache"))


def write(root, **contents):
    root.mkdir(exist_ok=True)
    for name, text in contents.items():
        (root / name).write_text(text)
    return root


def age(root):
    for path in root.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_names_and_contents_count_and_order_and_place_do_not(tmp_path):
    first = write(tmp_path / "a", x="1", y="2")
    second = write(tmp_path / "b", x="1", y="2")
    mark = hash_files(first, ["x", "y"])
    assert mark == hash_files(second, ["y", "x", "x"])
    assert mark != hash_files(write(tmp_path / "c", x="2", y="1"), ["x", "y"])
    assert mark != hash_files(first, ["x"])


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    root = write(tmp_path / "a", x="1")
    age(root)
    mark = hash_files(root, ["x"])
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert hash_files(root, ["x"]) == mark


def test_a_changed_byte_is_seen_though_size_and_time_of_change_are_the_same(tmp_path):
    root = write(tmp_path / "a", x="1")
    age(root)
    mark = hash_files(root, ["x"])
    write(root, x="2")
    age(root)  # the time of the last change of status tells
    assert hash_files(root, ["x"]) != mark


def test_a_file_that_may_still_change_within_a_tick_is_not_remembered(tmp_path):
    root = write(tmp_path / "a", x="1")
    hash_files(root, ["x"])
    assert not list(files.cache_folder("hashes").glob("*"))


def test_a_damaged_memory_costs_time_alone(tmp_path):
    root = write(tmp_path / "a", x="1")
    age(root)
    mark = hash_files(root, ["x"])
    for path in files.cache_folder("hashes").iterdir():
        path.write_text("{")
    assert hash_files(root, ["x"]) == mark
