"""The reading side of the test double: what `wandb.Api` asks for runs, their histories and files.

Filters are evaluated as W&B's documentation describes them; fields it does not name are an error here, so
that a misspelt one cannot pass for an empty answer.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_server import WandbServer
    from wandb_writing import Run


def runs(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    """A page of the runs of a project."""
    every = _of_project(server, variables)
    if every is None:
        return {"project": None}
    filters = json.loads(variables.get("filters") or "{}")
    fitting = [run for run in every if fits(node(run), filters)]
    fitting.sort(key=lambda run: (run.created, run.name), reverse=str(variables.get("order")).startswith("-"))
    start = int(variables.get("cursor") or 0)
    page = fitting[start : start + int(variables.get("perPage") or 50)]
    end = start + len(page)
    edges = [{"node": node(run), "cursor": str(start + i + 1)} for i, run in enumerate(page)]
    found = {"edges": edges, "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(fitting)}}
    return {"project": {"internalId": "1", "runCount": len(fitting), "readOnly": False, "runs": found}}


def run(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    """One run, and whatever of its history a query selects."""
    wanted = next(variables[key] for key in ("name", "runName", "run") if variables.get(key))
    found = {each.name: each for each in _of_project(server, variables) or ()}.get(wanted)
    if found is None:
        return {"project": {"run": None}}
    return {
        "project": {"run": {**node(found), **_history(found, variables), **_files(server, found, variables)}}
    }


def node(run: Run) -> dict[str, Any]:
    """A run as the service shows it."""
    steps = [row["_step"] for row in run.history if "_step" in row]
    return {
        "id": f"id-{run.name}",
        "projectId": "1",
        "name": run.name,
        "displayName": run.bucket.get("displayName") or run.name,
        "tags": run.bucket.get("tags") or [],
        "sweepName": None,
        "state": run.state,
        "config": run.bucket.get("config") or "{}",
        "group": run.bucket.get("groupName"),
        "jobType": run.bucket.get("jobType"),
        "commit": None,
        "readOnly": False,
        "createdAt": run.created,
        "heartbeatAt": run.heartbeat,
        "description": None,
        "notes": run.bucket.get("notes"),
        "systemMetrics": "{}",
        "summaryMetrics": json.dumps(run.summary),
        "historyLineCount": len(run.history),
        "historyKeys": {"lastStep": max(steps, default=-1), "keys": {}},
        "user": {"name": "tester", "username": "tester", "id": "v"},
        "project": {"id": "id-project", "name": run.project, "entity": {"id": "e", "name": run.entity}},
    }


def _of_project(server: WandbServer, variables: dict[str, Any]) -> list[Run] | None:
    """The runs of a project; None if there is no such project."""
    asked = variables.get("entity"), variables.get("project")
    return [run for run in server.runs.values() if (run.entity, run.project) == asked] or None


def _history(run: Run, variables: dict[str, Any]) -> dict[str, Any]:
    """Rows of the history: `history` samples them as the service does, pages give those of some steps."""
    first, last = variables.get("minStep") or 0, variables.get("maxStep")
    within = [row for row in run.history if first <= row["_step"] and (last is None or row["_step"] < last)]
    samples = variables.get("samples")
    rows = within if samples is None else sampled(within, samples)
    specs = [json.loads(spec) for spec in variables.get("specs") or ()]
    return {
        "history": [json.dumps(row) for row in rows],
        "events": [],
        "sampledHistory": [
            [
                {key: row[key] for key in spec["keys"]}
                for row in within
                if all(key in row for key in spec["keys"])
            ]
            for spec in specs
        ],
        "parquetHistory": {"parquetUrls": [], "liveData": []},
    }


def sampled(rows: list[Any], samples: int) -> list[Any]:
    """As many of the rows, evenly spread."""
    if len(rows) <= samples:
        return rows
    return [rows[i * len(rows) // samples] for i in range(samples)]


def _files(server: WandbServer, run: Run, variables: dict[str, Any]) -> dict[str, Any]:
    """The files of a run, of the names that were asked for."""
    wanted = [name for name in variables.get("fileNames") or run.files if name in run.files]
    edges = [
        {"node": {**_file(run, name), "directUrl": f"{server.url}/storage/{run.name}/{name}"}, "cursor": name}
        for name in wanted
    ]
    page = {"endCursor": None, "hasNextPage": False}
    return {"fileCount": len(wanted), "files": {"edges": edges, "pageInfo": page}}


def _file(run: Run, name: str) -> dict[str, Any]:
    size = len(run.files[name])
    facts = {"id": f"file-{name}", "name": name, "sizeBytes": size, "mimetype": None, "md5": None}
    return {**facts, "url": "", "updatedAt": run.heartbeat}


# ---------------------------------------------------------------- filters

_COMPARE = {
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$gt": lambda a, b: a is not None and a > b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$lt": lambda a, b: a is not None and a < b,
    "$lte": lambda a, b: a is not None and a <= b,
    "$in": lambda a, b: a in b,
    "$nin": lambda a, b: a not in b,
    "$exists": lambda a, b: (a is not None) == b,
    "$regex": lambda a, b: isinstance(a, str) and re.search(b, a) is not None,
}
_FIELDS = ("createdAt", "displayName", "group", "jobType", "name", "state", "tags")


def fits(shown: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Whether a run passes a filter in the language of MongoDB."""
    for key, wanted in filters.items():
        if key in ("$and", "$or", "$nor"):
            found = [fits(shown, clause) for clause in wanted]
            if not {"$and": all(found), "$or": any(found), "$nor": not any(found)}[key]:
                return False
        elif not _passes(_value(shown, key), wanted):
            return False
    return True


def _passes(value: Any, wanted: Any) -> bool:
    tests = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    if isinstance(value, list):  # one of a list's items is enough
        return any(_passes(item, tests) for item in value)
    return all(_COMPARE[operator](value, operand) for operator, operand in tests.items())


def _value(shown: dict[str, Any], key: str) -> Any:
    if key in _FIELDS:
        return shown[key]
    table, *path = key.split(".")
    if table == "config":
        value: Any = json.loads(shown["config"])
        path = path if "value" in path[1:2] else [path[0], "value", *path[1:]]
    elif table == "summary_metrics":
        value = json.loads(shown["summaryMetrics"])
    else:
        raise LookupError(f"the service has no field {key}")
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


#: Operations that read, by name.
READING = {
    "Runs": runs,
    **dict.fromkeys(
        ("Run", "RunHistoryKeys", "RunParquetHistory", "HistoryPage", "SampledHistoryPage", "RunFullHistory",
         "RunSampledHistory", "RunFiles"), run,
    ),
}  # fmt: skip
