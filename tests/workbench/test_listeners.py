"""The ports of engines, and the certificates that they show."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench.offline import certificates
from workbench.offline.engines import listeners
from workbench.offline.engines.listeners import Listener
from workbench.offline.surroundings import LOOPBACK

pytestmark = pytest.mark.fast

FURTHER = "127.0.0.2"


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await listeners.pump(reader, writer)


def _said(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    return connection.recv(len(words))


def test_closing_breaks_what_is_open_and_the_port_stays_the_same(room: Path) -> None:
    listener = Listener(_echo)
    listener.open()
    listener.open()
    with socket.create_connection((LOOPBACK, listener.port), timeout=5) as client:
        assert _said(client, b"hello") == b"hello"
        listener.close()
        assert _is_broken(client)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, listener.port), timeout=5)
    listener.open()
    with socket.create_connection((LOOPBACK, listener.port), timeout=5) as client:
        assert _said(client, b"again") == b"again"
    listener.close()


def test_whoever_opens_a_port_at_once_with_another_finds_it_open() -> None:
    listener = Listener(_echo)
    with ThreadPoolExecutor(8) as pool:
        for opened in [pool.submit(listener.open) for _ in range(8)]:
            opened.result(10)
    with socket.create_connection((LOOPBACK, listener.port), timeout=5) as client:
        assert _said(client, b"hello") == b"hello"
    listener.close()


def _is_broken(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_port_that_is_taken_is_named(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "WITHIN", 2.0)
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"cannot listen on {LOOPBACK}:{port}"):
            Listener(_echo, port=port).open()


def test_who_loaded_the_bundle_before_trusts_a_further_certificate(room: Path) -> None:
    bundle = (room / "ca.pem").read_bytes()
    trusting = ssl.create_default_context(cafile=str(room / "ca.pem"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(incoming, outgoing, server_hostname=FURTHER)
    server = certificates.server_tls(FURTHER).wrap_bio(outgoing, incoming, server_side=True)
    _shake_hands(client, server)
    certificate = client.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("IP Address", FURTHER),)
    assert (room / "ca.pem").read_bytes() == bundle


def _shake_hands(*sides: ssl.SSLObject) -> None:
    waiting = list(sides)
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting


def test_keys_are_for_their_owner_alone(room: Path) -> None:
    for name in ("server.pem", "ca-key.pem"):
        assert stat.S_IMODE((room / name).stat().st_mode) == 0o600
    assert b"PRIVATE KEY" not in (room / "ca.pem").read_bytes()
