"""The cache as handlers and services use it: Valkey on ElastiCache, by TLS, with the token of a secret.

    client = connect(host, port, token_secret_arn)     # asks nobody yet
    with bounded(client):
        client.ping()                                  # what did not answer in time is `Unavailable`

Nothing waits long for a cache: a call ends after `READ_S`, and is not tried again, because whoever asks has another
place to ask. The token is read from Secrets Manager once, and once more when the cache refuses it. Offline the
authority that signed the cache's certificate is in the file that `SSL_CERT_FILE` names, as for all of Python.

The library (valkey) is imported when a client is made: importing this does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import bounded_client

if TYPE_CHECKING:
    from valkey import SSLConnection, Valkey

CONNECT_S, READ_S = 0.2, 0.3
# Of the secret: a cache whose token cannot be had in this time is as good as away.
TOKEN_CONNECT_S, TOKEN_READ_S = 0.3, 0.5


def connect(host: str, port: int | str, token_secret_arn: str) -> Valkey:
    """A client of the cache, whose answers are `str`; threads may share it. It connects when it is first used."""
    import valkey

    pool = valkey.ConnectionPool(
        connection_class=_connection_class(),
        host=host,
        port=int(port),
        credential_provider=Token(token_secret_arn),
        socket_connect_timeout=CONNECT_S,
        socket_timeout=READ_S,
        socket_keepalive=True,
        ssl_check_hostname=True,
        decode_responses=True,
        # Each would be a round trip more for every connection.
        lib_name=None,
        lib_version=None,
    )
    return valkey.Valkey(connection_pool=pool)


@contextmanager
def bounded(client: Valkey) -> Iterator[None]:
    """Turn what a cache cannot do now into `Unavailable`: it is away, slow, loading, full, or no longer the primary.

    What it refuses for what was asked (a script that fails, a value of the wrong type) is raised as it is.
    """
    from valkey import exceptions

    try:
        yield
    except exceptions.ReadOnlyError as error:
        # Another node is the primary now. The name of the primary leads there, once somebody asks for it anew.
        client.connection_pool.disconnect(inuse_connections=False)
        raise Unavailable("the cache has another primary; try again") from error
    except (
        exceptions.ConnectionError,  # also of a token that it refuses
        exceptions.TimeoutError,
        exceptions.OutOfMemoryError,
    ) as error:
        raise Unavailable("the cache does not answer; try again") from error


class Token:
    """What clients show to the cache. In the shape that the library asks for its credentials."""

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn
        self._lock = threading.Lock()
        self._token: str | None = None

    def get_credentials(self) -> tuple[str]:
        """The token, read once. Raises the library's `ConnectionError` where it cannot be had."""
        with self._lock:
            if self._token is None:
                self._token = self._read()
            return (self._token,)

    def forget(self) -> None:
        """Read it anew when it is asked for next."""
        with self._lock:
            self._token = None

    def _read(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError
        from valkey.exceptions import ConnectionError

        secrets = cast(Any, bounded_client("secretsmanager", TOKEN_CONNECT_S, TOKEN_READ_S, attempts=1))
        try:
            return str(secrets.get_secret_value(SecretId=self._secret_arn)["SecretString"])
        except (BotoCoreError, ClientError) as error:
            # Of the library's own kind, or it would take the connection for one that is ready.
            raise ConnectionError("the cache's token cannot be read") from error


@cache
def _connection_class() -> type[SSLConnection]:
    """The library's connection by TLS, which reads the token once more when it is refused."""
    import valkey

    library: Any = valkey.SSLConnection

    class Connection(library):  # type: ignore[misc]  # the library's methods have no types
        def connect(self) -> None:
            try:
                super().connect()
            except valkey.AuthenticationError:
                self.credential_provider.forget()
                super().connect()

    return cast("type[SSLConnection]", Connection)
