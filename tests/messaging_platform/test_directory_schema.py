"""The directory's tables: applied once, whoever applies them, and what they refuse on their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.messaging_platform.directory import schema
from lambdas.shared import custom_resource, postgres
from lambdas.shared.errors import Unavailable
from lambdas.shared.postgres import Violation
from tests.postgres_server import REGION, USER, Server, postgres_server

CONTEXT = SimpleNamespace(log_stream_name="2026/11/20/[$LATEST]0")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), "directory") as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """A server whose database has nothing in it."""
    running.query(
        "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", f"ALTER SCHEMA public OWNER TO {USER}"
    )
    return running


def _tables(server: Server) -> set[str | None]:
    return {name for [name] in server.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


# Migrations


def test_each_migration_is_applied_once_in_its_order(server: Server) -> None:
    database = server.connection()
    assert schema.migrate(database) == len(schema.MIGRATIONS)
    assert {"accounts", "contacts", "blocks", "groups", "group_members", "group_keys", "outbox"} < _tables(
        server
    )
    database.in_transaction(
        lambda session: session.run("INSERT INTO group_keys VALUES ('ann', 'k', 'f', 'c')")
    )
    more = [*schema.MIGRATIONS, "CREATE TABLE second (n int)", "ALTER TABLE second ADD COLUMN m int"]
    for _ in range(2):
        assert schema.migrate(database, more) == len(more)
    assert server.query("SELECT owner FROM group_keys") == [["ann"]]


def test_several_who_migrate_at_once_do_so_once(server: Server) -> None:
    more = [*schema.MIGRATIONS, "CREATE TABLE second (n int)", "INSERT INTO second VALUES (1)"]
    with ThreadPoolExecutor(4) as pool:
        reached = list(pool.map(lambda _: schema.migrate(server.connection(), more), range(4)))
    assert reached == [len(more)] * 4
    assert server.query("SELECT n FROM second") == [["1"]]


def test_a_migration_that_fails_leaves_nothing_and_what_was_before_it_stays(server: Server) -> None:
    broken = ["CREATE TABLE first (n int)", "CREATE TABLE second (n int); SELECT * FROM no_such_table"]
    with pytest.raises(Exception, match="no_such_table"):
        schema.migrate(server.connection(), broken)
    assert _tables(server) == {"migrations", "first"}


def test_a_release_that_was_rolled_back_finds_a_later_database_and_lets_it_be(server: Server) -> None:
    database = server.connection()
    later = ["CREATE TABLE first (n int)", "CREATE TABLE second (n int)"]
    assert schema.migrate(database, later) == 2
    assert schema.migrate(database, later[:1]) == 2


def test_a_database_that_is_not_there_yet_is_waited_for_with_a_bound(server: Server) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            server.proxy.open()

    server.proxy.close()
    assert schema.migrate_when_it_answers(server.connection(), sleep) == len(schema.MIGRATIONS)
    assert naps == [schema.POLL_S] * 3
    server.proxy.close()
    now = iter(range(0, 100_000, 200))
    try:
        with pytest.raises(Unavailable):
            schema.migrate_when_it_answers(server.connection(), lambda _: None, lambda: next(now))
    finally:
        server.proxy.open()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the step answers to CloudFormation."""
    answers: list[bytes] = []
    monkeypatch.setattr(custom_resource, "_put", lambda _, body: answers.append(body))
    return answers


def _event(request_type: str, server: Server) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Step",
        "ResponseURL": "https://cloudformation.example/answer",
        "ResourceProperties": {
            "Host": server.proxy.host,
            "Port": str(server.proxy.port),
            "Database": server.database,
            "User": USER,
            "Region": REGION,
            "Schema": "fingerprint",
        },
    }


def test_the_step_brings_the_database_to_its_tables_and_leaves_them_when_it_is_deleted(
    server: Server, told: list[bytes]
) -> None:
    for request_type in ("Create", "Update", "Delete"):
        schema.handler(_event(request_type, server), CONTEXT)
    assert [b'"Status": "SUCCESS"' in answer for answer in told] == [True] * 3
    assert f'"Version": "{len(schema.MIGRATIONS)}"'.encode() in told[0]
    assert "accounts" in _tables(server)
    used = postgres.connect(
        server.proxy.host,
        server.proxy.port,
        server.database,
        USER,
        REGION,
        answer_s=schema.MIGRATED_WITHIN_S,
    )
    used.close()
    postgres.connect.cache_clear()


# What the database refuses on its own


@pytest.fixture
def migrated(server: Server) -> Server:
    schema.migrate(server.connection())
    server.query(
        "INSERT INTO accounts (user_id, name, last_seen, read_receipts, utc_offset)"
        " SELECT 'u' || n, 'N', 'nobody', true, 0 FROM generate_series(1, 9) AS n",
        f"INSERT INTO groups (chat, name, largest) VALUES ('{CHAT}', 'friends', 3)",
        f"INSERT INTO group_members VALUES ('{CHAT}', 'u1', 'admin', 1), ('{CHAT}', 'u2', 'member', 1)",
    )
    return server


CHAT = f"g-{'0' * 32}"
ACCOUNT = (
    "INSERT INTO accounts (user_id, name, last_seen, read_receipts, utc_offset, quiet_from, quiet_to) VALUES"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (f"INSERT INTO group_members VALUES ('{CHAT}', 'u1', 'member', 2)", "group_members_pkey"),
        (
            f"INSERT INTO group_members SELECT '{CHAT}', 'u' || n, 'member', 2 FROM generate_series(3, 4) AS n",
            "group_has_room",
        ),
        (f"UPDATE groups SET largest = 1 WHERE chat = '{CHAT}'", "group_has_room"),
        (f"INSERT INTO group_members VALUES ('{CHAT}', 'nobody', 'member', 2)", "group_members_account"),
        (
            f"UPDATE group_members SET role = 'owner' WHERE chat = '{CHAT}'",
            "group_members_role_check",
        ),
        ("INSERT INTO contacts VALUES ('u1', 'u1')", "contacts_check"),
        ("INSERT INTO contacts VALUES ('u1', 'nobody')", "contacts_other"),
        ("INSERT INTO blocks VALUES ('u1', 'nobody')", "blocks_other"),
        ("INSERT INTO blocks VALUES ('u1', 'u2'), ('u1', 'u2')", "blocks_pkey"),
        (f"{ACCOUNT} ('u-a', repeat('n', 101), 'nobody', true, 0, NULL, NULL)", "accounts_name_check"),
        (f"{ACCOUNT} ('u-a', 'n', 'friends', true, 0, NULL, NULL)", "accounts_last_seen_check"),
        (f"{ACCOUNT} ('u-a', 'n', 'nobody', true, 841, NULL, NULL)", "accounts_utc_offset_check"),
        (f"{ACCOUNT} ('u-a', 'n', 'nobody', true, 0, 1440, 0)", "accounts_quiet_from_check"),
        (f"{ACCOUNT} ('u-a', 'n', 'nobody', true, 0, 0, NULL)", "accounts_check"),
        (f"{ACCOUNT} ('u#a', 'n', 'nobody', true, 0, NULL, NULL)", "accounts_user_id_check"),
        ("INSERT INTO groups (chat, name, largest) VALUES ('d-1', 'n', 3)", "groups_chat_check"),
        (
            "INSERT INTO outbox (aggregate, version, change, due_at) VALUES"
            " ('user:u1', 1, '{}', now()), ('user:u1', 1, '{}', now())",
            "outbox_pkey",
        ),
    ],
)
def test_what_must_not_be_is_refused_by_the_database_itself(
    statement: str, constraint: str, migrated: Server
) -> None:
    database = migrated.connection()
    with pytest.raises(Violation) as refused:
        database.in_transaction(lambda session: session.run(statement))
    assert refused.value.constraint == constraint


def test_a_group_counts_its_members_as_they_come_and_go(migrated: Server) -> None:
    def members() -> str | None:
        [[count]] = migrated.query("SELECT members FROM groups")
        return count

    assert members() == "2"
    migrated.query(f"INSERT INTO group_members VALUES ('{CHAT}', 'u3', 'member', 2)")
    assert members() == "3"
    migrated.query(f"DELETE FROM group_members WHERE chat = '{CHAT}' AND user_id <> 'u1'")
    assert members() == "1"


def test_of_two_who_take_the_last_place_at_once_one_has_it(migrated: Server) -> None:
    def join(user: str) -> str:
        try:
            migrated.connection().in_transaction(
                lambda session: session.run(
                    f"INSERT INTO group_members VALUES ('{CHAT}', '{user}', 'member', 2)"
                )
            )
        except Violation as refused:
            return refused.constraint
        return "joined"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(join, ("u3", "u4"))) == ["group_has_room", "joined"]
