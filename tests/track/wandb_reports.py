"""The reports of the test double: W&B Reports as `wandb-workspaces` saves them, and what it asks before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wandb_writing import ENTITY

if TYPE_CHECKING:
    from wandb_server import WandbServer

NOW = "2026-01-31T12:00:00"
#: W&B Reports by their ids, of the double that holds them.
_views: dict[int, dict[str, dict[str, Any]]] = {}


def views(server: WandbServer) -> dict[str, dict[str, Any]]:
    """The W&B Reports that a double holds."""
    return _views.setdefault(id(server), {})


def projects(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    names = {run.project for run in server.runs.values()}
    about = {
        "__typename": "Project",
        "entityName": variables["entity"],
        "createdAt": "",
        "isBenchmark": False,
    }
    about["user"] = None
    edges = [{"node": {**about, "id": name, "name": name}, "cursor": name} for name in sorted(names)]
    page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
    return {"models": {"edges": edges, "pageInfo": page}}


def project_views(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    edges = [{"node": view, "cursor": view["id"]} for view in views(server).values()]
    return {"project": {"allViews": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}}


def upsert_view(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    held = views(server)
    name = variables.get("id") or f"VmlldzoxMjM0{len(held)}"
    project = {"id": "id-project", "name": variables["projectName"], "entityName": variables["entityName"]}
    keys = ("type", "name", "displayName", "description", "spec")
    inserted = name not in held
    held[name] = {
        "id": name, "project": project, "createdAt": NOW, "updatedAt": NOW,
        "user": {"username": "tester", "photoUrl": None, "email": None},
        **{key: variables[key] for key in keys},
    }  # fmt: skip
    return {"upsertView": {"view": held[name], "inserted": inserted}}


def artifact_type(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    """The type of an artifact that is there already: none is."""
    del server, variables
    return {"project": {"artifact": None}}


def project_id(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"project": {"id": "id-project", "internalId": "id-project"}}


def default_entity(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"viewer": {"id": "v", "entity": ENTITY["name"]}}


REPORTS = {
    "GetProjects": projects,
    "ProjectViews": project_views,
    "upsertView": upsert_view,
    "ArtifactType": artifact_type,
    "ProjectInternalId": project_id,
    "GetDefaultEntity": default_entity,
}
