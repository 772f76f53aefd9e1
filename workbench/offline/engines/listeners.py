"""Ports on loopback that engines listen on: one event loop for all of them, TLS, and connections that break at will.

The loop runs in a thread of its own, so that traffic does not slow the AWS API. What answers HTTP by calls that block
has an `HttpListener` instead, with a thread for each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from workbench.offline.certificates import server_tls
from workbench.offline.engines import free_port
from workbench.offline.surroundings import LOOPBACK

WITHIN = 10.0  # seconds: how long a listener may take to open or close
CHUNK = 1 << 16  # bytes that are passed on at once
_BACKLOG = 1024  # connections that wait to be accepted
_TRIED_AGAIN_AFTER = 0.05  # seconds
_TOLD_TO_STOP_WITHIN = 0.1  # seconds, an HTTP listener

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_T = TypeVar("_T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="listeners").start()
    return loop


def on_loop(call: Callable[[], object]) -> None:
    """Have something called soon in the listeners' loop."""
    _loop().call_soon_threadsafe(call)


def _wait_for(work: Coroutine[Any, Any, _T]) -> _T:
    # In a context of its own: what is started here outlives the request that it was started for.
    return Context().run(asyncio.run_coroutine_threadsafe, work, _loop()).result(WITHIN)


class Listener:
    """A port on loopback whose connections are served by `serve(reader, writer)`.

    With `tls` they begin with that, under the offline AWS's certificate. `open` and `close` may be called again and
    again, from any thread but the loop's: the port stays the same.
    """

    def __init__(
        self, serve: Serve, *, tls: bool = False, address: str = LOOPBACK, port: int | None = None
    ) -> None:
        self.address = address
        self.port = port or free_port()
        self._serve = serve
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._turning = threading.Lock()  # one opens or closes at a time
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    def open(self) -> None:
        """Listen. Nothing happens when it does. Raises `RuntimeError` when the port cannot be had."""
        with self._turning:
            if self._server is None:
                self._server = _wait_for(self._listen())

    def close(self) -> None:
        """Refuse new connections and break those there are. Nothing happens when it is closed."""
        with self._turning:
            if self._server is not None:
                _wait_for(self._stop(self._server))
                self._server = None

    async def _listen(self) -> asyncio.Server:
        context = server_tls() if self._tls else None
        until = time.monotonic() + WITHIN / 2
        while True:
            try:
                return await asyncio.start_server(
                    self._connected, self.address, self.port, ssl=context, limit=CHUNK, backlog=_BACKLOG
                )
            except OSError as problem:
                # After a crash, somebody's outgoing connection may hold the port for a moment.
                if time.monotonic() > until:
                    words = f"an engine cannot listen on {self.address}:{self.port}: {problem.strerror}"
                    raise RuntimeError(words) from None
            await asyncio.sleep(_TRIED_AGAIN_AFTER)

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        tasks = list(self._connections)
        for task, writer in self._connections.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            # It broke, was broken, or spoke nonsense.
            with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            del self._connections[task]
            writer.close()


async def spliced(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    *,
    from_client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
    | None = None,
) -> None:
    """Pass bytes both ways until either side ends, then close both.

    `from_client(reader, writer)` carries what the client says, where it is to be looked at; `pump` else.
    """
    ways = [
        asyncio.create_task((from_client or pump)(client[0], server[1])),
        asyncio.create_task(pump(server[0], client[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in (client[1], server[1]):
            writer.close()


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, or the other side has gone."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK):
            sink.write(chunk)
            await sink.drain()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that goes away, or does not trust us, is its own affair."""


class HttpListener:
    """A port on loopback whose requests `handler` answers: `open` and `close` at will, always the same one.

    Closing leaves the connections that there are.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, name: str) -> None:
        self._handler = handler
        self._name = name
        self._server: ThreadingHTTPServer | None = None
        self.port = 0  # until it is opened first

    def open(self) -> None:
        """Listen. Nothing happens when it does. Raises `OSError` when the port is taken."""
        if self._server is None:
            self._server = _Http((LOOPBACK, self.port), self._handler)
            self.port = self._server.server_port
            serve, every = self._server.serve_forever, _TOLD_TO_STOP_WITHIN
            threading.Thread(target=serve, args=(every,), daemon=True, name=self._name).start()

    def close(self) -> None:
        """Refuse new connections. Nothing happens when it is closed."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
