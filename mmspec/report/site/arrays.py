"""Arrays that metrics left, such as confusion matrices, as plain tables."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from mmspec.plugins.recorded import LabelledArray, RecordedRun
from mmspec.report.formats.html_text import escape
from mmspec.report.site.beside import folder_of
from mmspec.report.site.frame import folded, number, table

#: Larger arrays are left to figures: as a table nobody reads them.
_MOST = 60


def array_parts(run: RecordedRun) -> list[str]:
    """Each two-dimensional array of the last stage, folded."""
    parts = []
    for name in _names(run):
        array = run.array(name)
        if array is not None:
            parts.append(folded(name, _as_table(name, array)))
    return parts


def _names(run: RecordedRun) -> list[str]:
    """The `split/name` of what lies in the directory of the run's last stage."""
    folder = folder_of(run)
    if folder is None:
        return []
    below = folder / "arrays"
    stage = str(run.spec["stages"][-1]["name"])
    found = sorted(below.glob("*/*/*.npz")) if below.is_dir() else []
    return [
        f"{unquote(path.parent.name)}/{unquote(path.stem)}"
        for path in found
        if unquote(path.parent.parent.name) == stage
    ]


def _as_table(name: str, array: LabelledArray) -> str:
    if len(array.axes) != 2 or max(array.values.shape) > _MOST:
        shape = "×".join(map(str, array.values.shape))
        return f"<p>{shape} values, too many for a table; they are in the run's directory.</p>"
    down, across = array.axes
    heads = [f"{down} ↓ {across} →", *array.entries[1]]
    return table(f"{name}: {down} by {across}", heads, _rows(array), classes="runs digits matrix")


def _rows(array: LabelledArray) -> Iterator[str]:
    for entry, line in zip(array.entries[0], array.values.tolist(), strict=True):
        cells = "".join(f"<td>{number(value)}</td>" for value in line)
        yield f'<tr><th scope="row">{escape(entry)}</th>{cells}</tr>'
