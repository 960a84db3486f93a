"""Where the runs of a report come from.

An entry of `runs` is a name or pattern of experiments under the folder of runs; a folder, with a slash, as
seen from the report; or an address `scheme://…`, which the plugin of kind source called so reads.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import attrs

from mmspec.errors import Location, PluginError, Problem, RecordError, ReportError
from mmspec.plugins.api import RecordedRun, RunSource, cache_folder
from mmspec.plugins.registry import Registry
from mmspec.records import find_runs
from mmspec.report.definition import shown
from mmspec.report.runs.copies import Place, distinct
from mmspec.report.runs.selection import Selection, read_runs, said, select
from mmspec.spec.findings import Findings
from mmspec.spec.tree import Node
from mmspec.spec.words import show, suggestion

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//.*)", re.DOTALL)
_FURTHEST = {"finished": 0, "running": 1}


def is_name(entry: str) -> bool:
    """Whether an entry of `runs` is a name or pattern of experiments, and neither folder nor address."""
    return "/" not in entry and entry not in (".", "..")


def check_sources(root: Node, registry: Registry, findings: Findings) -> None:
    """Tell the findings which addresses in the `runs` of a definition can never be right."""
    for node in root.find(("runs",)).items:
        entry = node.plain()
        if not isinstance(entry, str):
            continue  # the definition has told
        try:
            if address := _SCHEME.fullmatch(entry):
                source = _source(address[1], registry)
                source.check_address(_split(address[2], source)[0])
        except (PluginError, RecordError) as error:
            findings.extend(attrs.evolve(problem, where=node.where()) for problem in error.problems)


def read_sources(
    wanted: Sequence[str],
    root: Path,
    *,
    beside: Path,
    registry: Registry,
    refresh: bool,
    where: Callable[[int], Location] | None = None,
) -> Selection:
    """The runs that the `runs` of a report name.

    `root` is the folder of run directories, `beside` the folder of the report. `refresh` asks services again
    for what is in the cache. `where` is the place of an entry, by its index.

    Raises:
        ReportError: an entry is wrong, or cannot be read now.
    """
    named = read_runs(root, [entry for entry in wanted if is_name(entry)])
    found = [Place("run directories", 0, named.all_runs)]
    problems, remarks = list(named.problems), list[str]()
    for index, entry in enumerate(wanted):
        try:
            if is_name(entry):
                continue
            if address := _SCHEME.fullmatch(entry):
                found.append(_from_address(address, beside, registry, refresh=refresh, say=remarks.append))
            else:
                found.append(_from_folder(entry, beside, problems))
        except (PluginError, RecordError) as error:
            raise ReportError(_placed(error.problems, where(index) if where else None)) from None
    if len(found) == 1:
        return named
    counted, copies = distinct(found)
    said = tuple(dict.fromkeys(remarks))
    return attrs.evolve(select(counted), problems=tuple(problems), copies=tuple(copies), remarks=said)


def _placed(problems: Iterable[Problem], place: Location | None) -> list[Problem]:
    """Problems with a source, at the place of the definition that names it."""
    return [
        Problem(f"{problem.where}: {problem.what}" if problem.where else problem.what, place, problem.hint)
        for problem in problems
    ]


def _from_folder(entry: str, beside: Path, problems: list[Problem]) -> Place:
    """The runs in a folder: a run directory, those of an experiment, or of several."""
    folder = beside / Path(entry).expanduser()
    if not folder.is_dir():
        hint = "addresses have the form scheme://…" if ":" in entry else "as seen from the report's file"
        raise RecordError(Problem(f"there is no folder {folder}", hint=hint))
    found = find_runs(folder)
    problems += found.problems
    return Place(entry, 0, found.runs)


def _from_address(
    address: re.Match[str], beside: Path, registry: Registry, *, refresh: bool, say: Callable[[str], None]
) -> Place:
    source = _source(address[1], registry)
    rest, conditions = _split(address[2], source)
    cache = cache_folder("sources") / address[1]
    runs = source.read(rest, beside=beside, cache=cache, refresh=refresh, say=say)
    kept = _matching(runs, conditions, source)
    head = address[2].partition("?")[0]
    return Place(f"{address[1]}:{head}", 1 if source.is_local else 2, kept)


def _source(scheme: str, registry: Registry) -> RunSource:
    """The source of this scheme.

    Raises:
        PluginError: there is none, or it cannot be imported.
    """
    cls = registry.find("source", scheme).load()
    assert issubclass(cls, RunSource)  # the registry has seen to it
    return cls()


# ---------------------------------------------------------------- filters by label


def _split(address: str, source: RunSource) -> tuple[str, Mapping[str, list[str]]]:
    """The address with the filters that are the source's, and the values of all others by their keys."""
    head, _, query = address.partition("?")
    own: list[str] = []
    conditions: dict[str, list[str]] = defaultdict(list)
    for pair in query.split("&") if query else ():
        (key, value), *_ = parse_qsl(pair, keep_blank_values=True) or [(unquote(pair), "")]
        if key in source.filters:
            own.append(pair)
        elif "=" not in pair or not value:
            raise RecordError(Problem(f"the filter {show(key)} has no value", hint=f"{quote(key)}=…"))
        else:
            conditions[key].append(value)
    return "?".join([head, "&".join(own)] if own else [head]), conditions


def _matching(
    runs: Sequence[RecordedRun], conditions: Mapping[str, list[str]], source: RunSource
) -> list[RecordedRun]:
    """The runs that have one of its values for each key."""
    for key in conditions:
        if runs and all(said(run, key) is None for run in runs):
            known = {name for run in runs for name in (*run.labels, *run.main_stage)}
            hint = suggestion(key, sorted(known | set(source.filters)), of="filters")
            raise RecordError(Problem(f"no run there has a label or key {show(key)}", hint=hint))
    return [
        run
        for run in runs
        if all(any(_is(said(run, key), text) for text in texts) for key, texts in conditions.items())
    ]


def _is(value: Any, text: str) -> bool:
    """Whether an address means this value by a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return value is not None and shown(value) == text
