"""Arrays in a run directory: read back as they were, the same bytes each time, nothing executed."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from mmspec.errors import RecordError
from mmspec.plugins.recorded import LabelledArray
from mmspec.records import RunDirectory, load_run
from mmspec.records.arrays import read_array, write_arrays

STAGE = {"epochs": 1, "steps": 5, "selected": None, "values": {}}
RESULT = {"values": {}, "stages": {"first": STAGE, "second": STAGE}}
NAMES = ("cat", "ö<b>&", "漢字 $_")
ARRAY = LabelledArray(np.arange(9).reshape(3, 3), ("true class", "predicted class"), (NAMES, NAMES))


def test_arrays_are_read_back_of_the_last_stage_of_a_finished_run(directory: RunDirectory) -> None:
    directory.arrays("first", {"test/confusion": LabelledArray(np.zeros(0), ("x",), ((),))})
    directory.arrays("second", {"test/confusion": ARRAY, "test/u(a|b)/../..": ARRAY})
    assert load_run(directory.path).array("test/confusion") is None
    directory.finish(RESULT)
    run = load_run(directory.path)
    for name in ("test/confusion", "test/u(a|b)/../.."):
        found = run.array(name)
        assert found is not None
        np.testing.assert_array_equal(found.values, ARRAY.values)
        assert found.values.dtype == ARRAY.values.dtype
        assert (found.axes, found.entries) == (ARRAY.axes, ARRAY.entries)
    assert run.array("val/confusion") is None
    assert run.array("no split") is None
    empty = read_array(directory.path, "first", "test/confusion")
    assert empty is not None
    assert empty.values.shape == (0,)
    assert "confusion" not in (directory.path / "result.json").read_text()
    files = {p.relative_to(directory.path).parts[:3] for p in directory.path.rglob("*.npz")}
    assert files == {("arrays", "first", "test"), ("arrays", "second", "test")}


def test_the_same_array_gives_the_same_bytes(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays(directory.path, "first", {"test/confusion": ARRAY})
    path = directory.path / "arrays" / "first" / "test" / "confusion.npz"
    before = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_arrays(directory.path, "first", {"test/confusion": ARRAY})
    assert path.read_bytes() == before


class Boom:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return print, ("executed",)


@pytest.mark.parametrize(
    "damage", ["torn", "empty", "nonsense", "pickle", "objects", "misfit", "folder", "npy"]
)
def test_damaged_arrays_are_told(directory: RunDirectory, damage: str, capsys: pytest.CaptureFixture) -> None:
    write_arrays(directory.path, "first", {"test/confusion": ARRAY})
    path = directory.path / "arrays" / "first" / "test" / "confusion.npz"
    names = np.array(NAMES)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "objects":
        with path.open("wb") as file:
            np.savez(file, values=np.array([Boom()]), axes=np.array(["x"]), entries_0=np.array(["a"]))
    elif damage == "misfit":
        with path.open("wb") as file:
            np.savez(
                file, values=np.zeros((2, 2)), axes=np.array(["x", "y"]), entries_0=names, entries_1=names
            )
    elif damage == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        content = {"empty": b"", "nonsense": json.dumps({}).encode(), "pickle": pickle.dumps(Boom())}
        path.write_bytes(content[damage])
    with pytest.raises(RecordError) as told:
        read_array(directory.path, "first", "test/confusion")
    assert told.value.problems[0].where.file == str(path)
    assert "executed" not in capsys.readouterr().out
