"""A function's connection to PostgreSQL, against a real one behind a proxy: what it survives, and what it says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from lambdas.shared.errors import Unavailable
from lambdas.shared.postgres import (
    ATTEMPTS,
    Connection,
    ConnectionLost,
    Contended,
    Session,
    Unanswered,
    Violation,
    token,
)
from tests.postgres_server import REGION, USER, Server, postgres_server

# pg8000 leaves the socket of a login that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONNECTIONS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), "things", CONNECTIONS) as running:
        running.query(
            "CREATE TABLE entries (name text CONSTRAINT one_of_a_name PRIMARY KEY, n int DEFAULT 0)",
            f"GRANT ALL ON entries TO {USER}",
        )
        yield running


@pytest.fixture
def naps() -> list[float]:
    """The seconds that the connection would have waited between attempts."""
    return []


@pytest.fixture
def database(server: Server, naps: list[float]) -> Connection:
    server.query("TRUNCATE entries")
    return server.connection(sleep=naps.append)  # type: ignore[arg-type]


def _names(server: Server) -> list[str | None]:
    return [name for [name] in server.query("SELECT name FROM entries ORDER BY name")]


def _add(session: Session, name: str) -> None:
    session.run("INSERT INTO entries VALUES (:name)", name=name)


# Logging in


def test_it_logs_in_with_a_token_of_the_processs_own_credentials(
    server: Server, database: Connection
) -> None:
    with database.transaction() as session:
        assert session.run("SELECT current_user") == [[USER]]
    asked = urlsplit(f"https://{server.tokens[-1]}")
    query = parse_qs(asked.query)
    assert asked.netloc == f"{server.proxy.host}:{server.proxy.port}"
    assert (query["Action"], query["DBUser"], query["X-Amz-Expires"]) == (["connect"], [USER], ["900"])
    assert query["X-Amz-Credential"][0].startswith("testing/")


def test_a_token_is_the_one_that_the_sdk_makes(server: Server) -> None:
    client = boto3.client("rds", region_name=REGION)
    for _ in range(10):  # a second may pass between the two
        ours = token("db.example", 5432, USER, REGION)
        if ours == client.generate_db_auth_token("db.example", 5432, USER, REGION):
            return
    pytest.fail("ten tokens, and none was the SDK's")


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(
    server: Server, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    monkeypatch.delenv("SSL_CERT_FILE")
    before = len(server.tokens)
    with pytest.raises(ssl.SSLCertVerificationError), database.transaction():
        pass
    assert len(server.tokens) == before, "the token is not given away"


def test_a_role_that_may_not_connect_is_a_fault_of_the_deployment(
    server: Server, database: Connection
) -> None:
    server.lets_in = False
    try:
        with pytest.raises(Exception, match="IAM authentication failed") as refused, database.transaction():
            pass
    finally:
        server.lets_in = True
    assert not isinstance(refused.value, Unavailable)


def test_transactions_share_a_connection_until_it_is_as_old_as_a_token(server: Server) -> None:
    now = [0.0]
    database = server.connection(clock=lambda: now[0])  # type: ignore[arg-type]
    before = len(server.tokens)
    for moment, logins in ((0.0, 1), (600.0, 1), (601.0, 2), (700.0, 2)):
        now[0] = moment
        with database.transaction() as session:
            session.run("SELECT 1")
        assert len(server.tokens) - before == logins


def test_nothing_that_it_does_pins_a_connection_of_the_proxys(server: Server) -> None:
    backends = set()
    for _ in range(CONNECTIONS * 3):  # more than there are
        with server.connection().transaction() as session:
            backends.add(session.run("SELECT pg_backend_pid(), CAST(:one AS int)", one=1)[0][0])
    assert len(backends) == 1


# Transactions


def test_a_block_is_committed_whole_or_not_at_all(server: Server, database: Connection) -> None:
    with database.transaction() as session:
        _add(session, "one")
        _add(session, "two")

    def work(session: Session) -> None:
        _add(session, "three")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.in_transaction(work)
    assert _names(server) == ["one", "two"]
    with database.transaction() as session:
        assert session.run("SELECT count(*) FROM entries") == [[2]], "the connection is usable"


def test_a_constraint_that_does_not_hold_is_said_by_its_name(server: Server, database: Connection) -> None:
    with pytest.raises(Violation) as refused:
        database.in_transaction(
            lambda session: session.run("INSERT INTO entries VALUES (:name), (:name)", name="one")
        )
    assert refused.value.constraint == "one_of_a_name"
    assert _names(server) == []


def test_a_block_that_goes_on_after_a_failed_statement_is_not_taken_for_committed(
    server: Server, database: Connection
) -> None:
    def work(session: Session) -> None:
        _add(session, "one")
        with suppress(Violation):
            _add(session, "one")

    with pytest.raises(RuntimeError, match="failed"):
        database.in_transaction(work)
    assert _names(server) == []


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_transaction_that_met_another_one_is_done_again(
    state: str, server: Server, database: Connection, naps: list[float]
) -> None:
    asked = []

    def work(session: Session) -> str:
        asked.append(session)
        _add(session, "one")
        if len(asked) < ATTEMPTS:
            session.run(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        return "done"

    assert database.in_transaction(work) == "done"
    assert (len(asked), len(naps)) == (ATTEMPTS, ATTEMPTS - 1)
    assert _names(server) == ["one"]


def test_contention_without_end_is_unavailable(database: Connection, naps: list[float]) -> None:
    def work(session: Session) -> None:
        session.run("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    with pytest.raises(Contended):
        database.in_transaction(work)
    assert len(naps) == ATTEMPTS - 1


def test_a_fault_of_the_program_is_raised_as_it_is_and_not_tried_again(
    database: Connection, naps: list[float]
) -> None:
    with pytest.raises(Exception, match="no_such_table") as raised:
        database.in_transaction(lambda session: session.run("SELECT * FROM no_such_table"))
    assert not isinstance(raised.value, Unavailable)
    assert naps == []


# Connections that break


def _break(server: Server) -> None:
    """Cut every connection of a client's off."""
    server.proxy.close()
    server.proxy.open()


def test_a_connection_that_broke_while_nobody_looked_is_made_again(
    server: Server, database: Connection
) -> None:
    with database.transaction() as session:
        _add(session, "one")
    _break(server)
    with database.transaction() as session:
        _add(session, "two")
    assert _names(server) == ["one", "two"]


def test_a_transaction_whose_connection_broke_before_it_was_committed_is_done_again_and_once(
    server: Server, database: Connection
) -> None:
    asked = []

    def work(session: Session) -> None:
        asked.append(session)
        _add(session, "one")
        if len(asked) == 1:
            _break(server)
        session.run("UPDATE entries SET n = n + 1")

    database.in_transaction(work)
    assert len(asked) == 2
    assert server.query("SELECT name, n FROM entries") == [["one", "1"]]


def test_a_block_whose_connection_broke_says_so(server: Server, database: Connection) -> None:
    def block() -> None:
        with database.transaction() as session:
            _break(server)
            session.run("SELECT 1")

    with pytest.raises(ConnectionLost):
        block()


def test_a_connection_that_breaks_at_the_commit_is_not_tried_again_for_nobody_knows(
    server: Server, database: Connection
) -> None:
    asked = []

    def work(session: Session) -> None:
        asked.append(session)
        _add(session, "one")
        _break(server)

    with pytest.raises(Unavailable, match="nobody knows") as raised:
        database.in_transaction(work)
    assert not isinstance(raised.value, ConnectionLost)
    assert len(asked) == 1
    with database.transaction() as session:
        session.run("SELECT 1")


def test_a_database_that_is_down_is_unavailable_and_then_there_again(
    server: Server, database: Connection
) -> None:
    server.proxy.close()
    try:
        with pytest.raises(ConnectionLost), database.transaction():
            pass
    finally:
        server.proxy.open()
    with database.transaction() as session:
        assert session.run("SELECT 1") == [[1]]


def test_an_answer_that_does_not_come_is_waited_for_so_long_and_not_twice(server: Server) -> None:
    naps: list[float] = []
    database = server.connection(answer_s=0.3, sleep=naps.append)  # type: ignore[arg-type]
    with pytest.raises(Unanswered):
        database.in_transaction(lambda session: session.run("SELECT pg_sleep(5)"))
    assert naps == []
    with database.transaction() as session:
        assert session.run("SELECT 1") == [[1]]


def test_a_proxy_whose_connections_are_all_lent_is_unavailable(server: Server) -> None:
    lent, end = threading.Barrier(CONNECTIONS + 1), threading.Event()

    def hold() -> None:
        with server.connection().transaction() as session:
            session.run("SELECT 1")
            lent.wait(20)
            end.wait(20)

    holders = [threading.Thread(target=hold) for _ in range(CONNECTIONS)]
    late = server.connection()
    with late.transaction() as session:
        session.run("SELECT 1")
    for each in holders:
        each.start()
    lent.wait(20)
    try:
        with pytest.raises(Unavailable, match="busy"), late.transaction():
            pass
    finally:
        end.set()
        for each in holders:
            each.join()
    with late.transaction() as session:
        assert session.run("SELECT 1") == [[1]]


def test_importing_it_loads_neither_the_driver_nor_the_sdk() -> None:
    program = (
        "import sys, lambdas.shared.postgres; assert not {'pg8000', 'botocore', 'ssl'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
