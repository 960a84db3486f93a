"""Addresses of runs in W&B: `wandb://entity/project?filters`.

The entity must be said: a report means the same runs whoever makes it. Filters narrow what the service is
asked for; a key that is given several times means any of its values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from mmspec.errors import Problem, RecordError
from mmspec.spec.words import listed, show, suggestion

FORM = "wandb://entity/project, and behind a question mark filters, e.g. ?group=guided&state=finished"
#: The states in which W&B holds runs.
STATES = ("running", "finished", "crashed", "failed", "killed", "preempting", "preempted", "pending")
_NAME = re.compile(r"[^/\\#?%:\x00-\x1f]+")


@attrs.frozen
class Address:
    """A project in W&B and what of it is asked for; `query` is a filter as W&B's service takes it."""

    entity: str
    project: str
    query: Mapping[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return f"wandb://{self.entity}/{self.project}"


def parse_address(text: str) -> Address:
    """The address in what follows `wandb:`.

    Raises:
        RecordError: it has another form, or a filter is wrong.
    """
    head, _, query = text.partition("?")
    names = [unquote(name) for name in head.removeprefix("//").rstrip("/").split("/")]
    fits = head.startswith("//") and len(names) == 2 and all(_NAME.fullmatch(name) for name in names)
    if not fits:
        raise RecordError(Problem(f"{show('wandb:' + text)} is no address of a W&B project", hint=FORM))
    said: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        said.setdefault(key, []).append(value)
    clauses = [_clause(key, values) for key, values in said.items()]
    wanted = clauses[0] if len(clauses) == 1 else {"$and": clauses} if clauses else {}
    return Address(names[0], names[1], wanted)


def _clause(key: str, values: list[str]) -> dict[str, Any]:
    """One filter of the address in the service's own language."""
    if key not in FILTERS:
        hint = suggestion(key, FILTERS, of="filters")
        raise RecordError(Problem(f"there is no filter {show(key)}", hint=hint))
    if not all(values):
        raise RecordError(Problem(f"the filter {key} has no value", hint=f"{key}=…"))
    field, read = FILTERS[key]
    found = [read(value) for value in values]
    if len(found) > 1 and key in _ONCE:
        raise RecordError(Problem(f"the filter {key} is given {len(found)} times", hint="once is enough"))
    if key == "filters":
        return dict(found[0])
    return {field: found[0] if len(found) == 1 else {"$in": found}}


def _state(value: str) -> str:
    if value not in STATES:
        what = f"W&B holds no run in the state {show(value)}"
        raise RecordError(Problem(what, hint=suggestion(value, STATES, of="states")))
    return value


def _moment(value: str) -> str:
    """A date, or a moment in UTC unless it says otherwise, as the service writes moments."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        hint = "a date such as 2026-01-31, or a moment such as 2026-01-31T12:00:00"
        raise RecordError(Problem(f"{show(value)} is no date", hint=hint)) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _after(value: str) -> dict[str, str]:
    return {"$gte": _moment(value)}


def _before(value: str) -> dict[str, str]:
    return {"$lt": _moment(value)}


def _raw(value: str) -> dict[str, Any]:
    """A filter in the service's own language."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        hint = 'for example filters={"config.seed":{"$lt":3}}'
        raise RecordError(Problem(f"filters is no JSON: {error}", hint=hint)) from None
    if not isinstance(found, dict):
        raise RecordError(Problem("filters must be a JSON object", hint='filters={"group":"guided"}'))
    for operator in _operators(found):
        if operator not in OPERATORS:
            what = f"filters: W&B knows no operator {show(operator)}"
            raise RecordError(Problem(what, hint=f"operators: {listed(OPERATORS)}"))
    return found


def _operators(value: Any) -> list[str]:
    """The keys with a dollar sign in a filter."""
    if isinstance(value, dict):
        own = [key for key in value if key.startswith("$")]
        return own + [name for item in value.values() for name in _operators(item)]
    return [name for item in value for name in _operators(item)] if isinstance(value, list) else []


#: The operators that W&B's documentation names.
OPERATORS = (
    "$and", "$or", "$nor", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex",
)  # fmt: skip
#: Filters by their names in an address: the field that W&B calls so, and what a value means.
FILTERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "group": ("group", str),
    "tags": ("tags", str),
    "state": ("state", _state),
    "job_type": ("jobType", str),
    "created_after": ("createdAt", _after),
    "created_before": ("createdAt", _before),
    "filters": ("", _raw),
}
_ONCE = ("created_after", "created_before", "filters")
