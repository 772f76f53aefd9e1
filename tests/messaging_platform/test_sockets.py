"""Connections from the server's side, against servers on loopback that answer as they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lambdas.messaging_platform import sockets as module
from lambdas.messaging_platform.sockets import POST_WITHIN_S, SECRET_HEADER, Sockets

pytestmark = pytest.mark.fast

FRAME = '{"text":"Grüße"}'.encode()


@dataclass
class Server:
    """Answers with `statuses`, one a request, and then with 200; None is no answer at all."""

    statuses: list[int | None] = field(default_factory=list)
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    url: str = ""
    hang: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.asked.append((self.command, self.path, body, dict(self.headers)))
            state.connections.add(self.client_address)
            status = state.statuses.pop(0) if state.statuses else 200
            if status is None:
                state.hang.wait(10)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_POST  # noqa: N815  the library's name

        def log_message(self, *_: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_port}"
    serving = threading.Thread(target=http.serve_forever, args=(0.01,))
    serving.start()
    yield state
    state.hang.set()
    http.shutdown()
    serving.join()
    http.server_close()


@pytest.fixture
def naps() -> list[float]:
    return []


@dataclass
class Way:
    """One of the two ways to a connection: `sockets`, with `gateway` as it is in the device's item."""

    name: str
    sockets: Sockets
    gateway: str
    path: str

    def post(self, connection: str = "c=1/") -> str:
        return self.sockets.post(connection, self.gateway, FRAME)


@pytest.fixture(params=["management API", "gateway"])
def way(
    request: pytest.FixtureRequest, server: Server, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> Way:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if request.param == "gateway":
        sockets = Sockets("", "the secret", sleep=naps.append, clock=lambda: 0.0)
        return Way("gateway", sockets, server.url, "/connections/c%3D1%2F")
    sockets = Sockets(f"{server.url}/prod", "", sleep=naps.append, clock=lambda: 0.0)
    return Way("management API", sockets, "", "/prod/@connections/c%3D1%2F")


def test_a_frame_is_posted_as_it_is(way: Way, server: Server) -> None:
    assert way.post() == "sent"
    [(method, path, body, headers)] = server.asked
    assert (method, path, body) == ("POST", way.path, FRAME)
    if way.name == "gateway":
        assert headers[SECRET_HEADER] == "the secret"
    else:
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert SECRET_HEADER not in headers


@pytest.mark.parametrize("status", [404, 410])
def test_a_connection_that_is_no_more_is_gone_at_once(status: int, way: Way, server: Server) -> None:
    server.statuses = [status]
    assert way.post() == "gone"
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_would_be_refused_again_is_not_tried_again(
    status: int, way: Way, server: Server, naps: list[float]
) -> None:
    server.statuses = [status]
    assert way.post() == "failed"
    assert (len(server.asked), naps) == (1, [])


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_is_tried_three_times(status: int, way: Way, server: Server, naps: list[float]) -> None:
    server.statuses = [status, status]
    assert way.post() == "sent"
    server.statuses = [status] * 3
    assert way.post() == "failed"
    assert len(server.asked) == 6
    assert len(naps) == 4


def test_what_is_throttled_is_tried_for_as_long_as_there_is_time_with_growing_pauses(
    way: Way, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, naps = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(way.sockets, "_sleep", sleep)
    monkeypatch.setattr(way.sockets, "_clock", lambda: now[0])
    server.statuses = [429] * 3
    assert way.post() == "sent"
    naps.clear()
    server.statuses = [429] * 100
    assert way.post() == "failed"
    assert len(naps) >= 3
    assert all(0.5 <= pause / (0.05 * 2**place) <= 1 for place, pause in enumerate(naps, start=1))
    assert now[0] < 2 * POST_WITHIN_S


def test_a_connection_that_hangs_is_given_up_in_time(way: Way, server: Server) -> None:
    way.sockets._sleep, way.sockets._clock = time.sleep, time.monotonic
    assert way.post() == "sent"
    server.statuses = [None] * 10
    begun = time.monotonic()
    assert way.post() == "failed"
    assert time.monotonic() - begun < POST_WITHIN_S + 0.5  # of a machine that has other things to do
    assert len(server.asked) <= 3


def test_closing_never_raises_and_says_whether_it_is_gone(way: Way, server: Server) -> None:
    server.statuses = [204, 404, 410, 500, 403]
    closed = [way.sockets.close("c=1/", way.gateway) for _ in range(5)]
    assert closed == [True, True, True, False, False]
    assert {(method, path) for method, path, _, _ in server.asked} == {("DELETE", way.path)}


def test_many_threads_use_connections_that_were_made_before(way: Way, server: Server) -> None:
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda _: way.post(), range(400)))
    assert set(outcomes) == {"sent"}
    assert len(server.connections) <= 16


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_gateway_where_nobody_listens_has_no_connections(naps: list[float]) -> None:
    sockets = Sockets("", "secret", sleep=naps.append)
    gateway = f"http://127.0.0.1:{_free_port()}"
    assert sockets.post("c1", gateway, FRAME) == "gone"
    assert sockets.close("c1", gateway) is True
    assert naps == []


def test_a_failure_to_connect_that_is_our_own_says_nothing_about_the_connection(
    naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_descriptor_left(*_: Any, **__: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("urllib3.util.connection.create_connection", no_descriptor_left)
    assert Sockets("", "secret", sleep=naps.append).post("c1", "http://127.0.0.1:1", FRAME) == "failed"
    assert len(naps) == module.TRIES - 1


def test_where_there_is_no_api_its_connections_are_gone() -> None:
    sockets = Sockets("", "secret")
    assert sockets.post("c1", "", FRAME) == "gone"
    assert sockets.close("c1", "") is True


def test_another_aws_is_asked_by_its_own_address_under_the_name_of_the_api(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    api = "abcd1234.execute-api.eu-central-1.amazonaws.com"
    assert Sockets(f"https://{api}/prod").post("c1", "", FRAME) == "sent"
    [(_, path, _, headers)] = server.asked
    assert (path, headers["Host"]) == ("/prod/@connections/c1", api)


def test_importing_it_imports_no_sdk() -> None:
    import subprocess
    import sys

    code = "import sys, lambdas.messaging_platform.sockets; print({'botocore', 'urllib3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# The bound on a post, taken away


def test_without_the_bound_a_connection_that_is_throttled_for_ever_holds_its_caller_up(
    way: Way, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POST_WITHIN_S", 1e9)
    monkeypatch.setattr(way.sockets, "_clock", time.monotonic)
    server.statuses = [429] * 30
    assert way.post() == "sent"
    assert len(server.asked) == 31
