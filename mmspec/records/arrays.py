"""Arrays that metrics leave: arrays/<stage>/<split>/<name>.npz, each written whole.

In a file, `values` is the array, `axes` are the names of its axes, `entries_0`, `entries_1`, … what stands
along them, and `classes_0`, … the classes of that, if they are told. The same array gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from mmspec.errors import Location, Problem, RecordError
from mmspec.plugins.recorded import LabelledArray
from mmspec.system import write_whole


def write_arrays(run: Path, stage: str, arrays: Mapping[str, LabelledArray]) -> None:
    """Write the arrays of a stage, by `split/name`, into the directory of a run."""
    for name, array in arrays.items():
        path = _path(run, stage, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _content(array))


def _content(array: LabelledArray) -> bytes:
    """What stands in the file: not compressed and without dates, so that it is the same everywhere."""
    import numpy as np

    parts = {"values": array.values, "axes": np.array(array.axes, dtype=str)}
    parts |= {f"entries_{i}": np.array(entries, dtype=str) for i, entries in enumerate(array.entries)}
    parts |= {f"classes_{i}": np.array(classes, dtype=str) for i, classes in enumerate(array.classes)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        for name, part in parts.items():
            with whole.open(f"{name}.npy", "w") as member:
                np.save(member, part, allow_pickle=False)
    return file.getvalue()


def read_array(run: Path, stage: str, name: str) -> LabelledArray | None:
    """The array of a stage by `split/name`; None if there is none.

    Raises:
        RecordError: it cannot be read, or is damaged.
    """
    import numpy as np

    path = _path(run, stage, name)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            values, axes = file["values"], tuple(map(str, file["axes"]))
            entries = tuple(tuple(map(str, file[f"entries_{i}"])) for i in range(len(axes)))
            classed = range(len(axes) if "classes_0" in file.files else 0)
            classes = tuple(tuple(map(str, file[f"classes_{i}"])) for i in classed)
    except FileNotFoundError:
        return None
    except OSError as error:
        said = f"cannot be read: {error.strerror or error}"
        raise RecordError(Problem(said, Location(str(path)))) from None
    except Exception as error:  # noqa: BLE001 - numpy and zipfile raise many things at damaged files
        raise RecordError(Problem(f"is damaged: {error}", Location(str(path)))) from None
    if any(values.shape != tuple(map(len, named)) for named in (entries, classes or entries)):
        raise RecordError(Problem("is damaged: more or fewer entries than values", Location(str(path))))
    return LabelledArray(values, axes, entries, classes)


def read_arrays(run: Path, stage: str) -> dict[str, LabelledArray]:
    """All arrays of a stage, by name.

    Raises:
        RecordError: one cannot be read, or is damaged.
    """
    found = {}
    for path in sorted(stage_arrays(run, stage).glob("*/*.npz")):
        name = f"{unquote(path.parent.name)}/{unquote(path.stem)}"
        array = read_array(run, stage, name)
        assert array is not None, "the file is there"
        found[name] = array
    return found


def stage_arrays(run: Path, stage: str) -> Path:
    """The folder of the arrays of a stage."""
    return run / "arrays" / quote(stage, safe="")


def _path(run: Path, stage: str, name: str) -> Path:
    """Where an array stands; a name may hold what no file's name may."""
    split, _, rest = name.partition("/")
    return stage_arrays(run, stage) / quote(split, safe="") / f"{quote(rest, safe='')}.npz"
