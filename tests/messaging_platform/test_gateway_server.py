"""The gateway over real sockets on loopback, with actions that do as they are told."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lambdas.messaging_platform.presence.logic import Socket
from lambdas.messaging_platform.sign_in.store import Holder
from lambdas.messaging_platform.sockets import SECRET_HEADER, Sockets
from lambdas.shared.errors import NotFound, Unavailable
from services.messaging_platform.gateway import server as module
from services.messaging_platform.gateway.http import InnerServer
from services.messaging_platform.gateway.server import Gateway
from services.messaging_platform.telemetry import Metrics
from tests.messaging_platform.quiet import Nowhere, quiet_log

pytestmark = pytest.mark.fast

WITHIN_S = 10.0
SECRET, ORIGIN = "the inner secret", "the origin's secret"


def eventually(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.005)


class Fake:
    """Actions: tickets are "<user>-<device>", good once; frames are answered with themselves, unless told."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.connected: list[Socket] = []
        self.gone: list[Socket] = []
        self.answering: Callable[[Socket, str | bytes], str | None] = lambda _, text: f"re: {text!r}"
        self.fails: Exception | None = None

    def admit(self, ticket: str) -> Holder | None:
        if self.fails:
            raise self.fails
        if "-" not in ticket or ticket in self.used:
            return None
        self.used.add(ticket)
        user, _, device = ticket.partition("-")
        return Holder(user, device)

    def connect(self, socket: Socket) -> None:
        if socket.user == "stranger":
            raise NotFound("you have no such device")
        if socket.user == "unlucky":
            raise RuntimeError("a mistake")
        self.connected.append(socket)

    def disconnect(self, socket: Socket) -> None:
        self.gone.append(socket)

    def answer(self, socket: Socket, text: str | bytes) -> str | None:
        return self.answering(socket, text)


class Running:
    """A gateway in a thread of its own; `call` runs something of it on its loop."""

    def __init__(self, **more: Any) -> None:
        self.actions, self.out = Fake(), Nowhere()
        self.metrics = Metrics("gateway", self.out)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.log = quiet_log()
        self.gateway = Gateway(self.actions, self.log, self.metrics, lambda: 1_000, **more)
        self.inner = InnerServer(self.gateway, SECRET)
        self.gateway.url = f"http://127.0.0.1:{self.call(self.inner.listen('127.0.0.1', 0))}"
        self.port = self.call(self.gateway.listen("127.0.0.1", 0))
        self.sockets = Sockets("", SECRET)

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(2 * WITHIN_S)

    def client(self, ticket: str = "ann-a1", **more: Any) -> ClientConnection:
        more = {"compression": None, "ping_interval": None, "close_timeout": 1, "legacy": True} | more
        client = connect(f"ws://127.0.0.1:{self.port}/?ticket={ticket}", **more)
        client.send("hello")  # once it is answered, the connection is noted
        assert "hello" in str(client.recv(WITHIN_S))
        return client

    def get(self, path: str) -> int:
        with urllib3.PoolManager() as http:
            return http.request("GET", f"http://127.0.0.1:{self.port}{path}", retries=False).status

    def id_of(self, user: str = "ann") -> str:
        return next(each.connection for each in reversed(self.actions.connected) if each.user == user)

    def post(self, frame: str, user: str = "ann") -> str:
        return self.sockets.post(self.id_of(user), self.gateway.url, frame.encode())

    def close(self) -> None:
        self.call(self.gateway.close())
        self.call(self.inner.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(WITHIN_S)
        self.loop.close()


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    yield made
    made.close()


def refused(running: Running, path: str, headers: dict[str, str] | None = None) -> int:
    with pytest.raises(InvalidStatus) as found:
        connect(f"ws://127.0.0.1:{running.port}{path}", additional_headers=headers or {})
    return found.value.response.status_code


# The door


def test_a_ticket_opens_a_connection_once_and_notes_it_with_where_it_is(running: Running) -> None:
    with running.client("ann-a1"):
        [noted] = running.actions.connected
        assert (noted.user, noted.device, noted.gateway) == ("ann", "a1", running.gateway.url)
        assert noted.connected_at == 1_000
        assert refused(running, "/?ticket=ann-a1") == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 401),
        ("/?ticket=", 401),
        ("/?ticket=a-1&ticket=b-2", 401),
        ("/?ticket=unknown", 403),
        ("/elsewhere?ticket=ann-a1", 404),
    ],
)
def test_without_a_good_ticket_nobody_comes_in(path: str, status: int, running: Running) -> None:
    assert refused(running, path) == status
    assert running.actions.connected == []


def test_while_tickets_cannot_be_read_clients_are_asked_to_come_again(running: Running) -> None:
    running.actions.fails = Unavailable("the table is away")
    assert refused(running, "/?ticket=ann-a1") == 503


def test_a_failure_at_the_door_is_in_the_log(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(running.log, "exception", lambda words, **_: said.append(words))
    running.actions.fails = RuntimeError("AccessDenied")
    assert refused(running, "/?ticket=ann-a1") == 500
    assert said == ["a ticket could not be looked at"]
    assert refused(running, "//[?ticket=ann-a1") == 404  # whatever is asked for is answered
    assert said == ["a ticket could not be looked at"]


def test_with_an_origin_only_what_comes_by_it_comes_in() -> None:
    running = Running(origin_secret=ORIGIN)
    try:
        for wrong in ({}, {"X-Origin-Verify": "guess"}, {"X-Origin-Verify": ""}):
            assert refused(running, "/?ticket=ann-a1", wrong) == 403
        assert running.actions.used == set()  # a ticket is not used up by who may not come in
        running.client("ann-a1", additional_headers={"X-Origin-Verify": ORIGIN}).close()
        assert running.get("/health") == 200  # probes do not come by the origin
    finally:
        running.close()


def test_more_connections_than_it_holds_are_sent_elsewhere() -> None:
    running = Running(most_connections=1)
    try:
        with running.client("ann-a1"):
            assert refused(running, "/?ticket=bob-b1") == 503
        eventually(lambda: running.gateway.connected == 0)
        running.client("bob-b1").close()
    finally:
        running.close()


def test_who_is_on_the_way_in_counts_as_in(monkeypatch: pytest.MonkeyPatch) -> None:
    running, release = Running(most_connections=2), threading.Event()
    asked: list[str] = []

    def admit(ticket: str) -> Holder:
        asked.append(ticket)
        release.wait(WITHIN_S)
        return Holder(ticket, "d")

    monkeypatch.setattr(running.actions, "admit", admit)
    try:
        with ThreadPoolExecutor(2) as clients:
            coming = [clients.submit(running.client, name) for name in ("ann", "bob")]
            eventually(lambda: len(asked) == 2)
            assert refused(running, "/?ticket=cleo") == 503
            release.set()
            for each in coming:
                each.result(WITHIN_S).close()
        assert "cleo" not in asked
        eventually(lambda: running.gateway.connected == 0)
        running.client("dan").close()  # nobody is counted for ever
    finally:
        release.set()
        running.close()


@pytest.mark.parametrize(("user", "code"), [("stranger", 1008), ("unlucky", 1011)])
def test_a_connection_that_cannot_be_noted_does_not_stay(user: str, code: int, running: Running) -> None:
    with (
        connect(f"ws://127.0.0.1:{running.port}/?ticket={user}-1") as client,
        pytest.raises(ConnectionClosed) as closed,
    ):
        client.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    eventually(lambda: len(running.actions.gone) == 1)


# Frames


def test_frames_of_a_connection_are_answered_one_at_a_time_and_in_their_order(running: Running) -> None:
    at_once, most, guard = [0], [0], threading.Lock()

    def answer(_: Socket, text: str | bytes) -> str:
        with guard:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.001)
        with guard:
            at_once[0] -= 1
        return str(text)

    with running.client() as client:
        running.actions.answering = answer
        for number in range(50):
            client.send(str(number))
        assert [client.recv(WITHIN_S) for _ in range(50)] == [str(number) for number in range(50)]
    assert most == [1]


def test_a_connection_whose_frame_takes_long_holds_up_no_other(running: Running) -> None:
    release = threading.Event()

    def answer(socket: Socket, text: str | bytes) -> str:
        if socket.user == "ann":
            release.wait(WITHIN_S)
        return str(text)

    with running.client("ann-a1") as slow, running.client("bob-b1") as other:
        running.actions.answering = answer
        slow.send("slow")
        other.send("quick")
        assert other.recv(WITHIN_S) == "quick"
        release.set()
        assert slow.recv(WITHIN_S) == "slow"


def test_a_frame_without_an_answer_is_answered_with_none(running: Running) -> None:
    with running.client() as client:
        running.actions.answering = lambda _, text: None if text == "typing" else str(text)
        client.send("typing")
        client.send("next")
        assert client.recv(WITHIN_S) == "next"


def test_a_frame_of_more_than_32_kb_closes_its_connection(running: Running) -> None:
    with running.client() as client:
        client.send("x" * 32 * 1024)
        assert str(client.recv(WITHIN_S)).endswith("x'")
        client.send("x" * (32 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(WITHIN_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


# The end of a connection


def test_a_connection_that_ends_is_forgotten(running: Running) -> None:
    running.client("ann-a1").close()
    eventually(lambda: [each.connection for each in running.actions.gone] == [running.id_of()])
    assert running.gateway.connected == 0


def test_a_connection_that_is_cut_is_forgotten(running: Running) -> None:
    client = running.client("ann-a1")
    client.socket.shutdown(sockets.SHUT_RDWR)
    eventually(lambda: len(running.actions.gone) == 1)
    client.close()


def find_a_dead_peer(monkeypatch: pytest.MonkeyPatch, ping_every_s: float | None, within_s: float) -> None:
    """A peer that opens a connection and never says a word is found, or it is an `AssertionError`."""
    monkeypatch.setattr(module, "PING_EVERY_S", ping_every_s)
    monkeypatch.setattr(module, "PONG_WITHIN_S", 0.05)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.05)
    running = Running()
    peer = sockets.create_connection(("127.0.0.1", running.port))
    try:
        request = [
            "GET /?ticket=ann-a1 HTTP/1.1",
            "Host: here",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]
        peer.sendall(("\r\n".join(request) + "\r\n\r\n").encode())
        eventually(lambda: len(running.actions.connected) == 1)
        eventually(lambda: len(running.actions.gone) == 1, within_s)
    finally:
        peer.close()
        running.close()


def test_a_peer_that_does_not_answer_pings_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    find_a_dead_peer(monkeypatch, 0.05, WITHIN_S)


def test_a_forgetting_that_fails_ends_nothing_else(running: Running) -> None:
    def fail(socket: Socket) -> None:
        raise RuntimeError("refused")

    running.actions.disconnect = fail  # type: ignore[method-assign]
    running.client("ann-a1").close()
    eventually(lambda: running.gateway.connected == 0)
    running.client("bob-b1").close()


# The inner side


def test_a_frame_that_is_posted_reaches_the_connection(running: Running) -> None:
    with running.client("ann-a1") as ann, running.client("bob-b1") as bob:
        assert running.post('{"text":"Grüße"}') == "sent"
        assert ann.recv(WITHIN_S) == '{"text":"Grüße"}'
        assert running.post("for bob", "bob") == "sent"
        assert bob.recv(WITHIN_S) == "for bob"


def test_a_post_to_a_connection_that_is_no_more_is_gone(running: Running) -> None:
    running.client("ann-a1").close()
    eventually(lambda: len(running.actions.gone) == 1)
    assert running.post("anything") == "gone"


def test_a_connection_that_is_closed_from_within_is_told_so_and_forgotten(running: Running) -> None:
    with running.client("ann-a1") as client:
        assert running.sockets.close(running.id_of(), running.gateway.url) is True
        with pytest.raises(ConnectionClosed):
            client.recv(WITHIN_S)
    eventually(lambda: len(running.actions.gone) == 1)
    assert running.sockets.close(running.id_of(), running.gateway.url) is True


@pytest.mark.parametrize("secret", ["", "the inner secreT", "the inner secret ", SECRET[:-1]])
def test_without_the_secret_nothing_is_posted_and_nothing_closed(secret: str, running: Running) -> None:
    stranger = Sockets("", secret)
    with running.client("ann-a1") as client:
        # A header's value has no blanks at its ends: of the third secret the server sees what the right one is.
        expected = "sent" if secret.strip() == SECRET else "failed"
        assert stranger.post(running.id_of(), running.gateway.url, b"spoof") == expected
        assert stranger.close(running.id_of(), running.gateway.url) == (expected == "sent")
        if expected == "failed":
            client.send("still here")
            assert "still here" in str(client.recv(WITHIN_S))


def test_there_is_no_gateway_without_a_secret() -> None:
    running = Running()
    try:
        with pytest.raises(ValueError, match="needs a secret"):
            InnerServer(running.gateway, "")
    finally:
        running.close()


def test_the_port_of_clients_knows_nothing_of_posts(running: Running) -> None:
    with running.client("ann-a1"), urllib3.PoolManager() as http:
        answer = http.request(
            "GET",
            f"http://127.0.0.1:{running.port}/connections/{running.id_of()}",
            headers={SECRET_HEADER: SECRET},
            retries=False,
        )
        assert answer.status == 404


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"POST /connections/x HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /connections/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /connections/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /connections/x HTTP/1.1\r\nContent-Length: 131073\r\n\r\n", 413),
        (b"POST /connections/x HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"POST /connections/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 403),
        (b"PUT /connections/x HTTP/1.1\r\nX-Gateway-Secret: the inner secret\r\n\r\n", 405),
        (b"POST /other/x HTTP/1.1\r\nX-Gateway-Secret: the inner secret\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_of_ours_is_refused_and_the_connection_ended(
    sent: bytes, status: int, running: Running
) -> None:
    port = int(running.gateway.url.rpartition(":")[2])
    with sockets.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as caller:
        caller.sendall(sent)
        answer = b""
        while chunk := caller.recv(4096):
            answer += chunk
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


# Backpressure


def test_a_client_that_takes_nothing_is_closed_and_the_others_have_not_waited(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.2)
    slow = running.client("ann-a1", max_queue=1)
    with running.client("bob-b1") as bob:
        outcomes: list[str] = []
        begun = time.monotonic()
        for number in range(3_000):
            outcomes.append(running.post("x" * 20_000))
            if outcomes[-1] == "gone":
                break
            if number % 50 == 0:
                assert running.post(str(number), "bob") == "sent"
                assert bob.recv(WITHIN_S) == str(number)
        assert outcomes[-1] == "gone"
        assert outcomes.count("sent") >= module.OUTBOX
        assert time.monotonic() - begun < WITHIN_S
        eventually(lambda: running.gateway.connected == 1)
        running.metrics.flush()
        assert json.loads(running.out.getvalue().splitlines()[-1])["ConnectionSlow"] == 1
    slow.close()


def test_a_client_that_takes_nothing_for_a_while_is_closed_before_its_outbox_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SEND_WITHIN_S", 0.1)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.1)
    monkeypatch.setattr(module, "OUTBOX", 100_000)
    running = Running()
    try:
        slow = running.client("ann-a1", max_queue=1)
        for _ in range(600):
            if running.post("x" * 20_000) == "gone":
                break
        eventually(lambda: running.gateway.connected == 0)
        slow.close()
    finally:
        running.close()


# The end of the gateway


def test_a_gateway_that_drains_fails_its_probes_lets_nobody_in_and_closes_over_some_time(
    running: Running,
) -> None:
    assert (running.get("/health"), running.get("/ready")) == (200, 200)
    clients = [running.client(f"u{number}-d") for number in range(30)]
    ended: list[tuple[float, int]] = []

    def until_closed(client: ClientConnection) -> None:
        try:
            client.recv(WITHIN_S)
        except ConnectionClosed as closed:
            ended.append((time.monotonic(), closed.rcvd.code if closed.rcvd else 0))

    waiting = [threading.Thread(target=until_closed, args=(client,)) for client in clients]
    for each in waiting:
        each.start()
    draining = asyncio.run_coroutine_threadsafe(running.gateway.drain(1.0), running.loop)
    eventually(lambda: running.get("/health") == 503)
    assert running.get("/ready") == 503
    assert refused(running, "/?ticket=late-1") == 503
    draining.result(WITHIN_S)
    for each in waiting:
        each.join(WITHIN_S)
    moments = sorted(moment for moment, _ in ended)
    assert [code for _, code in ended] == [1012] * 30
    assert moments[-1] - moments[0] > 0.3  # not all at once
    eventually(lambda: len(running.actions.gone) == 30)


def test_until_it_is_closed_a_connection_of_a_draining_gateway_still_gets_its_frames(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging_platform.gateway.server.random.uniform", lambda _, last: last)
    with running.client("ann-a1") as client:
        draining = asyncio.run_coroutine_threadsafe(running.gateway.drain(1.0), running.loop)
        eventually(lambda: running.get("/health") == 503)
        assert running.post("one more") == "sent"
        assert client.recv(WITHIN_S) == "one more"
        draining.result(WITHIN_S)


# Guards, each taken away


def test_without_the_comparison_of_secrets_anybody_posts(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging_platform.gateway.http.hmac.compare_digest", lambda *_: True)
    with running.client("ann-a1"):
        assert Sockets("", "guess").post(running.id_of(), running.gateway.url, b"spoof") == "sent"


def test_without_pings_a_dead_peer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="in time"):
        find_a_dead_peer(monkeypatch, None, 0.5)
