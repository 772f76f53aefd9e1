"""The addresses of a PostgreSQL server as RDS gives them: TLS, IAM logins, readers, and RDS Proxy.

The PostgreSQL of the wheel is built without TLS, and knows nothing of IAM. It listens on a socket file alone, and
these front ends stand before it: an `Endpoint` for each address of an instance or a cluster, which ends TLS, checks
IAM tokens and passes everything else through; and a `Proxy`, which logs clients in by itself and lends them
connections of its own for one transaction at a time.

Endpoints that have no port of their own in a template (a cluster's reader, a proxy) cannot be told apart by one here
either. They have a further address of the loopback network, and answer there on the port that the database has and
on the one that the template declares.

Sources: PostgreSQL's manual, "Message Formats" and "SASL Authentication"; the RDS User Guide, "Managing connections
with Amazon RDS Proxy", "Avoiding pinning an RDS Proxy" and "IAM database authentication for MariaDB, MySQL, and
PostgreSQL".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import re
import secrets
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar

from workbench.offline.surroundings import LOOPBACK, surroundings

HOST = "localhost"  # what the first endpoint of a database is called
READ_ONLY = "-c default_transaction_read_only=on"  # a reader's sessions: they share the writer's storage
WITHIN = 10.0  # seconds: what a front end waits for a login, a certificate or a port
_PROTOCOL = 3 << 16
_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104  # what a first packet may ask for instead of a session
_LARGEST_GREETING = 10_000  # bytes, as in PostgreSQL
_CHUNK = 1 << 16
_ENDS_A_SERIES = b"QSF"  # Query, Sync, FunctionCall: each is answered by one ReadyForQuery
_IN_A_SERIES = b"PBDECH"  # Parse, Bind, Describe, Execute, Close, Flush: a Sync will follow
_LARGEST_UNPINNED = 16_384  # bytes of a statement, above which RDS Proxy pins
_PINNING = re.compile(
    rb"^\s*(SET(?!\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b)|RESET|PREPARE|EXECUTE|DEALLOCATE|DISCARD|DECLARE|LISTEN|UNLISTEN"
    rb"|LOAD|LOCK|CREATE\s+((GLOBAL|LOCAL)\s+)?TEMP)|\b(nextval|setval|currval|lastval|pg_(try_)?advisory_lock)",
    re.IGNORECASE,
)

_T = TypeVar("_T")
Authorize = Callable[[str, str, str, int], str | None]  # (token, user, address, port) → why it is refused


class Refused(Exception):
    """A client is turned away: an SQLSTATE and what it is told."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Server(Protocol):
    """What the front ends need of the server behind them."""

    port: int
    max_connections: int

    @property
    def socket(self) -> str:
        """The socket file, at a path short enough to connect to."""

    def takes_tokens_from(self, user: str) -> bool:
        """Whether this user logs in by IAM token."""


# The loop and the certificates.


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The front ends' event loop, in a thread of its own: traffic must not slow the AWS API."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="postgres-endpoints").start()
    return loop


def _wait_for(work: Coroutine[Any, Any, _T]) -> _T:
    # In a context of its own: what is started here outlives the request that it was started for.
    return Context().run(asyncio.run_coroutine_threadsafe, work, _loop()).result(WITHIN)


_further: set[str] = set()


def further_address() -> str:
    """An address of the loopback network that no other endpoint has, here or in another offline AWS.

    Linux answers on all of 127.0.0.0/8, where chance tells two apart; elsewhere it has to be an alias that was made.
    Raises `RuntimeError` where there is none left.
    """
    by_chance = [f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"]
    for address in by_chance + [f"127.0.0.{number}" for number in range(2, 255)]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            if address not in _further:
                probe.bind((address, 0))
                _further.add(address)
                return address
    raise RuntimeError(
        "an RDS proxy or reader needs an address of its own on loopback: "
        "add one with `sudo ifconfig lo0 alias 127.0.0.2 up`, and one more for each further endpoint"
    )


@cache
def _own_authority() -> Any:
    """An authority for the further addresses, added to the bundle: the offline AWS's certificate has none of them."""
    import trustme

    authority = trustme.CA()
    with open(surroundings().ca_bundle, "ab") as bundle:
        bundle.write(authority.cert_pem.bytes())
    return authority


@cache
def _tls(address: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if address == LOOPBACK:
        context.load_cert_chain(surroundings().certificate)
    else:
        _own_authority().issue_cert(address).configure_cert(context)
    return context


# The protocol.


class Wire:
    """One side of a connection, message by message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def port(self) -> int:
        """The port that the client came to."""
        return int(self.writer.get_extra_info("sockname")[1])

    async def greeting(self) -> tuple[int, bytes]:
        """The code and the body of a first packet, which has no type."""
        length = int.from_bytes(await self.reader.readexactly(4))
        if not 8 <= length <= _LARGEST_GREETING:
            raise ConnectionError("not PostgreSQL")
        body = await self.reader.readexactly(length - 4)
        return int.from_bytes(body[:4]), body[4:]

    async def message(self, within: float | None = None) -> tuple[bytes, bytes]:
        """The type and the body of the next message. Raises `TimeoutError` when none begins in `within` seconds."""
        head = await asyncio.wait_for(self.reader.readexactly(5), within)
        return head[:1], await self.reader.readexactly(int.from_bytes(head[1:]) - 4)

    def send(self, kind: bytes, body: bytes) -> None:
        """Send a message; `kind` is empty for a first packet."""
        self.writer.write(kind + (len(body) + 4).to_bytes(4) + body)

    def send_error(self, code: str, text: str, severity: str = "FATAL") -> None:
        """Tell a client that it is turned away, or (ERROR) that its statement is."""
        fields = {"S": severity, "V": severity, "C": code, "M": text}
        self.send(b"E", b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0")

    async def ask_password(self) -> str:
        """The password or token that the client gives in the clear, as RDS asks it over TLS."""
        self.send(b"R", (3).to_bytes(4))
        await self.writer.drain()
        kind, body = await self.message()
        if kind != b"p":
            raise Refused("08P01", "expected a password")
        return body.rstrip(b"\0").decode(errors="replace")

    def close(self) -> None:
        """End the connection once everything is sent."""
        self.writer.close()


@dataclass(frozen=True)
class Greeting:
    """What a client asks for: a session with these parameters, or the end of a query (`cancel`: its key)."""

    parameters: dict[str, str]
    tls: bool
    cancel: bytes = b""

    @property
    def user(self) -> str:
        return self.parameters.get("user", "")

    @property
    def database(self) -> str:
        return self.parameters.get("database") or self.user


async def _greet(client: Wire, address: str) -> Greeting:
    """Hear a client out, with TLS when it asks for that."""
    encrypted = False
    while True:
        code, body = await client.greeting()
        if code == _TLS:
            client.writer.write(b"S")
            await client.writer.drain()
            await client.writer.start_tls(_tls(address))
            encrypted = True
        elif code == _GSS:
            client.writer.write(b"N")
        elif code == _CANCEL:
            return Greeting({}, encrypted, cancel=body)
        elif code >> 16 == 3:
            texts = body.decode(errors="replace").split("\0")
            return Greeting(dict(zip(texts[::2], texts[1::2], strict=False)), encrypted)
        else:
            raise Refused("0A000", f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}")


def _startup(parameters: dict[str, str]) -> bytes:
    pairs = "".join(f"{key}\0{value}\0" for key, value in parameters.items() if key)
    return _PROTOCOL.to_bytes(4) + pairs.encode() + b"\0"


async def _connect(server: Server) -> Wire:
    return Wire(*await asyncio.open_unix_connection(server.socket))


async def _cancel(server: Server, key: bytes) -> None:
    with contextlib.suppress(OSError):
        backend = await _connect(server)
        backend.send(b"", _CANCEL.to_bytes(4) + key)
        await backend.writer.drain()
        await backend.reader.read()
        backend.close()


class _Scram:
    """The client's side of SCRAM-SHA-256 without channel binding."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._nonce = base64.b64encode(secrets.token_bytes(18)).decode()

    def first(self) -> bytes:
        text = f"n,,n=,r={self._nonce}".encode()
        return b"SCRAM-SHA-256\0" + len(text).to_bytes(4) + text

    def final(self, challenge: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c=biws,r={fields['r']}"
        signed = f"n=,r={self._nonce},{challenge.decode()},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()


# Front ends.


class FrontEnd(ABC):
    """An address on loopback with its ports; `serve` is what happens to a client there.

    `open` and `close` are called from any thread, again and again. Closing breaks every connection.
    """

    def __init__(self, address: str, *ports: int) -> None:
        self.address = address
        self.port = ports[0]
        self._ports = tuple(dict.fromkeys(ports))
        self._listening: list[asyncio.Server] = []
        self._clients: set[asyncio.Task[Any]] = set()

    @property
    def host(self) -> str:
        """What clients are told to connect to."""
        return HOST if self.address == LOOPBACK else self.address

    def open(self) -> None:
        """Listen; nothing happens when it does. Raises `RuntimeError` when the address cannot be had."""
        if not self._listening:
            _tls(self.address)  # now: clients read the bundle of authorities when they connect
            self._listening = [_wait_for(self._listen(port)) for port in self._ports]

    def close(self) -> None:
        """Refuse new connections and break those there are."""
        if self._listening:
            _wait_for(self._stop(self._listening))
            self._listening = []

    async def _listen(self, port: int) -> asyncio.Server:
        until = time.monotonic() + WITHIN / 2
        while True:
            try:
                return await asyncio.start_server(self._accept, self.address, port, backlog=1024)
            except OSError as problem:
                # After a crash, somebody's outgoing connection may hold the port for a moment.
                if time.monotonic() > until:
                    raise RuntimeError(
                        f"PostgreSQL cannot listen on {self.address}:{port}: {problem.strerror}"
                    ) from None
            await asyncio.sleep(0.05)

    async def _stop(self, listening: list[asyncio.Server]) -> None:
        for server in listening:
            server.close()
        for each in list(self._clients):
            each.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        client = Wire(reader, writer)
        try:
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):  # it is gone
                try:
                    await self.serve(client)
                except Refused as refusal:
                    client.send_error(refusal.code, str(refusal))
                    await client.writer.drain()
        finally:
            self._clients.discard(task)
            client.close()

    @abstractmethod
    async def serve(self, client: Wire) -> None:
        """Carry one client's connection from its first packet to its end."""


class Endpoint(FrontEnd):
    """An address of an instance or a cluster: the server itself, but for TLS and IAM.

    `read_only` says at each login whether this is the address of a reader: its transactions are read-only then.
    """

    def __init__(
        self,
        server: Server,
        address: str,
        *ports: int,
        authorize: Authorize,
        require_tls: Callable[[], bool],
        read_only: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(address, *ports)
        self._server = server
        self._authorize = authorize
        self._require_tls = require_tls
        self._read_only = read_only

    async def serve(self, client: Wire) -> None:
        asked = await asyncio.wait_for(_greet(client, self.address), WITHIN)
        if asked.cancel:
            await _cancel(self._server, asked.cancel)
            return
        who = f'user "{asked.user}", database "{asked.database}"'
        if self._require_tls() and not asked.tls:
            raise Refused("28000", f'no pg_hba.conf entry for host "{LOOPBACK}", {who}, no encryption')
        if await asyncio.to_thread(self._server.takes_tokens_from, asked.user):
            token = await asyncio.wait_for(client.ask_password(), WITHIN)
            if not asked.tls or self._authorize(token, asked.user, self.host, client.port):
                raise Refused("28000", f'PAM authentication failed for user "{asked.user}"')
        parameters = dict(asked.parameters)
        if self._read_only():
            parameters["options"] = f"{parameters.get('options', '')} {READ_ONLY}"
        backend = await _connect(self._server)
        backend.send(b"", _startup(parameters))
        await _splice(client, backend)


async def _splice(client: Wire, backend: Wire) -> None:
    """Pass bytes both ways until either side ends."""
    ways = [asyncio.create_task(_pump(client, backend)), asyncio.create_task(_pump(backend, client))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ways:
            each.cancel()
        backend.close()


async def _pump(source: Wire, sink: Wire) -> None:
    with contextlib.suppress(OSError):
        while data := await source.reader.read(_CHUNK):
            sink.writer.write(data)
            await sink.writer.drain()


# RDS Proxy.


@dataclass(frozen=True)
class Login:
    """How a user comes in through a proxy: with the password of its secret, or with an IAM token."""

    password: str
    by_token: bool


@dataclass(frozen=True)
class PoolLimits:
    """A target group's configuration: connections to the database, and seconds that a client waits for one."""

    most: int
    most_idle: int
    borrow_seconds: float


@dataclass
class _Backend:
    """A connection of the pool, logged in as `key` (user, database)."""

    wire: Wire
    key: tuple[str, str]
    statuses: list[bytes] = field(default_factory=list)
    cancel_key: bytes = b""
    stir: asyncio.Task[None] | None = None  # done when an idle connection says something: that it ends

    def rest(self) -> None:
        """Lie idle in the pool."""
        self.stir = asyncio.create_task(self._until_it_stirs())

    async def wake(self) -> None:
        """Be used again."""
        if self.stir is not None:
            self.stir.cancel()
            await asyncio.wait([self.stir])

    @property
    def ended(self) -> bool:
        return self.stir is not None and self.stir.done()

    async def _until_it_stirs(self) -> None:
        with contextlib.suppress(OSError):
            await self.wire.reader.read(1)


class Pool:
    """The connections of a proxy to its database. All methods run in the front ends' loop."""

    def __init__(
        self, server: Callable[[], Server | None], limits: Callable[[], PoolLimits], *, read_only: bool
    ) -> None:
        self._server = server
        self._limits = limits
        self._options = {"options": READ_ONLY} if read_only else {}
        self._idle: deque[_Backend] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open = 0

    async def borrow(self, key: tuple[str, str], password: str) -> _Backend:
        """A connection for `key`, at the latest after the borrow timeout. Raises `Refused` then."""
        try:
            return await asyncio.wait_for(self._borrow(key, password), self._limits().borrow_seconds or 0.001)
        except TimeoutError:
            raise Refused("53300", "Timed-out waiting to acquire database connection") from None

    def give_back(self, backend: _Backend, *, reusable: bool) -> None:
        """Take a connection back: to keep it for the next client, or to end it."""
        if reusable and len(self._idle) < self._limits().most_idle:
            backend.rest()
            self._idle.append(backend)
        else:
            self._drop(backend)
        self._wake()

    def drain(self) -> None:
        """End every idle connection."""
        while self._idle:
            self._drop(self._idle.pop())

    async def _borrow(self, key: tuple[str, str], password: str) -> _Backend:
        while True:
            for backend in [each for each in self._idle if each.ended]:
                self._idle.remove(backend)
                self._drop(backend)
            if found := next((each for each in self._idle if each.key == key), None):
                self._idle.remove(found)
                await found.wake()
                return found
            if self._open >= self._limits().most and self._idle:
                self._drop(self._idle.popleft())  # another user's
            if self._open < self._limits().most:
                if opened := await self._connect(key, password):
                    return opened
                await asyncio.sleep(0.05)  # the database is away: RDS Proxy keeps its clients waiting
            else:
                await self._turn()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.cancelled() or not turn.done():
                self._wake()  # it was given a turn that it can no longer take

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _connect(self, key: tuple[str, str], password: str) -> _Backend | None:
        """A new connection, or None while the database does not answer. Raises `Refused` when it says no."""
        server = self._server()
        if server is None:
            return None
        self._open += 1
        backend: _Backend | None = None
        try:
            with contextlib.suppress(OSError, EOFError):
                backend = _Backend(await _connect(server), key)
                await _log_in(backend, password, self._options)
                return backend
        except BaseException:
            self._leave(backend)
            raise
        self._leave(backend)
        return None

    def _leave(self, backend: _Backend | None) -> None:
        """Account for a connection that did not come about."""
        self._open -= 1
        if backend is not None:
            backend.wire.close()
        self._wake()

    def _drop(self, backend: _Backend) -> None:
        self._open -= 1
        if backend.stir is not None:
            backend.stir.cancel()
        backend.wire.send(b"X", b"")
        backend.wire.close()


async def _log_in(backend: _Backend, password: str, options: dict[str, str]) -> None:
    """Log in to the server with a password. Raises `Refused`, or `EOFError` while it starts or stops."""
    wire, (user, database) = backend.wire, backend.key
    wire.send(b"", _startup({"user": user, "database": database, **options}))
    scram = _Scram(password)
    while True:
        kind, body = await wire.message()
        if kind == b"R":
            asked = int.from_bytes(body[:4])
            if asked == 10:
                wire.send(b"p", scram.first())
            elif asked == 11:
                wire.send(b"p", scram.final(body[4:]))
        elif kind == b"S":
            backend.statuses.append(body)
        elif kind == b"K":
            backend.cancel_key = body
        elif kind == b"Z":
            return
        elif kind == b"E":
            fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
            code = fields.get(b"C", "08006")
            if code == "57P03":  # it starts or stops
                raise EOFError
            raise Refused(code, fields.get(b"M", "the database refused the proxy's login"))


class Proxy(FrontEnd):
    """An endpoint of an RDS Proxy.

    `server` is its target or None, `login` says how a user comes in (raising `Refused` where the proxy has no
    credentials for it), `limits` what its target group allows.
    """

    def __init__(
        self,
        address: str,
        *ports: int,
        server: Callable[[], Server | None],
        login: Callable[[str], Login],
        authorize: Authorize,
        limits: Callable[[], PoolLimits],
        require_tls: Callable[[], bool],
        idle_seconds: Callable[[], float],
        read_only: bool = False,
    ) -> None:
        super().__init__(address, *ports)
        self.pool = Pool(server, limits, read_only=read_only)
        self._server = server
        self._login = login
        self._authorize = authorize
        self._require_tls = require_tls
        self._idle_seconds = idle_seconds
        self._sessions: dict[bytes, _Session] = {}

    def close(self) -> None:
        super().close()
        _loop().call_soon_threadsafe(self.pool.drain)

    async def serve(self, client: Wire) -> None:
        asked = await asyncio.wait_for(_greet(client, self.address), WITHIN)
        if asked.cancel:
            await self._cancel(asked.cancel)
            return
        if self._require_tls() and not asked.tls:
            raise Refused("28000", "This RDS Proxy requires TLS connections")
        if asked.parameters.get("options"):
            raise Refused(
                "0A000", "Feature not supported: RDS Proxy currently doesn't support command-line options."
            )
        login = await asyncio.to_thread(self._login, asked.user)
        given = await asyncio.wait_for(client.ask_password(), WITHIN)
        self._check(login, given, asked, client.port)
        session = _Session(client, self.pool, (asked.user, asked.database), login.password)
        key = secrets.token_bytes(8)
        self._sessions[key] = session
        try:
            await session.run(key, self._idle_seconds())
        finally:
            del self._sessions[key]
            session.end()

    def _check(self, login: Login, given: str, asked: Greeting, port: int) -> None:
        if login.by_token:
            reason = "TLS is required" if not asked.tls else None
            if reason or self._authorize(given, asked.user, self.host, port):
                raise Refused(
                    "28000",
                    f"The IAM authentication failed for the role {asked.user}. "
                    "Check the IAM token for this role and try again.",
                )
        elif not hmac.compare_digest(given.encode(), login.password.encode()):
            raise Refused("28P01", f"The password that was provided for the role {asked.user} is wrong.")

    async def _cancel(self, key: bytes) -> None:
        session, server = self._sessions.get(key), self._server()
        if session is not None and session.backend is not None and server is not None:
            await _cancel(server, session.backend.cancel_key)


class _Session:
    """A client of a proxy, which has a connection while a transaction lasts, and to the end once it is pinned."""

    def __init__(self, client: Wire, pool: Pool, key: tuple[str, str], password: str) -> None:
        self.backend: _Backend | None = None
        self._client = client
        self._pool = pool
        self._key = key
        self._password = password
        self._answers: asyncio.Task[None] | None = None
        self._series = 0  # asked for and not yet answered
        self._open_series = False  # messages were sent that no Sync has followed yet
        self._pinned = False

    async def run(self, cancel_key: bytes, idle_seconds: float) -> None:
        """Serve the client until it leaves, is idle for too long, or its connection breaks in a transaction."""
        backend = await self._borrow()
        self._client.send(b"R", (0).to_bytes(4))
        for status in backend.statuses:
            self._client.send(b"S", status)
        self._return(reusable=True)
        self._client.send(b"K", cancel_key)
        self._client.send(b"Z", b"I")
        while True:
            try:
                kind, body = await self._client.message(idle_seconds)
            except TimeoutError:
                if self.backend is None:
                    return
                continue
            if kind == b"X":
                return
            try:
                backend = self.backend or await self._borrow()
            except Refused as refusal:
                await self._refuse(kind, refusal)
                continue
            if self._answers is None:
                self._answers = asyncio.create_task(self._answer(backend))
            self._pinned = self._pinned or _pins(kind, body)
            self._series += kind in _ENDS_A_SERIES
            self._open_series = kind in _IN_A_SERIES or (self._open_series and kind not in _ENDS_A_SERIES)
            backend.wire.send(kind, body)
            await backend.wire.writer.drain()

    async def _refuse(self, kind: bytes, refusal: Refused) -> None:
        """Answer a statement that gets no connection with an error, once all of it is here."""
        while kind not in _ENDS_A_SERIES:
            kind, _ = await self._client.message()
        self._client.send_error(refusal.code, str(refusal), "ERROR")
        self._client.send(b"Z", b"I")
        await self._client.writer.drain()

    def end(self) -> None:
        """Give up what the session still has: a transaction that it left open is rolled back."""
        if self.backend is not None:
            self._return(reusable=False)

    async def _borrow(self) -> _Backend:
        self.backend = await self._pool.borrow(self._key, self._password)
        return self.backend

    def _return(self, *, reusable: bool) -> None:
        assert self.backend is not None
        backend, self.backend = self.backend, None
        if self._answers is not None and self._answers is not asyncio.current_task():
            self._answers.cancel()
        self._answers = None
        self._pool.give_back(backend, reusable=reusable)

    async def _answer(self, backend: _Backend) -> None:
        """Pass on what the server says, and return its connection between two transactions."""
        try:
            while True:
                kind, body = await backend.wire.message()
                self._client.send(kind, body)
                if kind == b"Z":
                    self._series -= 1
                    if body == b"I" and self._series == 0 and not (self._open_series or self._pinned):
                        self._return(reusable=True)
                        return
                await self._client.writer.drain()
        except (OSError, EOFError):
            # The database went away under a transaction: RDS Proxy drops the client.
            self._client.send_error(
                "57P01", "terminating connection because the database connection was lost"
            )
            self._client.close()


def _pins(kind: bytes, body: bytes) -> bool:
    """Whether a message changes the session so that no other client may have its connection."""
    if kind == b"Q":
        return len(body) > _LARGEST_UNPINNED or _PINNING.search(body) is not None
    if kind == b"P":
        name, _, rest = body.partition(b"\0")
        return bool(name) or len(body) > _LARGEST_UNPINNED or _PINNING.search(rest) is not None
    return False
