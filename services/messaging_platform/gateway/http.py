"""The gateway's inner side: an HTTP server for those who post frames to its connections, and close them.

It listens on a port of its own, which no load balancer leads to, and answers nobody without the secret. So what comes
from the world meets WebSockets alone, and a mistake in a rule of the one port opens nothing of the other.

    POST   /connections/{id}    204 taken; 410 there is none, or it is too slow and was closed
    DELETE /connections/{id}    204, also where there is none

HTTP/1.1 with connections that are kept, and bodies of a known length: what sockets.Sockets speaks, and no more.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from lambdas.messaging_platform.sockets import SECRET_HEADER

LARGEST_BODY = 128 * 1024  # "Message payload size", quotas of API Gateway: no less is taken here
LONGEST_HEAD = 16 * 1024
IDLE_S = 75.0  # longer than callers keep a connection that they do not use
BODY_WITHIN_S = 5.0
_PREFIX = "/connections/"


class Connections(Protocol):
    """Whom frames are for."""

    def post(self, connection: str, data: str) -> bool: ...
    def end(self, connection: str) -> None: ...


class Unanswerable(Exception):
    """A request that cannot be read, with the status that says so; nothing more is read of its connection."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request, as far as it is looked at. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class InnerServer:
    """The server; `secret` is what callers show. An empty one is no secret, and is refused."""

    def __init__(self, connections: Connections, secret: str) -> None:
        if not secret:
            raise ValueError("a gateway needs a secret")
        self._connections = connections
        self._secret = secret.encode()
        self._callers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen, and return on which port: of 0, a free one."""
        self._server = await asyncio.start_server(
            _kept(self._callers, self._converse), host, port, limit=LONGEST_HEAD, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
        for caller in list(self._callers):
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                try:
                    status = self._answer(await _read(reader))
                except Unanswerable as problem:
                    status = problem.status
                is_last = status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.GONE
                writer.write(_response(status, is_last=is_last))
                await writer.drain()
                if is_last:
                    return

    def _answer(self, request: Request) -> HTTPStatus:
        shown = request.headers.get(SECRET_HEADER.lower(), "").encode()
        if not hmac.compare_digest(shown, self._secret):
            return HTTPStatus.FORBIDDEN
        connection = unquote(request.path.removeprefix(_PREFIX))
        if not request.path.startswith(_PREFIX) or not connection:
            return HTTPStatus.BAD_REQUEST  # not 404, which would say that a connection is gone
        if request.method == "DELETE":
            self._connections.end(connection)
            return HTTPStatus.NO_CONTENT
        if request.method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        try:
            frame = request.body.decode()
        except UnicodeDecodeError:
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.NO_CONTENT if self._connections.post(connection, frame) else HTTPStatus.GONE


async def _read(reader: asyncio.StreamReader) -> Request:
    """The next request. Raises `Unanswerable`; `IncompleteReadError` where the caller has gone."""
    try:
        async with asyncio.timeout(IDLE_S):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Unanswerable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        pairs = (line.split(":", 1) for line in lines if line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise Unanswerable(HTTPStatus.BAD_REQUEST) from None
    if version != "HTTP/1.1" or "transfer-encoding" in headers or length < 0:
        raise Unanswerable(HTTPStatus.BAD_REQUEST)
    if length > LARGEST_BODY:
        raise Unanswerable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    async with asyncio.timeout(BODY_WITHIN_S):
        return Request(method, path, headers, await reader.readexactly(length))


def _response(status: HTTPStatus, *, is_last: bool) -> bytes:
    # An answer without a body: of 204 a length must not be told, of others it must.
    length = "" if status == HTTPStatus.NO_CONTENT else "Content-Length: 0\r\n"
    end = "Connection: close\r\n" if is_last else ""
    return f"HTTP/1.1 {int(status)} {status.phrase}\r\n{length}{end}\r\n".encode()


def _kept(
    tasks: set[asyncio.Task[None]],
    converse: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    """A conversation that is known while it lasts, and whose connection is closed with it."""

    async def known(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await converse(reader, writer)
        except asyncio.CancelledError:
            pass  # the server ends; nobody awaits this task but its end
        finally:
            tasks.discard(task)
            writer.close()

    return known
