"""What there is to say of the runs behind a cell: where they are, and all that they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmspec.errors import RecordError
from mmspec.plugins.recorded import RecordedRun
from mmspec.records import RunRecord
from mmspec.report.document import Document
from mmspec.report.explain.cell import Facts
from mmspec.report.explain.stages import about_stages
from mmspec.report.runs.differences import differences
from mmspec.report.tables.table import Cell, Table

#: Most differences between two specs that are listed.
_MOST = 30

Part = tuple[str, Facts]


def about_runs(cell: Cell, document: Document) -> list[Part]:
    """What is the same for all runs of a cell, and what is each one's own."""
    runs = [run for run, _ in cell.taken]
    facts = [dict(_facts(run, document, cell.column.value)) for run in runs]
    same = {
        name: text
        for name, text in (facts[0].items() if len(facts) > 1 else ())
        if all(other.get(name) == text for other in facts)
    }
    parts: list[Part] = []
    for (run, value), own in zip(cell.taken, facts, strict=True):
        rest = [(name, text) for name, text in own.items() if name not in same]
        parts.append((f"Seed {run.seed}", [("value", repr(value)), *rest]))
    if same:
        parts.append((f"The same for all {len(runs)} runs", list(same.items())))
    if varying := _varying(runs):
        parts.append(("Keys in which these runs differ", varying))
    return parts


def against(cell: Cell, table: Table, document: Document) -> list[Part]:
    """The keys in which the runs of a cell differ from those of the table's baseline."""
    del document
    baseline = table.definition.baseline
    index = table.columns.index(cell.column)
    other = table.cells[baseline][index] if baseline is not None and baseline in table.cells else None
    if other is None or not other.taken or not cell.taken or other is cell:
        return []
    then, now = other.taken[0][0], cell.taken[0][0]
    changed = _cut(list(differences(then.spec["stages"], now.spec["stages"])))
    return [(f"Keys in which they differ from {baseline}", changed or [("", "none")])]


def _varying(runs: Sequence[RecordedRun]) -> Facts:
    """Keys of the spec in which the runs of one cell differ: such as cannot change a number."""
    found: dict[str, None] = {}
    for run in runs[1:]:
        found |= dict.fromkeys(differences(runs[0].spec["stages"], run.spec["stages"]))
    return _cut(list(found))


def _cut(changes: Sequence[str]) -> Facts:
    more = [("", f"and {len(changes) - _MOST} more")] if len(changes) > _MOST else []
    return [("", change) for change in changes[:_MOST]] + more


# ---------------------------------------------------------------- one run


def _facts(run: RecordedRun, document: Document, value: str) -> Iterator[tuple[str, str]]:
    """All that is known of a run and this value of it, in the order in which one asks."""
    stale = document.comparison.stale.get(run.address)
    yield "run", run.id
    yield "address", run.address
    yield "status", run.status + (", stale" if stale else "")
    if stale:
        yield "stale", stale.why
        yield "anew by", stale.command or "an unknown command"
    yield from about_stages(run, value)
    yield "resolved spec", f"{run.address}/spec.json" if isinstance(run, RunRecord) else run.address
    yield "spec hash", str(run.identity["spec_hash"])
    yield from _provenance(run)
    yield "code", _code(run.identity.get("code"))
    data = run.identity.get("data")
    yield "data", _lines(data) if isinstance(data, Mapping) and data else "reads none that has a fingerprint"


def _provenance(run: RecordedRun) -> Iterator[tuple[str, str]]:
    try:
        known = run.provenance
    except RecordError as error:
        yield "provenance", str(error.problems[0].what)
        return
    yield "created", str(known.get("created") or "not recorded")
    yield "command", str(known.get("command") or "not recorded")
    yield "git", _git(run, known.get("git"))
    packages = known.get("packages")
    if isinstance(packages, Mapping):
        yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())
    python = known.get("python")
    machine = (python and f"Python {python}", known.get("platform"))
    yield "machine", ", ".join(str(part) for part in machine if part)
    yield "device", str(known.get("device") or "not recorded")


def _git(run: RecordedRun, state: Any) -> str:
    """The commit; of changes that were not committed, how many there were and how to see them."""
    if not isinstance(state, Mapping):
        return "no repository around it, or not recorded"
    commit = str(state.get("commit"))
    if not state.get("dirty"):
        return f"{commit}, clean"
    diff, changed = str(state.get("diff") or ""), state.get("changed") or ()
    size = f"{len(changed)} files changed, {len(diff.splitlines())} lines of diff"
    cut = ", cut" if state.get("diff_cut") else ""
    see = f"\n`mmspec runs show {run.address} --diff` shows it" if isinstance(run, RunRecord) else ""
    return f"{commit}, and changes that were not committed ({size}{cut}){see}"


def _code(code: Any) -> str:
    """Each part of the code: what it is, its version, and its source hash where it can change."""
    lines = []
    for name, origin in code.items() if isinstance(code, Mapping) else ():
        known = origin if isinstance(origin, Mapping) else {}
        source = known.get("source_hash")
        version = " ".join(str(part) for part in (known.get("distribution"), known.get("version")) if part)
        lines.append(f"{name}: {version}" + (f", source {str(source)[:12]}" if source else ""))
    return "\n".join(lines) or "not recorded"


def _lines(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in table.items())
