"""The gateway: WebSockets of many clients on one loop, each with its frames in their order.

    in     one frame at a time of each connection is answered, in a thread; a client that sends faster waits, by TCP
    out    replies and posts wait in the connection's outbox; of one that is full, or that takes no more for a while,
           the connection is closed: its client comes back and asks for what it lacks, and nobody else has waited
    dead   a ping every 30 s finds out
    end    /health says so, nobody new is let in, and the connections are closed over some seconds, so that all those
           clients do not come to the other gateways at once

Close codes: 1012 when the gateway ends, 1013 to who is too slow, 1008 to whose connection is not to stay, 1011
where the gateway failed (RFC 6455, and IANA's registry of WebSocket close codes).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

from aws_lambda_powertools.logging import Logger
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lambdas.messaging_platform.frames import LARGEST_FRAME
from lambdas.messaging_platform.presence.logic import Socket
from lambdas.messaging_platform.sign_in.store import Holder
from lambdas.shared.errors import DomainError, Unavailable
from services.messaging_platform.telemetry import Metrics

ORIGIN_HEADER = "X-Origin-Verify"
PING_EVERY_S, PONG_WITHIN_S = 30.0, 20.0
SEND_WITHIN_S = 10.0  # a client that takes nothing for so long is closed
CLOSE_WITHIN_S = 5.0
OUTBOX = 128  # frames
FRAMES_AHEAD = 4  # read and not begun yet, of one connection
MOST_CONNECTIONS = 10_000
THREADS = 64
RESTART, TRY_AGAIN_LATER, NOT_TO_STAY, FAILED = 1012, 1013, 1008, 1011
TOO_SLOW = "too slow"

T = TypeVar("T")


class Actions(Protocol):
    """What is done for connections; actions.Actions keeps it. All of it blocks, and is called in threads."""

    def admit(self, ticket: str) -> Holder | None: ...
    def connect(self, socket: Socket) -> None: ...
    def disconnect(self, socket: Socket) -> None: ...
    def answer(self, socket: Socket, text: str | bytes) -> str | None: ...


class Link:
    """A connection with what waits to go out to it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX)
        self.is_ending = False


class Gateway:
    """The server of one process. `url` is where other programs reach its connections, told before it is opened.

    Everything but the `Actions` is of the loop's thread.
    """

    def __init__(
        self,
        actions: Actions,
        log: Logger,
        metrics: Metrics,
        now_ms: Callable[[], int],
        *,
        origin_secret: str = "",
        threads: int = THREADS,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self.url = ""
        self._actions = actions
        self._log = log
        self._metrics = metrics
        self._now_ms = now_ms
        self._origin_secret = origin_secret.encode()
        self._most_connections = most_connections
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="action")
        self._holders: WeakKeyDictionary[ServerConnection, Holder] = WeakKeyDictionary()
        self._links: dict[str, Link] = {}
        self._at_door = 0  # whose ticket is being looked at
        self._ending: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._server: Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Let clients in, and return on which port: of 0, a free one."""
        self._server = await serve(
            self._serve,
            host or None,
            port,
            process_request=self._at_the_door,
            compression=None,  # frames are short, and its memory would be a multiple of all else of a connection
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
            close_timeout=CLOSE_WITHIN_S,
            max_size=LARGEST_FRAME,
            max_queue=FRAMES_AHEAD,
            server_header=None,
            backlog=1024,
            logger=_silent(),
        )
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def drain(self, spread_s: float) -> None:
        """Let nobody in any more, and close every connection at a moment of the next `spread_s` seconds."""
        self._is_draining = True
        self._log.info("draining", connections=len(self._links))
        # Chance only spreads the clients; nothing is kept secret by it.
        moments = [(random.uniform(0, spread_s), link) for link in self._links.values()]  # noqa: S311
        await asyncio.gather(*(self._close_in(moment, link) for moment, link in moments))

    async def close(self) -> None:
        """End all connections that are left, and stop listening."""
        self._is_draining = True
        for link in self._links.values():
            self._end(link, RESTART, "service restart")
        await asyncio.gather(*self._ending)
        if self._server is not None:
            self._server.close(code=RESTART, reason="service restart")
            await self._server.wait_closed()
        self._threads.shutdown()

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(self._links)

    # For other programs

    def post(self, connection: str, data: str) -> bool:
        """Send a frame; False where there is no such connection, or it is too slow, and is closed for it."""
        link = self._links.get(connection)
        return link is not None and self._put(link, data)

    def end(self, connection: str) -> None:
        """Close a connection, if there is such a one."""
        link = self._links.get(connection)
        if link is not None:
            self._end(link, NOT_TO_STAY, "closed")

    # A client

    async def _at_the_door(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to who is not let in, and to probes; None opens the connection."""
        try:
            place = urlsplit(request.path)
        except ValueError:  # such as an address that is no IPv6 address
            return connection.respond(HTTPStatus.NOT_FOUND, "there is nothing here\n")
        if place.path in ("/health", "/ready"):
            status = HTTPStatus.SERVICE_UNAVAILABLE if self._is_draining else HTTPStatus.OK
            return connection.respond(status, "draining\n" if self._is_draining else "serving\n")
        if place.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "there is nothing here\n")
        if not self._came_by_the_origin(request):
            return self._refused(connection, HTTPStatus.FORBIDDEN, "come by the front door")
        if self._is_draining or self._is_full():
            return self._refused(connection, HTTPStatus.SERVICE_UNAVAILABLE, "try again")
        tickets = parse_qs(place.query).get("ticket", [])
        if len(tickets) != 1:
            return self._refused(connection, HTTPStatus.UNAUTHORIZED, "a ticket is required")
        self._at_door += 1
        try:
            holder = await self._in_a_thread(lambda: self._actions.admit(tickets[0]))
        except Unavailable:
            return self._refused(connection, HTTPStatus.SERVICE_UNAVAILABLE, "try again")
        except Exception:
            self._log.exception("a ticket could not be looked at")
            return self._refused(connection, HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong")
        finally:
            self._at_door -= 1
        if holder is None:
            return self._refused(connection, HTTPStatus.FORBIDDEN, "this ticket is not good")
        self._holders[connection] = holder
        return None

    def _is_full(self) -> bool:
        """Whether it holds as many as it may, with those who are on their way in: many may come at once."""
        return len(self._links) + len(self._holders) + self._at_door >= self._most_connections

    def _came_by_the_origin(self, request: Request) -> bool:
        if not self._origin_secret:
            return True
        shown = request.headers.get_all(ORIGIN_HEADER)
        return len(shown) == 1 and hmac.compare_digest(
            shown[0].encode(errors="surrogateescape"), self._origin_secret
        )

    def _refused(self, connection: ServerConnection, status: HTTPStatus, why: str) -> Response:
        self._metrics.count("ConnectionDenied")
        self._log.info("connection denied", status=int(status), why=why)
        return connection.respond(status, f"{why}\n")

    async def _serve(self, connection: ServerConnection) -> None:
        holder = self._holders.pop(connection)
        socket = Socket(holder.user, holder.device, uuid.uuid4().hex, self.url, self._now_ms())
        who: dict[str, Any] = {"user": socket.user, "device": socket.device, "connection": socket.connection}
        link = self._links[socket.connection] = Link(connection)
        writer = asyncio.create_task(self._write(link))
        self._metrics.count("ConnectionOpened")
        self._log.info("connection opened", **who)
        try:
            await self._in_a_thread(lambda: self._actions.connect(socket))
            with suppress(ConnectionClosed):
                await self._read(link, socket)
        except DomainError as problem:
            self._log.warning("connection not to stay", reason=type(problem).__name__, **who)
            code = TRY_AGAIN_LATER if isinstance(problem, Unavailable) else NOT_TO_STAY
            await self._close(link, code, str(problem))
        except Exception:
            self._log.exception("connection failed", **who)
            await self._close(link, FAILED, "something went wrong")
        finally:
            del self._links[socket.connection]
            writer.cancel()
            await self._forget(socket)
            self._metrics.count("ConnectionClosed")
            self._log.info("connection closed", code=connection.close_code, **who)

    async def _read(self, link: Link, socket: Socket) -> None:
        """Answer frame by frame: the next one is not begun before the one before it is answered."""
        async for frame in link.connection:
            reply = await self._in_a_thread(partial(self._actions.answer, socket, frame))
            self._metrics.count("Frame")
            if reply is not None:
                self._put(link, reply)

    async def _write(self, link: Link) -> None:
        """Send what waits in the outbox, until the connection ends or takes no more."""
        try:
            while True:
                frame = await link.outbox.get()
                async with asyncio.timeout(SEND_WITHIN_S):
                    await link.connection.send(frame)
        except ConnectionClosed:
            pass
        except TimeoutError:
            self._end(link, TRY_AGAIN_LATER, TOO_SLOW)

    def _put(self, link: Link, frame: str) -> bool:
        if link.is_ending:
            return False
        try:
            link.outbox.put_nowait(frame)
        except asyncio.QueueFull:
            self._end(link, TRY_AGAIN_LATER, TOO_SLOW)
            return False
        return True

    def _end(self, link: Link, code: int, why: str) -> None:
        """Close a connection without waiting for it: who is slow at taking frames is slow at closing, too."""
        if link.is_ending:
            return
        link.is_ending = True
        if why == TOO_SLOW:
            self._metrics.count("ConnectionSlow")
        task = asyncio.create_task(self._close(link, code, why))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _close_in(self, moment_s: float, link: Link) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(moment_s):
                await link.connection.wait_closed()
                return
        self._end(link, RESTART, "service restart")
        await link.connection.wait_closed()

    async def _close(self, link: Link, code: int, why: str) -> None:
        link.is_ending = True
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await link.connection.close(code, why)
        except TimeoutError:  # it takes nothing any more, not even the word that it is closed
            link.connection.transport.abort()

    async def _forget(self, socket: Socket) -> None:
        try:
            await self._in_a_thread(lambda: self._actions.disconnect(socket))
        except Unavailable as problem:  # the next frame that is posted to it finds it gone
            self._log.warning("connection not forgotten", connection=socket.connection, reason=str(problem))
        except Exception:
            self._log.exception("connection not forgotten", connection=socket.connection)

    async def _in_a_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _silent() -> logging.Logger:
    """The library's log goes nowhere: whoever knocks at a port of the world would write into it."""
    log = logging.getLogger("services.messaging_platform.gateway.websockets")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log
