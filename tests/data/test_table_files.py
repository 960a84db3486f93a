"""Feature tables as files: written whole or not at all, verified when they are read, never executed."""

from __future__ import annotations

import hashlib
import json
import pickle
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from mmspec.data.table_files import TableWriter, read_table
from mmspec.errors import DataError


def write(folder, rows=6, columns=3, dtype="float32", **labels):
    """A table of `rows` consecutive numbers."""
    values = np.arange(rows * columns).reshape(rows, columns)
    given = {
        "ids": np.array([f"s{i}" for i in range(rows)]),
        "targets": np.arange(rows) % 2,
        "splits": np.array(["train"] * rows),
        "groups": {"object": np.arange(rows) // 2},
        "classes": ("no", "yes"),
    }
    about = {"made": "by a test"}
    with TableWriter(folder, rows=rows, columns=columns, dtype=np.dtype(dtype), about=about) as writer:
        for start in range(0, rows, 4):
            writer.append(values[start : start + 4])
        writer.finish(**{**given, **labels})
    return values


def head(folder, **changed):
    """Change table.json as someone would who covers the traces."""
    path = folder / "table.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def covered(folder, name):
    """table.json says that the file is as it should be."""
    sums = json.loads((folder / "table.json").read_text())["sha256"]
    head(folder, sha256={**sums, name: hashlib.sha256((folder / name).read_bytes()).hexdigest()})


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16", ">f4"])
def test_what_is_written_is_read(tmp_path, dtype):
    values = write(tmp_path / "table", dtype=dtype)
    table = read_table(tmp_path / "table", "features")
    assert table.values.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(table.values, values)
    assert np.array_equal(np.load(tmp_path / "table" / "values.npy"), values)
    assert table.ids.tolist() == [f"s{i}" for i in range(6)]
    assert table.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert table.grouping("class").tolist() == ["no", "yes"] * 3
    assert table.grouping("object").tolist() == [0, 0, 1, 1, 2, 2]
    assert (table.name, len(table)) == ("features", 6)
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_values_are_mapped_not_read(tmp_path):
    write(tmp_path / "table", rows=2000, columns=512)  # 4 MB
    tracemalloc.start()
    table = read_table(tmp_path / "table", "features")
    assert float(table.values[1999, 511]) == 2000 * 512 - 1
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert isinstance(table.values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 1


def test_what_breaks_off_leaves_nothing(tmp_path):
    def half():
        with TableWriter(tmp_path / "table", rows=6, columns=2, dtype=np.dtype("f4"), about={}) as writer:
            writer.append(np.zeros((3, 2)))
            assert (tmp_path / ".table.making" / "values.npy").exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with pytest.raises(DataError):
        write(tmp_path / "table", ids=np.array([object()] * 6))
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_written_anew(tmp_path):
    left = tmp_path / ".table.making"
    left.mkdir()
    (left / "values.npy").write_bytes(b"half")
    (left / "group-9.npy").write_bytes(b"of another")
    write(tmp_path / "table")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table"]
    assert not (tmp_path / "table" / "group-9.npy").exists()


def test_there_is_none(tmp_path):
    with pytest.raises(DataError, match="the feature table of stage features is not there"):
        read_table(tmp_path / "table", "features")


@pytest.mark.parametrize("name", ["values", "ids", "targets", "splits", "group-0"])
def test_a_missing_or_changed_file_is_told(tmp_path, name):
    write(tmp_path / "table")
    path = tmp_path / "table" / f"{name}.npy"
    content = path.read_bytes()
    for place in (0, 7, 20, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(bytes(changed))
        with pytest.raises(DataError, match=rf"is damaged: {name}\.npy is not as it was written"):
            read_table(tmp_path / "table", "features")
    path.unlink()
    with pytest.raises(DataError, match="is not there"):
        read_table(tmp_path / "table", "features")


@pytest.mark.parametrize("name", ["values", "ids"])
def test_any_header_at_all_is_refused_in_words(tmp_path, name):
    """Whatever numpy says of a header that someone has made to fit its checksum."""
    write(tmp_path / "table")
    path = tmp_path / "table" / f"{name}.npy"
    content = path.read_bytes()
    for place in range(100):
        changed = bytearray(content)
        changed[place] = (changed[place] + 1) % 256
        path.write_bytes(bytes(changed))
        covered(tmp_path / "table", f"{name}.npy")
        with suppress(DataError):  # anything else would be a traceback
            table = read_table(tmp_path / "table", "features")
            assert table.values.shape[0] == len(table.ids)


class Bomb:
    """What must never run."""

    def __reduce__(self):
        return pytest.fail, ("it ran",)


@pytest.mark.parametrize("name", ["values", "ids", "group-0"])
@pytest.mark.parametrize("how", ["objects", "pickle", "archive"])
def test_pickles_are_refused_and_never_run(tmp_path, name, how):
    write(tmp_path / "table")
    path = tmp_path / "table" / f"{name}.npy"
    if how == "objects":
        np.save(path, np.array([Bomb()] * 6), allow_pickle=True)
    elif how == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", pickle.dumps(Bomb()))
    covered(tmp_path / "table", f"{name}.npy")
    with pytest.raises(DataError, match="is damaged"):
        read_table(tmp_path / "table", "features")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 2}, "it is of format 2, and this mmspec reads 1"),
        ({"classes": ["no"]}, "targets.npy does not number the classes"),
        ({"groups": []}, None),
        ({"groups": ["object", "pose"]}, "group-1.npy"),
        ({"groups": 3}, "is damaged"),
        ({"sha256": []}, "is damaged"),
    ],
)
def test_an_edited_head_is_told(tmp_path, changed, told):
    write(tmp_path / "table")
    head(tmp_path / "table", **changed)
    if told is None:
        assert read_table(tmp_path / "table", "features").groups == {}
        return
    with pytest.raises(DataError, match=told):
        read_table(tmp_path / "table", "features")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\xff"])
def test_a_head_that_is_none_is_told(tmp_path, text):
    write(tmp_path / "table")
    (tmp_path / "table" / "table.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="is damaged"):
        read_table(tmp_path / "table", "features")


def test_labels_may_be_python_objects_that_are_all_alike(tmp_path):
    write(tmp_path / "table", ids=np.array(["a", "bb", "c", "d", "e", "f"], dtype=object))
    table = read_table(tmp_path / "table", "features")
    assert table.ids.tolist() == ["a", "bb", "c", "d", "e", "f"]
    for ids in (["a", "b", 3, 4, 5, 6], [None] * 6, [(1, 2)] * 6):
        column = np.empty(6, dtype=object)
        column[:] = ids
        with pytest.raises(DataError, match="ids of samples must be numbers or text, all alike"):
            write(tmp_path / "other", ids=column)
