"""Arrays that metrics and analyses left, such as confusion matrices, as plain tables."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from mmspec.plugins.recorded import LabelledArray, RecordedRun
from mmspec.records.arrays import stage_arrays
from mmspec.report.formats.html_text import escape
from mmspec.report.site.beside import folder_of
from mmspec.report.site.frame import folded, number, table

#: Larger arrays are left to figures: as a table nobody reads them.
_MOST = 60


def array_parts(run: RecordedRun) -> list[str]:
    """Each array, folded, stage by stage."""
    parts = []
    for name in _names(run):
        array = run.array(name)
        if array is not None:
            parts.append(folded(name, _as_table(name, array)))
    return parts


def _names(run: RecordedRun) -> list[str]:
    """The names of what lies in the run's directory, in the order of its stages.

    Those of a single stage that has any are `split/name`; where there are several, the stage's name is before
    that, unless an analysis has begun it with its name.
    """
    folder = folder_of(run)
    if folder is None:
        return []
    by_stage = {
        str(stage["name"]): [
            f"{unquote(path.parent.name)}/{unquote(path.stem)}"
            for path in sorted(stage_arrays(folder, str(stage["name"])).glob("*/*.npz"))
        ]
        for stage in run.spec["stages"]
    }
    several = sum(map(bool, by_stage.values())) > 1
    return [
        name if name.startswith(f"{stage}/") or not several else f"{stage}/{name}"
        for stage, names in by_stage.items()
        for name in names
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
