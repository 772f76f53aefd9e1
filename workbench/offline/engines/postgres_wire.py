"""PostgreSQL's wire protocol, as the front ends of RDS speak it: greetings, messages, logins.

Sources: PostgreSQL's manual, "Message Formats" and "SASL Authentication".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Protocol

from workbench.offline.certificates import server_tls

_PROTOCOL = 3 << 16
_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104  # what a first packet may ask for instead of a session
_LARGEST_GREETING = 10_000  # bytes, as in PostgreSQL


class Refused(Exception):
    """A client is turned away: an SQLSTATE and what it is told."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Server(Protocol):
    """What the front ends need of the server behind them."""

    @property
    def socket(self) -> str:
        """The socket file, at a path short enough to connect to."""

    def takes_tokens_from(self, user: str) -> bool:
        """Whether this user logs in by IAM token."""


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


async def greet(client: Wire, address: str) -> Greeting:
    """Hear a client out, with TLS when it asks for that."""
    encrypted = False
    while True:
        code, body = await client.greeting()
        if code == _TLS:
            client.writer.write(b"S")
            await client.writer.drain()
            await client.writer.start_tls(server_tls(address))
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


def startup(parameters: dict[str, str]) -> bytes:
    pairs = "".join(f"{key}\0{value}\0" for key, value in parameters.items() if key)
    return _PROTOCOL.to_bytes(4) + pairs.encode() + b"\0"


async def connect(server: Server) -> Wire:
    return Wire(*await asyncio.open_unix_connection(server.socket))


async def cancel(server: Server, key: bytes) -> None:
    with contextlib.suppress(OSError):
        backend = await connect(server)
        backend.send(b"", _CANCEL.to_bytes(4) + key)
        await backend.writer.drain()
        await backend.reader.read()
        backend.close()


class Scram:
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
