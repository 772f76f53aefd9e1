"""What Kubernetes asks a program: `GET /health`, whether the process serves, and `GET /ready`, whether it gets on.

with serve(port, program.is_ready):
    program.run()
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ANSWERED_WITHIN_S = 5.0  # a client that says nothing holds its thread no longer


class HealthServer:
    """The server, in a thread of its own until `close`. `port` is where it listens: of port 0, a free one."""

    def __init__(self, port: int, ready: Callable[[], bool], host: str = "") -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(ready))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int, ready: Callable[[], bool], host: str = "") -> HealthServer:
    """Answer on `port` of `host` (every address unless told). Threads of the server ask `ready`, at every probe.

    /health: 200 {"status": "serving"}. /ready: 200 or 503 {"ready": bool}; a `ready` that raises is not. Else 404.
    """
    return HealthServer(port, ready, host)


def _handler(ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = ANSWERED_WITHIN_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/health":
                self._answer(HTTPStatus.OK, {"status": "serving"})
            elif path == "/ready":
                well = _holds(ready)
                self._answer(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": well})
            else:
                self._answer(HTTPStatus.NOT_FOUND, {})

        def _answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: probes come every few seconds, and the program's log is JSON."""

    return Handler


def _holds(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except Exception:  # a probe gets an answer, whatever became of the program
        return False
