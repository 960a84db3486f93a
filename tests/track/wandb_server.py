"""A test double of a W&B server on loopback: what the client sends to begin, log and end a run.

It shows that our calls of the real client work online. It proves nothing about W&B's own server.
GraphQL is answered by the name of the operation, with plain JSON; what is not known gets "errors", since
the client does not survive a mutation that answers null.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Run:
    """What was received of one run."""

    def __init__(self) -> None:
        self.bucket: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.exit_code: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        return {k: v["value"] for k, v in json.loads(self.bucket["config"]).items()}


class WandbServer:
    """The server; `runs` by id. `stop()` makes it vanish; `unknown` lists operations it had no answer for."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.unknown: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"double": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        name = re.search(r"(?:query|mutation)\s+(\w+)", query)
        answer = getattr(self, f"_{name[1]}", None) if name else None
        if answer is None:
            self.unknown.append(name[1] if name else query[:80])
            return {"errors": [{"message": f"the test double does not know {self.unknown[-1]}"}]}
        return {"data": answer(variables)}

    def _bucket(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        return {
            "id": f"id-{name}",
            "name": name,
            "displayName": run.bucket.get("displayName") or name,
            "description": None,
            "config": run.bucket.get("config") or "{}",
            "sweepName": None,
            "historyLineCount": len(run.history),
            "eventsLineCount": 0,
            "logLineCount": 0,
            "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
            "eventsTail": "[]",
            "summaryMetrics": json.dumps(run.summary),
            "tags": [],
            "wandbConfig": json.dumps({"t": 1}),  # without it the client takes the run for a new one
            "project": {"id": "id-project", "name": run.bucket.get("project"), "entity": _ENTITY},
        }

    def _UpsertBucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["name"]
        new = name not in self.runs
        run = self.runs.setdefault(name, Run())
        run.bucket.update({k: v for k, v in variables.items() if v is not None})
        return {"upsertBucket": {"bucket": self._bucket(name), "inserted": new}}

    def _RunResumeStatus(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = variables["name"]
        return {
            "model": {
                "id": "id-project",
                "name": variables.get("project"),
                "entity": _ENTITY,
                "bucket": self._bucket(run) if run in self.runs else None,
            }
        }

    def _Viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "v", "username": "tester", "entity": "tester", "flags": "{}", **_TEAMS}}

    def _CreateRunFiles(self, variables: dict[str, Any]) -> dict[str, Any]:
        run = variables["run"]
        files = [
            {"name": name, "uploadUrl": f"{self.url}/storage/{run}/{name}"} for name in variables["files"]
        ]
        answer = {"runID": run, "uploadHeaders": [], "files": files}
        return {"createRunFiles": answer}

    def stream(self, name: str, body: dict[str, Any]) -> None:
        run = self.runs[name]
        files = body.get("files") or {}
        for line in files.get("wandb-history.jsonl", {}).get("content", []):
            run.history.append(json.loads(line))
        for line in files.get("wandb-summary.json", {}).get("content", []):
            run.summary.update(json.loads(line))
        if body.get("complete"):
            run.exit_code = body.get("exitcode")


_ENTITY = {"id": "e", "name": "tester"}
_TEAMS = {"teams": {"edges": []}}


class _Handler(BaseHTTPRequestHandler):
    double: WandbServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        data = self._body()
        if self.path == "/graphql":
            body = json.loads(data)
            self._answer(self.double.graphql(body["query"], body.get("variables") or {}))
        elif self.path.endswith("/file_stream"):
            self.double.stream(self.path.split("/")[-2], json.loads(data))
            self._answer({"limits": {}})
        else:
            self._answer({}, status=404)

    def do_PUT(self) -> None:
        _, _, run, name = self.path.split("/", 3)
        self.double.runs[run].files[name] = self._body()
        self._answer({})

    def _body(self) -> bytes:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
