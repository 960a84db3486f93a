"""A run's resolved spec for a reader: key by key, with where each was written, beside the written files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.formats.html_page import scrollable
from mmspec.report.formats.html_text import escape
from mmspec.report.site.frame import folded, lead
from mmspec.report.site.origins import OVERRIDES, KeyPath, Origin, Origins, Sources, find_origins
from mmspec.spec.overrides import FILE as SET
from mmspec.spec.words import dotted

#: The keys of a resolved spec that stand above or around its stages.
_AROUND = ("track", "launch")


@attrs.frozen
class Entry:
    """One value of the spec: the table it stands in, its key there, and the value as TOML."""

    table: str
    key: str
    value: str
    path: KeyPath


def entries(tree: Mapping[str, Any], above: KeyPath = ()) -> Iterator[Entry]:
    """The values of a stage, or of a table around the stages, in order."""
    for path, value in _leaves(tree, above) if tree else ():
        depth = 2 if path[0] == "modalities" else 1
        depth = min(depth, len(path) - 1)
        yield Entry(dotted(path[:depth]), dotted(path[depth:]), toml(value), path)


def flat_spec(run: RecordedRun) -> dict[str, str]:
    """{dotted key: value} of everything that a run was asked to do; a single stage's keys at the top."""
    flat: dict[str, str] = {"seed": toml(run.seed)}
    stages = run.spec["stages"]
    for stage in stages:
        before = f"{stage['name']}: " if len(stages) > 1 else ""
        flat |= {before + dotted(e.path): e.value for e in entries(_without_name(stage))}
    return flat


def toml(value: Any) -> str:
    """A value as TOML writes it; `none` for what TOML cannot say."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{dotted([str(key)])} = {toml(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return str(value)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, Mapping) and value:
        for name, child in value.items():
            yield from _leaves(child, (*path, str(name)))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    else:
        yield path, value


def _without_name(stage: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stage.items() if key != "name"}


# ---------------------------------------------------------------- the page's part


def spec_parts(run: RecordedRun, sources: Sources) -> list[str]:
    """The resolved spec stage by stage, what stands around the stages, and the files as they were written.

    Of several stages that which the run is known by is open, the others are folded.
    """
    origins = find_origins(sources, run.labels)
    files = _files(sources, origins)
    stages = run.spec["stages"]
    parts = [_remark(sources, origins)]
    for stage in stages:
        found = [
            (entry, origins.of(stage["name"], entry.path) if origins else None)
            for entry in entries(_without_name(stage))
        ]
        title = f"Stage {stage['name']}" if len(stages) > 1 else "Resolved spec"
        shown = _table(title, found, files, known=origins is not None)
        parts.append(shown if stage is run.main_stage else folded(title, shown))
    around = {key: run.spec[key] for key in _AROUND if run.spec.get(key)}
    beside = [(e, origins.beside(e.path) if origins else None) for e in entries(around)]
    parts.append(
        folded("Tracking and launching", _table("Around the stages", beside, files, origins is not None))
    )
    return [*parts, *(_listing(number, name, text) for number, (name, text) in enumerate(sources))]


def _remark(sources: Sources, origins: Origins | None) -> str:
    if origins:
        return lead(
            "Every key with its value as the run used it. The last column says where it was written; "
            "keys that nobody wrote have their default."
        )
    beside = "; the files it was written in follow" if sources else ""
    return lead(f"Every key with its value as the run used it{beside}.")


def _files(sources: Sources, origins: Origins | None) -> dict[str, int]:
    """The number of each source file on the page, by the name that origins call it."""
    if origins is None:
        return {}
    return {SET if name == OVERRIDES else name: number for number, (name, _) in enumerate(sources)}


def _table(
    title: str, found: Sequence[tuple[Entry, Origin | None]], files: Mapping[str, int], known: bool
) -> str:
    bodies: list[str] = []
    found = sorted(found, key=lambda pair: pair[0].table != "")  # what stands in no table, first
    for table, group in groupby(found, key=lambda pair: pair[0].table):
        rows = [_row(entry, origin, files, known) for entry, origin in group]
        if table:
            head = f'<th scope="rowgroup" colspan="{3 if known else 2}"><code>[{escape(table)}]</code></th>'
            rows.insert(0, f"<tr>{head}</tr>")
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    if not bodies:
        return ""
    heads = ("Key", "Value", "Written in") if known else ("Key", "Value")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return scrollable(
        title,
        f'<table class="runs spec"><caption>{escape(title)}</caption><thead><tr>{columns}</tr></thead>'
        f"{''.join(bodies)}</table>",
    )


def _row(entry: Entry, origin: Origin | None, files: Mapping[str, int], known: bool) -> str:
    kind = "" if origin or not known else ' class="default"'
    where = f"<td>{_origin(origin, files)}</td>" if known else ""
    return (
        f'<tr{kind}><th scope="row"><code>{escape(entry.key)}</code></th>'
        f"<td><code>{escape(entry.value)}</code></td>{where}</tr>"
    )


def _origin(origin: Origin | None, files: Mapping[str, int]) -> str:
    if origin is None:
        return "default"
    said = f"{escape(origin.file)}:{origin.line}"
    number = files.get(origin.file)
    return said if number is None else f'<a href="#w{number}-{origin.line}">{said}</a>'


def _listing(number: int, name: str, text: str) -> str:
    """A file as it was written, its lines numbered and with names to link to."""
    title = "What --set said" if name == OVERRIDES else f"As written: {name}"
    lines = "".join(_lines(number, text.splitlines()))
    inside = f'<pre class="listing" tabindex="0" role="region" aria-label="{escape(title)}">{lines}</pre>'
    return folded(title, inside if lines else "")


def _lines(number: int, lines: Iterable[str]) -> Iterator[str]:
    for index, line in enumerate(lines, 1):
        yield f'<span id="w{number}-{index}">{escape(line.expandtabs(4))}\n</span>'
