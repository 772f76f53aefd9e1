"""The WebSocket client of scenarios: the same calls against AWS and against an offline endpoint.

Documents are JSON objects, one a message. Offline, the names that outputs hold are kept in the `Host` header, and the
connection goes to the endpoint, as with `http.py`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect

from workbench.dryrun.emulator import Endpoint

AWS_NAMES = re.compile(r"\.(amazonaws\.com|cloudfront\.net|on\.aws|localhost|localstack\.cloud)$")
LARGEST_FRAME = 32 * 1024  # "Quotas for configuring and running a WebSocket API", API Gateway Developer Guide
OPENS_WITHIN = 30.0
CLOSES_WITHIN = 5.0


class SocketRefused(Exception):
    """The handshake was answered with an HTTP error: its `status`, and its `body` in bytes."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"the WebSocket was refused with status {status}: {body[:200]!r}")
        self.status, self.body = status, body


class SocketClosed(AssertionError):
    """The connection has ended, with this close `code` (1006 where there was no close frame)."""

    def __init__(self, url: str, doing: str, code: int) -> None:
        super().__init__(f"the WebSocket {url} had ended with code {code}; {doing}")
        self.code = code


class Socket:
    """A WebSocket; made by `world.socket`. Sending and receiving may be done by two threads."""

    def __init__(self, connection: ClientConnection, url: str) -> None:
        self.url = url
        self._connection = connection

    def send(self, document: Mapping[str, Any]) -> None:
        """Send a document; a long one in several frames. Raises `SocketClosed`."""
        text = json.dumps(document)  # in ASCII: as many bytes as characters
        parts = [text[start : start + LARGEST_FRAME] for start in range(0, len(text), LARGEST_FRAME)]
        try:
            self._connection.send(text if len(parts) == 1 else parts)
        except ConnectionClosed as ended:
            raise self._closed(ended, f"nothing can be sent: {text[:200]}") from None

    def receive(self, within_s: float = 10.0) -> dict[str, Any]:
        """The next document. Raises `AssertionError` when none comes in time, `SocketClosed` when none will come.

        What came before the connection ended is given first.
        """
        try:
            message = self._connection.recv(within_s)
        except TimeoutError:
            raise AssertionError(f"no message came over {self.url} within {within_s:g} s") from None
        except ConnectionClosed as ended:
            raise self._closed(ended, "no message will come") from None
        document = json.loads(message)
        if not isinstance(document, dict):
            raise AssertionError(f"a message over {self.url} is no JSON object: {message[:200]!r}")
        return document

    @property
    def closed(self) -> bool:
        """Whether it has ended, by whichever side."""
        return self._connection.protocol.state is State.CLOSED

    def close(self) -> None:
        """Say good-bye, and end it; nothing happens when it has ended."""
        self._connection.close()

    def drop(self) -> None:
        """End the TCP connection without a close frame, as a network that is gone does once that is noticed."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.socket.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
        self._connection.recv_events_thread.join(CLOSES_WITHIN)

    def _closed(self, ended: ConnectionClosed, doing: str) -> SocketClosed:
        return SocketClosed(self.url, doing, ended.rcvd.code if ended.rcvd else 1006)


def _context(ca_bundle: str | None) -> ssl.SSLContext:
    """TLS 1.2 at most: one thread reads and another one writes.

    The session tickets that 1.3 sends after its handshake are then now and then processed in the middle of a write,
    which is lost (2 of 300 opened sockets).
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class Sockets:
    """The WebSockets of a play. Those that a scenario leaves open end with `close`."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self._endpoint = endpoint
        self._open: list[Socket] = []
        self._lock = threading.Lock()

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Socket:
        """Connect. Raises `SocketRefused`, and `OSError` when nobody is there, or who is there does not answer."""
        given: dict[str, Any] = {"additional_headers": dict(headers or {})}
        parts = urlsplit(url)
        if self._endpoint is not None and AWS_NAMES.search(parts.hostname or ""):
            at = urlsplit(self._endpoint.url)
            given["sock"] = socket.create_connection((at.hostname, at.port), OPENS_WITHIN)
            if at.scheme == "https":
                given["ssl"] = _context(self._endpoint.ca_bundle)
                given["server_hostname"] = at.hostname
            address = urlunsplit(parts._replace(scheme="wss" if at.scheme == "https" else "ws"))
        else:
            address = url
            if parts.scheme == "wss":
                given["ssl"] = _context(None)
        try:
            waiting = connect(
                address,
                open_timeout=OPENS_WITHIN,
                close_timeout=CLOSES_WITHIN,
                ping_interval=None,
                compression=None,
                **given,
            )
            connection = waiting.__enter__()  # which is how it wants to be used; `close` is the other end
        except InvalidStatus as refused:
            raise SocketRefused(refused.response.status_code, bytes(refused.response.body or b"")) from None
        except InvalidHandshake as problem:
            raise ConnectionError(f"no handshake was answered at {url}: {problem}") from None
        made = Socket(connection, url)
        with self._lock:
            self._open = [each for each in self._open if not each.closed] + [made]
        return made

    def close(self) -> None:
        """End those that are open."""
        with self._lock:
            left, self._open = self._open, []
        for each in left:
            each.close()
