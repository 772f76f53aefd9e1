"""The client of the cache, against a real server behind TLS: its token, its time-outs, and what becomes of them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
import valkey
from moto import mock_aws

from lambdas.shared import valkey as module
from lambdas.shared.errors import Unavailable
from lambdas.shared.valkey import CONNECT_S, READ_S, bounded, connect
from workbench.offline.engines.redis import Redis, User

pytestmark = pytest.mark.fast

TOKEN, NEXT_TOKEN = "a-token-of-sixteen", "another-token-of-16"
SLACK_S = 0.6  # for a machine that is busy


class Front:
    """TLS before a server that knows none; what comes is passed on, unless it is held."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._to, self._context = port, context
        self.held = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(1 << 16):
                while self.held:
                    await asyncio.sleep(0.01)
                sink.write(data)

        pumps = {
            asyncio.ensure_future(pump(reader, to_server)),
            asyncio.ensure_future(pump(from_server, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            writer.transport.abort()
            to_server.transport.abort()


class Cache:
    """A server that wants a token, behind TLS, and the secret that has it."""

    def __init__(self, server: Redis, front: Front, secrets: Any) -> None:
        self.server, self.front, self.secrets = server, front, secrets
        self.secret = secrets.create_secret(Name="token", SecretString=TOKEN)["ARN"]

    def client(self, port: int | None = None, host: str = "localhost") -> Any:
        return connect(host, str(port or self.front.port), self.secret)

    def take_only(self, *tokens: str) -> None:
        self.server.change_users((User("default", passwords=tokens),))

    def tell(self, token: str) -> None:
        self.secrets.put_secret_value(SecretId=self.secret, SecretString=token)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis("cache", tmp_path_factory.mktemp("cache") / "server", zones=("a",))
    made.start()
    yield made
    made.delete()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def front(server: Redis, authority: trustme.CA) -> Iterator[Front]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    made = Front(server.port, context)
    yield made
    made.close()


@pytest.fixture
def cache(
    server: Redis, front: Front, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cache]:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = Cache(server, front, boto3.client("secretsmanager"))
        made.take_only(TOKEN)
        yield made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each reading of the secret."""
    made: list[str] = []
    read = module.Token._read

    def noted(self: module.Token) -> str:
        made.append("read")
        return read(self)

    monkeypatch.setattr(module.Token, "_read", noted)
    return made


def elapsed(act: Callable[[], object]) -> float:
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def fails(client: Any) -> None:
    with pytest.raises(Unavailable), bounded(client):
        client.ping()


def test_it_speaks_tls_and_shows_the_token(cache: Cache) -> None:
    with cache.client() as client:
        client.set("greeting", "hello")
        assert client.get("greeting") == "hello"


def test_a_certificate_of_somebody_else_is_refused(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with cache.client() as client:
        fails(client)
    with cache.client(host="127.0.0.1") as client:  # of the right authority, for another name
        fails(client)


def test_the_token_is_read_once(cache: Cache, reads: list[str]) -> None:
    with cache.client() as client:
        client.ping()
        client.connection_pool.disconnect()
        client.ping()
    assert reads == ["read"]


def test_a_token_that_is_refused_is_read_once_more(cache: Cache, reads: list[str]) -> None:
    with cache.client() as client:
        client.ping()
        cache.take_only(NEXT_TOKEN)
        cache.tell(NEXT_TOKEN)
        client.connection_pool.disconnect()
        assert client.ping()
    assert reads == ["read", "read"]


def test_a_lost_token_is_a_cache_that_does_not_answer_until_it_is_found(
    cache: Cache, reads: list[str]
) -> None:
    with cache.client() as client:
        cache.take_only(NEXT_TOKEN)
        fails(client)
        assert reads == ["read", "read"]
        cache.tell(NEXT_TOKEN)
        with bounded(client):
            assert client.ping()


def test_a_secret_that_cannot_be_read_leaves_no_connection_that_looks_ready(cache: Cache) -> None:
    cache.secrets.delete_secret(SecretId=cache.secret, ForceDeleteWithoutRecovery=True)
    with cache.client() as client:
        fails(client)
        cache.secret = cache.secrets.create_secret(Name="token", SecretString=TOKEN)["ARN"]
        client.connection_pool.connection_kwargs["credential_provider"]._secret_arn = cache.secret
        with bounded(client):
            assert client.ping()


def test_a_cache_that_is_away_is_unavailable_at_once(cache: Cache) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with cache.client(taken.getsockname()[1]) as client:
            assert elapsed(lambda: fails(client)) < CONNECT_S + SLACK_S


def test_a_cache_that_is_slow_is_unavailable_after_its_time_and_then_used_again(cache: Cache) -> None:
    with cache.client() as client:
        client.ping()
        cache.front.held = True
        assert READ_S / 2 < elapsed(lambda: fails(client)) < READ_S + SLACK_S
        cache.front.held = False
        with bounded(client):
            assert client.ping()


def test_a_door_behind_which_nobody_speaks_is_unavailable_after_its_time(cache: Cache) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, cache.client(silent.getsockname()[1]) as client:
        assert elapsed(lambda: fails(client)) < CONNECT_S + READ_S + SLACK_S


def test_a_node_that_is_no_longer_the_primary_is_unavailable_and_left(cache: Cache) -> None:
    with cache.client() as client:
        client.ping()
        ours = client.client_id()
        with pytest.raises(Unavailable), bounded(client):
            raise valkey.ReadOnlyError("You can't write against a read only replica.")
        assert client.client_id() != ours


def test_what_was_asked_wrongly_stays_an_error_of_its_own(cache: Cache) -> None:
    with cache.client() as client, pytest.raises(valkey.ResponseError), bounded(client):
        client.eval("return redis.call('NONSENSE')", 0)


def test_importing_it_loads_neither_the_library_nor_the_sdk() -> None:
    program = "import sys, lambdas.shared.valkey; assert not {'valkey', 'botocore'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Guards


def test_without_reading_it_once_more_a_new_token_would_lock_everybody_out(
    cache: Cache, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Token, "forget", lambda _: None)
    with pytest.raises(valkey.AuthenticationError):
        test_a_token_that_is_refused_is_read_once_more(cache, reads)
