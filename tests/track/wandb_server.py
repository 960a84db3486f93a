"""A test double of a W&B server on loopback: what the real client needs to write runs and read them back.

It shows that our calls of the real client work. It proves nothing about W&B's own server.

A query of GraphQL is answered by the name of its operation: a handler gives plain dicts, and what the query
selects is picked out of them. Fields that the dicts do not have become null, and are listed in
`unknown_fields`; operations without a handler get "errors" (the client does not survive a mutation that
answers null), and are listed in `unknown`. What goes wrong in the double itself is in `errors`. Handlers
stand in tables, `{operation: handler(server, variables)}`: those of `wandb_writing` here, more by
`WandbServer(MORE)`.

Faults are switched by `fault`: see `Fault`.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote

import attrs
from wandb_graphql import select
from wandb_writing import ENTITY, WRITING, Artifact, Run

Handler = Callable[["WandbServer", dict[str, Any]], dict[str, Any]]


@attrs.define
class Fault:
    """What goes wrong from the request after the next `after` on, of those whose name holds `on`.

    Requests are called by their GraphQL operation, else `METHOD /path`. `429` and `500` are answered with
    that status; `hang`: never answered while the fault lasts; `nonsense`: no JSON; `cut`: half an answer;
    `lost`: done, but the connection breaks before the answer; `die`: the server is gone (`restart` brings
    it back); `errors`: GraphQL's errors, without data.
    """

    kind: Literal["429", "500", "hang", "nonsense", "cut", "lost", "die", "errors"]
    on: str = ""
    after: int = 0

    def strikes(self, request: str) -> bool:
        """Whether it concerns this request; counts it."""
        if self.on not in request:
            return False
        self.after -= 1
        return self.after < 0


class WandbServer:
    """The server; `runs` by id, `requests` by name in the order they came."""

    def __init__(self, *operations: Mapping[str, Handler]) -> None:
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.storage: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self.unknown_fields: set[str] = set()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.fault: Fault | None = None
        self.lock = threading.RLock()
        self.operations: dict[str, Handler] = {}
        for table in (WRITING, *operations):
            self.operations.update(table)
        self.connections: set[socket.socket] = set()
        self._listen(0)

    def _listen(self, port: int) -> None:
        bound = type("Bound", (_Handler,), {"double": self})
        self._http = _Http(("127.0.0.1", port), bound)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def is_up(self) -> bool:
        """Whether it listens."""
        return self._http.fileno() >= 0

    def stop(self) -> None:
        """Vanish: nobody listens any more, and what is open breaks."""
        self.fault = None
        if not self.is_up:
            return
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Come back at the same address, with everything that was received."""
        self.stop()
        self._listen(int(self.url.rpartition(":")[2]))

    def count(self, name: str) -> int:
        """How many requests had this in their names."""
        return sum(name in request for request in self.requests)

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer a query."""
        name = operation(query)
        handler = self.operations.get(name)
        if handler is None:
            self.unknown.append(name)
            return {"errors": [{"message": f"the test double does not know {name}"}]}
        with self.lock:
            try:
                answer = handler(self, variables)
            except Exception:  # noqa: BLE001 - the test that asked is told
                self.errors.append(traceback.format_exc())
                return {"errors": [{"message": f"the test double fails at {name}"}]}
        return {"data": select(query, answer, variables, self.unknown_fields)}

    def put(self, path: str, data: bytes) -> None:
        """Receive a file; `path` is `/storage/…`."""
        with self.lock:
            self.storage[path] = data
            _, _, run, name = path.split("/", 3)
            if run in self.runs:
                self.runs[run].files[name] = data


def operation(query: str) -> str:
    """The name of a query's operation, or its first characters if it has none."""
    found = re.search(r"(?:query|mutation)\s+(\w+)", query)
    return found[1] if found else " ".join(query.split())[:60]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 50
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error of ours; all else is."""
        if not isinstance(sys.exception(), OSError):
            self.RequestHandlerClass.double.errors.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    double: WandbServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.double.connections.add(self.connection)

    def finish(self) -> None:
        self.double.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if self._struck(f"GET {path}"):
            return
        stored = self.double.storage.get(path)
        if stored is None:
            self._answer(b"{}", status=404 if path.startswith("/storage/") else 200)
        else:
            self._answer(stored, kind="application/octet-stream")

    def do_POST(self) -> None:
        data = self._body()
        path = unquote(self.path.partition("?")[0])
        body = json.loads(data) if path == "/graphql" or path.endswith("/file_stream") else None
        name = operation(body["query"]) if path == "/graphql" else f"POST {path}"

        def act() -> bytes:
            if path == "/graphql":
                answer = self.double.graphql(body["query"], body.get("variables") or {})
            elif path.endswith("/file_stream"):
                with self.double.lock:
                    self.double.runs[path.split("/")[-2]].receive(body)
                answer = {"limits": {}}
            else:
                answer = {}
            return json.dumps(answer).encode()

        if not self._struck(name, act):
            self._answer(act())

    def do_PUT(self) -> None:
        data, path = self._body(), unquote(self.path.partition("?")[0])

        def act() -> bytes:
            self.double.put(path, data)
            return b"{}"

        if not self._struck(f"PUT {path}", act):
            self._answer(act())

    def _struck(self, request: str, act: Callable[[], bytes] = lambda: b"{}") -> bool:
        """Whether the fault decides what this request gets."""
        double = self.double
        with double.lock:
            double.requests.append(request)
            fault = double.fault
            if fault is None or not fault.strikes(request):
                return False
        match fault.kind:
            case "429" | "500":
                self._answer(b'{"error": "not now"}', status=int(fault.kind))
            case "nonsense":
                self._answer(b"<html>what?</html>", kind="text/html")
            case "errors":
                self._answer(b'{"errors": [{"message": "no"}]}')
            case "hang":
                while double.fault is fault and double.is_up:
                    time.sleep(0.02)
                self._break()
            case "cut":
                self._answer(act()[:1], length=100)
                self._break()
            case "lost":
                act()
                self._break()
            case "die":
                threading.Thread(target=double.stop, daemon=True).start()
                while double.is_up:
                    time.sleep(0.01)
                self._break()
        return True

    def _break(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def _body(self) -> bytes:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(
        self, data: bytes, status: int = 200, kind: str = "application/json", length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


__all__ = ["ENTITY", "Artifact", "Fault", "Handler", "Run", "WandbServer", "operation"]
