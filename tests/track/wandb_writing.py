"""The test double's writing side: what the client sends to begin, log and end a run, and to keep files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from wandb_server import WandbServer

#: Whose runs these are.
ENTITY = {"id": "e", "name": "tester"}
PROJECT_ID = "id-project"


def now() -> str:
    """The time as the server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@attrs.define
class Run:
    """What was received of one run.

    Rows of the history have their place (`offset`): what comes twice is there once. `gaps` counts rows that
    came before those they follow.
    """

    name: str
    bucket: dict[str, Any] = attrs.field(factory=dict)
    history: list[dict[str, Any]] = attrs.field(factory=list)
    summary: dict[str, Any] = attrs.field(factory=dict)
    files: dict[str, bytes] = attrs.field(factory=dict)
    exit_code: int | None = None
    created: str = attrs.field(factory=now)
    heartbeat: str = attrs.field(factory=now)
    gaps: int = 0
    state: str = "running"

    @property
    def project(self) -> str:
        """The name of its project."""
        return str(self.bucket.get("project") or "uncategorized")

    @property
    def entity(self) -> str:
        """The name of its user or team."""
        return str(self.bucket.get("entity") or ENTITY["name"])

    @property
    def config(self) -> dict[str, Any]:
        """The config by key."""
        return {k: v["value"] for k, v in json.loads(self.bucket.get("config") or "{}").items()}

    def receive(self, body: dict[str, Any]) -> None:
        """Receive a part of the file stream."""
        files = body.get("files") or {}
        self.heartbeat, self.state = now(), "running"
        if part := files.get("wandb-history.jsonl"):
            rows = [json.loads(line) for line in part.get("content") or []]
            offset = part.get("offset") or 0
            self.gaps += max(0, offset - len(self.history))
            self.history[offset : offset + len(rows)] = rows
        for line in files.get("wandb-summary.json", {}).get("content") or []:
            self.summary = json.loads(line)
        if body.get("complete"):
            self.exit_code = body.get("exitcode")
            self.state = "finished" if self.exit_code == 0 else "failed"


@attrs.define
class Artifact:
    """One version of an artifact; `contents` are its files by name, once it is committed."""

    id: str
    run: str
    name: str
    type: str
    version: int
    digest: str
    aliases: list[str]
    metadata: Any = None
    description: Any = None
    state: str = "PENDING"
    created: str = attrs.field(factory=now)


def _bucket(run: Run) -> dict[str, Any]:
    return {
        "id": f"id-{run.name}",
        "name": run.name,
        "displayName": run.bucket.get("displayName") or run.name,
        "description": None,
        "notes": run.bucket.get("notes"),
        "config": run.bucket.get("config") or "{}",
        "sweepName": None,
        "historyLineCount": len(run.history),
        "eventsLineCount": 0,
        "logLineCount": 0,
        "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
        "eventsTail": "[]",
        "summaryMetrics": json.dumps(run.summary),
        "tags": run.bucket.get("tags") or [],
        "wandbConfig": json.dumps({"t": 1}),  # without it the client takes the run for a new one
        "project": {"id": PROJECT_ID, "name": run.project, "entity": {"id": "e", "name": run.entity}},
    }


def upsert_bucket(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    name = variables.get("name") or str(variables.get("id")).removeprefix("id-")
    new = name not in server.runs
    run = server.runs.setdefault(name, Run(name))
    run.bucket.update({k: v for k, v in variables.items() if v is not None})
    if variables.get("summaryMetrics"):
        run.summary = json.loads(variables["summaryMetrics"])
    return {"upsertBucket": {"bucket": _bucket(run), "inserted": new}}


def run_resume_status(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    run = server.runs.get(variables["name"])
    entity = {"id": "e", "name": variables.get("entity") or ENTITY["name"]}
    bucket = _bucket(run) if run else None
    return {"model": {"id": PROJECT_ID, "name": variables["project"], "entity": entity, "bucket": bucket}}


def viewer(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    teams = {"edges": [{"node": ENTITY}]}
    return {
        "viewer": {
            "id": "v", "username": "tester", "name": "tester", "email": "tester@example.org", "admin": False,
            "entity": ENTITY["name"], "flags": "{}", "teams": teams, "apiKeys": {"edges": []},
        },
    }  # fmt: skip


def server_features(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"serverInfo": {"features": []}}


def no_organization(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}


def create_run_files(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    run = variables["run"]
    files = [{"name": name, "uploadUrl": f"{server.url}/storage/{run}/{name}"} for name in variables["files"]]
    return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}


def mark_run_files_uploaded(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"markRunFilesUploaded": {"success": True}}


# ---------------------------------------------------------------- artifacts


def create_artifact(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    """A new version, or the one there is with the same contents."""
    wanted = variables["input"]
    name = wanted.get("artifactCollectionName") or wanted["artifactCollectionNames"][0]
    versions = [a for a in server.artifacts.values() if a.name == name]
    same = [a for a in versions if a.digest == wanted["digest"] and a.state == "COMMITTED"]
    if same:
        found = same[-1]
    else:
        aliases = [alias["alias"] for alias in wanted.get("aliases") or []]
        found = Artifact(
            id=base64.b64encode(f"artifact-{len(server.artifacts)}".encode()).decode(),
            run=wanted["runName"], name=name, type=wanted["artifactTypeName"], version=len(versions),
            digest=wanted["digest"], aliases=aliases, metadata=wanted.get("metadata"),
            description=wanted.get("description"),
        )  # fmt: skip
        server.artifacts[found.id] = found
    latest = {"id": versions[-1].id} if versions else None
    artifact = {"id": found.id, "state": found.state, "artifactSequence": {"latestArtifact": latest}}
    return {"createArtifact": {"__typename": "CreateArtifactPayload", "artifact": artifact}}


def create_artifact_manifest(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    artifact = variables["artifactID"]
    return {"createArtifactManifest": {"artifactManifest": manifest(server, artifact)}}


def update_artifact_manifest(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    artifact = variables["artifactManifestID"].removeprefix("manifest-")
    return {"updateArtifactManifest": {"artifactManifest": manifest(server, artifact)}}


def manifest(server: WandbServer, artifact: str) -> dict[str, Any]:
    """Where the list of an artifact's files is, or goes."""
    address = f"{server.url}/storage/{artifact}/manifest.json"
    file = {"id": f"file-{artifact}", "uploadUrl": address, "uploadHeaders": [], "directUrl": address}
    return {"id": f"manifest-{artifact}", "file": file}


def create_artifact_files(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    edges = [
        {
            "node": {
                "storagePath": f"wandb_artifacts/{spec['name']}",
                "uploadUrl": f"{server.url}/storage/{spec['artifactID']}/files/{spec['name']}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": spec["artifactID"]},
            }
        }
        for spec in variables["input"]["artifactFiles"]
    ]
    return {"createArtifactFiles": {"files": {"edges": edges}}}


def commit_artifact(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    artifact = server.artifacts[variables["artifactID"]]
    artifact.state = "COMMITTED"
    for other in server.artifacts.values():
        if other.name == artifact.name and other is not artifact:
            other.aliases = [alias for alias in other.aliases if alias not in artifact.aliases]
    return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}


def client_id_mapping(server: WandbServer, variables: dict[str, Any]) -> dict[str, Any]:
    del server, variables
    return {"clientIDMapping": None}


def contents(server: WandbServer, artifact: Artifact) -> dict[str, bytes]:
    """The files of an artifact by their names in it."""
    prefix = f"/storage/{artifact.id}/files/"
    return {path[len(prefix) :]: data for path, data in server.storage.items() if path.startswith(prefix)}


WRITING: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "UpsertBucket": upsert_bucket,
    "RunResumeStatus": run_resume_status,
    "Viewer": viewer,
    "GetViewer": viewer,
    "GetDefaultEntity": viewer,
    "ServerFeaturesQuery": server_features,
    "OrganizationCoreWeaveOrganizationID": no_organization,
    "CreateRunFiles": create_run_files,
    "MarkRunFilesUploaded": mark_run_files_uploaded,
    "CreateArtifact": create_artifact,
    "CreateArtifactManifest": create_artifact_manifest,
    "UpdateArtifactManifest": update_artifact_manifest,
    "CreateArtifactFiles": create_artifact_files,
    "CommitArtifact": commit_artifact,
    "ClientIDMapping": client_id_mapping,
}
