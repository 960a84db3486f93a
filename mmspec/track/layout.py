"""Where everything of a run stands in a tracker's records, and how a report finds it there again.

The names are W&B's. trackio, which has no summary, keeps that beside the run's id; TensorBoard's files hold
the stages by name, and no report reads them.

- `config`: the resolved spec, its stages as a table by name, since W&B filters and groups by keys of tables
  only; and under `mmspec_run` the run's id, spec hash, commit, and whether it is a smoke run, to filter by.
- `summary`: the final metrics by their names, `status`, `seconds`, and under `stages` the epochs, steps and
  selected checkpoint of each.
- history: the columns of `mmspec.track.columns`, over the optimizer steps of all stages.

W&B sorts keys, takes dots in names for paths, and knows no not-a-number. So what a report reads is kept as
JSON text, which comes back as it was: spec, identity and provenance in `config["mmspec_run"]["record"]`,
the result in `summary["mmspec_result"]`. It needs no histories.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from mmspec.plugins.recorded import RunInfo, Status

#: The key of ours in `config`, and in that the key of the text that a report reads.
RUN_KEY, RECORD_KEY = "mmspec_run", "record"
#: The keys of ours in `summary`: how the run ended, and the text of its result.
STATUS_KEY, RESULT_KEY = "status", "mmspec_result"
#: The version of this layout; what a later one wrote is not guessed at.
LAYOUT = 1
#: Longest diff of the user's changes that a tracker gets, in characters: every table of runs reads it.
DIFF_LIMIT = 20_000

#: How a process that worked on a run ended.
Ended = Literal["finished", "failed", "interrupted"]


@attrs.frozen
class Recorded:
    """What stands in a run's `config`."""

    spec: Mapping[str, Any]
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any]


def to_config(run: RunInfo) -> dict[str, Any]:
    """The run's `config`."""
    provenance = bounded(run.provenance)
    record = {"spec": run.config, "identity": run.identity, "provenance": provenance}
    return {
        **named_stages(run.config),
        RUN_KEY: {
            "layout": LAYOUT,
            "id": run.run_id,
            "spec_hash": run.identity.get("spec_hash"),
            "smoke": bool(run.identity.get("smoke")),
            "commit": (provenance.get("git") or {}).get("commit"),
            RECORD_KEY: json.dumps(record, ensure_ascii=False),
        },
    }


def from_config(config: Mapping[str, Any]) -> Recorded | None:
    """Spec, identity and provenance from a run's `config`; None if this layout's are not (whole) in it."""
    ours = config.get(RUN_KEY)
    if not isinstance(ours, Mapping) or ours.get("layout") != LAYOUT:
        return None
    record = _parsed(ours.get(RECORD_KEY))
    parts = [record.get(name) for name in ("spec", "identity", "provenance")]
    tables = [part for part in parts if isinstance(part, dict)]
    return Recorded(*tables) if len(tables) == len(parts) else None


def to_summary(
    status: Ended | Literal["running"], values: Mapping[str, float], result: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `summary` says of how a run stands; `result` is that of a finished run (its result.json)."""
    summary: dict[str, Any] = {**values, STATUS_KEY: status}
    if result is not None:
        summary["seconds"] = result.get("seconds")
        summary["stages"] = {
            name: {key: stage.get(key) for key in ("epochs", "steps", "selected")}
            for name, stage in result.get("stages", {}).items()
        }
        summary[RESULT_KEY] = json.dumps(result, ensure_ascii=False)
    return summary


def from_summary(summary: Mapping[str, Any], *, running: bool) -> tuple[Status, dict[str, Any] | None]:
    """How a run stands and its result, from its `summary`; `running` is whether it seems to run."""
    result = _parsed(summary.get(RESULT_KEY)) or None
    status = summary.get(STATUS_KEY)
    if status == "finished" and result is not None:
        return "finished", result
    if running:
        return "running", None
    return ("failed" if status == "failed" else "unfinished"), None


def named_stages(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its stages as a table by name."""
    stages = config.get("stages")
    if isinstance(stages, list) and all(isinstance(stage, Mapping) and "name" in stage for stage in stages):
        return {**config, "stages": {stage["name"]: stage for stage in stages}}
    return dict(config)


def bounded(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance, its diff cut to `DIFF_LIMIT`."""
    git = provenance.get("git")
    if not isinstance(git, Mapping) or len(git.get("diff") or "") <= DIFF_LIMIT:
        return dict(provenance)
    return {**provenance, "git": {**git, "diff": git["diff"][:DIFF_LIMIT], "diff_cut": True}}


def _parsed(text: Any) -> dict[str, Any]:
    """The JSON object in a text; empty if there is none."""
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
