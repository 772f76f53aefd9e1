"""The addresses of a PostgreSQL server as RDS gives them: TLS, IAM logins, and readers.

The PostgreSQL of the wheel is built without TLS, and knows nothing of IAM. It listens on a socket file alone, and a
front end stands before it: an `Endpoint` for each address of an instance or a cluster, which ends TLS, checks IAM
tokens and passes everything else through. (The other kind is RDS Proxy's, in `postgres_proxy.py`.)

Endpoints that have no port of their own in a template (a cluster's reader, a proxy) cannot be told apart by one here
either. They have a further address of the loopback network, and answer there on the port that the database has and
on the one that the template declares.

Source: the RDS User Guide, "IAM database authentication for MariaDB, MySQL, and PostgreSQL".
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

from workbench.offline.certificates import server_tls
from workbench.offline.engines.listeners import WITHIN, Listener, spliced
from workbench.offline.engines.postgres_wire import Refused, Server, Wire, cancel, connect, greet, startup
from workbench.offline.surroundings import LOOPBACK

HOST = "localhost"  # what the first endpoint of a database is called
READ_ONLY = "-c default_transaction_read_only=on"  # a reader's sessions: they share the writer's storage

Authorize = Callable[[str, str, str, int], str | None]  # (token, user, address, port) → why it is refused

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


class FrontEnd(ABC):
    """An address on loopback with its ports; `serve` is what happens to a client there.

    `open` and `close` are called from any thread, again and again. Closing breaks every connection.
    """

    def __init__(self, address: str, *ports: int) -> None:
        self.address = address
        self.port = ports[0]
        self._listeners = [
            Listener(self._accept, address=address, port=port) for port in dict.fromkeys(ports)
        ]

    @property
    def host(self) -> str:
        """What clients are told to connect to."""
        return HOST if self.address == LOOPBACK else self.address

    def open(self) -> None:
        """Listen; nothing happens when it does. Raises `RuntimeError` when the address cannot be had."""
        server_tls(self.address)  # now, and not while the loop serves others: a key may have to be made
        for each in self._listeners:
            each.open()

    def close(self) -> None:
        """Refuse new connections and break those there are."""
        for each in self._listeners:
            each.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Wire(reader, writer)
        try:
            await self.serve(client)
        except Refused as refusal:
            client.send_error(refusal.code, str(refusal))
            await writer.drain()

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
        asked = await asyncio.wait_for(greet(client, self.address), WITHIN)
        if asked.cancel:
            await cancel(self._server, asked.cancel)
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
        backend = await connect(self._server)
        backend.send(b"", startup(parameters))
        await spliced((client.reader, client.writer), (backend.reader, backend.writer))
