"""A PostgreSQL behind a proxy as RDS has them (TLS, tokens, pinning), without the rest of the offline AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lambdas.shared.postgres import Connection
from workbench.dryrun.emulator import _write_certificates
from workbench.offline import certificates
from workbench.offline.engines import free_port
from workbench.offline.engines.postgres import Node, Postgres
from workbench.offline.engines.postgres_proxy import Login, PoolLimits, Proxy
from workbench.offline.surroundings import LOOPBACK, surroundings

USER, REGION = "service", "us-east-1"


@dataclass
class Server:
    """The engine and the proxy before it. `tokens` are those that came; `lets_in` says whether one is good."""

    engine: Postgres
    proxy: Proxy
    database: str
    tokens: list[str] = field(default_factory=list)
    lets_in: bool = True
    made: list[Connection] = field(default_factory=list)

    def connection(self, **options: float) -> Connection:
        """A connection of its own, closed with the server. Options are those of `Connection`."""
        self.made.append(
            Connection(self.proxy.host, self.proxy.port, self.database, USER, REGION, **options)  # type: ignore[arg-type]
        )
        return self.made[-1]

    def query(self, *statements: str) -> list[list[str | None]]:
        """What a superuser sees."""
        return self.engine.query(*statements, database=self.database)

    def authorize(self, token: str, *_: object) -> str | None:
        self.tokens.append(token)
        return None if self.lets_in else "this token is refused"


@contextmanager
def postgres_server(folder: Path, database: str, connections: int = 20) -> Iterator[Server]:
    """A server with its files in `folder`, and the process's credentials and trust set for it."""
    with pytest.MonkeyPatch.context() as patch:
        certificate, bundle = _write_certificates(folder)
        for name, value in {
            "GATEWAY_PORT": "1",
            "TMPDIR": str(folder),
            "AWS_CA_BUNDLE": bundle,
            "MINISTACK_SSL_CERT": certificate,
            "SSL_CERT_FILE": bundle,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            patch.setenv(name, value)
        _forget()
        surroundings()
        # It is for the workbench. The SDK, which would trust nothing but it, does without.
        kept = os.environ.pop("AWS_CA_BUNDLE")
        engine = Postgres("directory", port=free_port(), nodes=[Node("directory", f"{REGION}a")])
        engine.create(USER, "secret", database, tokens=False)
        server: Server
        proxy = Proxy(
            LOOPBACK,
            free_port(),
            server=lambda: engine if engine.running else None,
            login=lambda _: Login("secret", by_token=True),
            authorize=lambda *asked: server.authorize(*asked),
            limits=lambda: PoolLimits(connections, connections, 1.0),
            require_tls=lambda: True,
            idle_seconds=lambda: 1800.0,
        )
        server = Server(engine, proxy, database)
        proxy.open()
        try:
            yield server
        finally:
            for each in server.made:
                each.close()
            proxy.close()
            engine.remove()
            os.environ["AWS_CA_BUNDLE"] = kept  # for the patch to take back
    _forget()


def _forget() -> None:
    for each in (surroundings, certificates.server_tls, certificates._authority):
        each.cache_clear()
