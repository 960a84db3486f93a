"""What stands under a report about its runs: which are left out, and how those in it differ."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mmspec.plugins.recorded import RecordedRun
from mmspec.report.runs.copies import copy_notes
from mmspec.report.runs.missing import MadeBy
from mmspec.report.runs.present_notes import present_notes
from mmspec.report.runs.selection import LeftOut, Selection
from mmspec.report.runs.stale import Comparison
from mmspec.report.text import Code, Sentence, listed

WHY = {
    "failed": "failed",
    "unfinished": "unfinished",
    "running": "still running",
    "smoke": "smoke runs",
    "stale": "stale (same spec, older code or data)",
    "spec changed": "stale (the spec has changed since)",
    "duplicate": "copies of a run",
}


def report_notes(
    selection: Selection, used: Sequence[RecordedRun], comparison: Comparison, made_by: MadeBy
) -> list[Sentence]:
    """Which runs are stale, missing or left out of the report, and what differs between those in it."""
    notes = list(present_notes(comparison, selection, used, made_by))
    notes += _left_out(selection.left_out)
    notes += copy_notes(selection.copies)
    notes += [(f"{remark}.",) for remark in selection.remarks]
    shown = {run.address for run in used}
    unused = [run for run in selection.runs if run.address not in shown]
    if unused:
        notes.append(("In no row: ", *listed(Code(run.id) for run in unused), "."))
    notes += [
        ("Cannot be read: ", str(problem.where), " ", problem.what, ".") for problem in selection.problems
    ]
    notes += _mixed(used)
    return notes


def _left_out(left_out: Sequence[LeftOut]) -> Iterable[Sentence]:
    reasons: dict[str, list[RecordedRun]] = defaultdict(list)
    for left in left_out:
        reasons[left.reason].append(left.run)
    for reason, why in WHY.items():
        if runs := reasons.get(reason):
            yield (f"Left out, {why}: ", *listed(Code(run.id) for run in runs), ".")


def _mixed(runs: Sequence[RecordedRun]) -> Iterable[Sentence]:
    """Parts of the code, and data, that were not the same for all runs of the report."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for run in runs:
        for part, fingerprint in _parts(run):
            seen[part].add(fingerprint)
    changed = sorted({name for (name, _), versions in seen.items() if len(versions) > 1})
    if changed:
        yield (
            "Not all runs were made by the same code and data; they differ in ",
            *listed(map(Code, changed)),
            ".",
        )


def _parts(run: RecordedRun) -> Iterable[tuple[tuple[str, str], str]]:
    """Each piece of code and data a run depends on: (its name, what it was asked for), its fingerprint."""
    code = run.identity.get("code")
    for name, origin in code.items() if isinstance(code, Mapping) else ():
        yield (str(name), ""), json.dumps(origin, sort_keys=True)
    data = run.identity.get("data")
    asked = json.dumps([stage.get("dataset") for stage in run.spec["stages"]], sort_keys=True)
    for name, fingerprint in data.items() if isinstance(data, Mapping) else ():
        yield (f"data ({name})", asked), str(fingerprint)
