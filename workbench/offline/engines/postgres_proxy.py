"""RDS Proxy: it logs clients in by itself, and lends them connections of its own for one transaction at a time.

Sources: the RDS User Guide, "Managing connections with Amazon RDS Proxy" and "Avoiding pinning an RDS Proxy".
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.offline.engines.listeners import WITHIN, on_loop
from workbench.offline.engines.postgres_front import READ_ONLY, Authorize, FrontEnd
from workbench.offline.engines.postgres_wire import (
    Greeting,
    Refused,
    Scram,
    Server,
    Wire,
    cancel,
    connect,
    greet,
    startup,
)

_ENDS_A_SERIES = b"QSF"  # Query, Sync, FunctionCall: each is answered by one ReadyForQuery
_IN_A_SERIES = b"PBDECH"  # Parse, Bind, Describe, Execute, Close, Flush: a Sync will follow
_LARGEST_UNPINNED = 16_384  # bytes of a statement, above which RDS Proxy pins
_PINNING = re.compile(
    rb"^\s*(SET(?!\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b)|RESET|PREPARE|EXECUTE|DEALLOCATE|DISCARD|DECLARE|LISTEN|UNLISTEN"
    rb"|LOAD|LOCK|CREATE\s+((GLOBAL|LOCAL)\s+)?TEMP)|\b(nextval|setval|currval|lastval|pg_(try_)?advisory_lock)",
    re.IGNORECASE,
)


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
                backend = _Backend(await connect(server), key)
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
    wire.send(b"", startup({"user": user, "database": database, **options}))
    scram = Scram(password)
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
        on_loop(self.pool.drain)

    async def serve(self, client: Wire) -> None:
        asked = await asyncio.wait_for(greet(client, self.address), WITHIN)
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
            await cancel(server, session.backend.cancel_key)


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
