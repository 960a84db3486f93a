"""Runs that would come out anew today: their spec says something else now, or their code has changed.

They stay in the report, since their numbers are what was measured, and each cell that rests on them says so.
Data are not compared: to fingerprint them takes reading them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from mmspec.errors import PluginError
from mmspec.graph.identity import engine_code, hash_of_spec
from mmspec.plugins.plan import RunPlan
from mmspec.plugins.recorded import RecordedRun
from mmspec.plugins.registry import Registry
from mmspec.report.runs.differences import differences
from mmspec.report.runs.missing import MadeBy
from mmspec.report.runs.present import Asked, Present, as_key, read_present
from mmspec.report.runs.selection import Selection


@attrs.frozen
class Stale:
    """Why a run is stale, in words, and the command that makes it anew, where that is known."""

    why: str
    command: str | None


@attrs.frozen
class Comparison:
    """The runs of a report beside what stands on disk now.

    `stale` is by the address of a run; `absent` are plugins that are not installed here, by run, so that
    their code could not be compared.
    """

    present: Present = attrs.field(factory=Present)
    stale: Mapping[str, Stale] = attrs.field(factory=dict)
    absent: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


def compare(selection: Selection, made_by: MadeBy, registry: Registry) -> Comparison:
    """Compare the runs that enter with the specs on disk and the code that is installed."""
    present = read_present(selection, made_by, registry)
    code = _Code(registry)
    hashes: dict[tuple[int, int], str] = {}
    stale: dict[str, Stale] = {}
    absent: dict[str, tuple[str, ...]] = {}
    for run in selection.runs:
        asked = present.of(run, made_by)
        reasons = [reason for reason in (_spec_changed(run, asked, hashes), code.changed(run)) if reason]
        if reasons:
            command = asked[0].command.text if asked else None
            stale[run.address] = Stale("; ".join(reasons), command)
        if parts := code.absent(run):
            absent[run.address] = parts
    return Comparison(present, stale, absent)


# ---------------------------------------------------------------- specs


def _spec_changed(
    run: RecordedRun, asked: tuple[Asked, ...], hashes: dict[tuple[int, int], str]
) -> str | None:
    """What the spec says otherwise now; None if it says the same, or is not known."""
    if not asked:
        return None
    alike: list[tuple[Asked, RunPlan]] = []
    for each in asked:
        plan = each.by_labels.get(as_key(run.labels))
        if plan is not None:
            key = (id(plan.stages), run.seed)
            if key not in hashes:
                hashes[key] = hash_of_spec(plan, run.seed)
            if hashes[key] == run.identity["spec_hash"]:
                return None
            alike.append((each, plan))
    if not alike:
        return f"{asked[0].command.spec} has no {run.label} now"
    first, plan = alike[0]
    changes = list(differences(run.spec["stages"], plan.resolved["stages"]))
    named = ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
    return f"{first.command.spec} says something else now" + (f": {named}" if named else "")


# ---------------------------------------------------------------- code


@attrs.frozen
class _Code:
    """The code that is installed now, each part looked up once."""

    registry: Registry
    known: dict[tuple[str, str], Mapping[str, Any] | None] = attrs.field(factory=dict, init=False)

    def changed(self, run: RecordedRun) -> str | None:
        """Which code has changed since the run, by package."""
        packages: dict[str, None] = {}
        for name, then in _parts(run):
            now = self._now(name, then)
            if now is None:
                continue
            package = str(then.get("target") or name).partition(":")[0].partition(".")[0]
            if then.get("version") and then["version"] != now["version"]:
                packages[f"{package} {then['version']} → {now['version']}"] = None
            elif None not in (old := (then.get("source_hash"), now["source_hash"])) and len(set(old)) > 1:
                packages[package] = None
        if not packages:
            return None
        return f"the code of {', '.join(packages)} has changed since"

    def absent(self, run: RecordedRun) -> tuple[str, ...]:
        """The plugins of the run that are not installed here."""
        return tuple(name for name, then in _parts(run) if self._now(name, then) is None)

    def _now(self, name: str, then: Mapping[str, Any]) -> Mapping[str, Any] | None:
        distribution = str(then.get("distribution") or "")
        key = (name, distribution)
        if key not in self.known:
            self.known[key] = engine_code() if name == "mmspec" else self._plugin(name, distribution)
        return self.known[key]

    def _plugin(self, name: str, distribution: str) -> Mapping[str, Any] | None:
        kind, _, short = name.partition("/")
        try:
            origin = self.registry.find(kind, f"{distribution}:{short}" if distribution else short).origin
        except PluginError:
            return None
        return {"version": origin.version, "source_hash": origin.source_hash}


def _parts(run: RecordedRun) -> Iterator[tuple[str, Mapping[str, Any]]]:
    code = run.identity.get("code")
    for name, then in code.items() if isinstance(code, Mapping) else ():
        if isinstance(then, Mapping):
            yield str(name), then
