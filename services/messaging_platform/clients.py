"""Clients of AWS for a program of many threads: each call has a connection that was made before."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.session import get_session

from lambdas.shared.sdk import bounded

CONNECT_S, READ_S, ATTEMPTS = 0.5, 2.0, 3


def pooled_client(service: str, connections: int) -> object:
    """A client of `service` for `connections` calls at once, each bounded; threads may share it.

    With the SDK's own ten connections, all other threads' calls would each make one, and TLS with it, and drop it.
    """
    return get_session().create_client(
        service,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=connections,
            tcp_keepalive=True,
        ),
    )


def secret_of(arn: str) -> str:
    """The text of a secret, "" of none. Raises `Unavailable`."""
    if not arn:
        return ""
    client: Any = pooled_client("secretsmanager", 1)
    with bounded():
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
