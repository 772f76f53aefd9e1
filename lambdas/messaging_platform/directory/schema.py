"""The tables of the directory in PostgreSQL, and the deployment step that brings a database to them.

What must hold of the data is a constraint here; those that a request can break have names. Each migration is
applied once, in its order, in a transaction with the note that it was. One that was ever deployed is never
changed: what comes next is another one, that the code before it can live with: while it is deployed, and when that
deployment is rolled back, the old code runs on the new tables.

Its properties: `Host`, `Port`, `Database`, `User`, `Region`, and `Schema`, which is another one when this file is. It
answers the `Version` that the database is at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdas.shared.custom_resource import answer
from lambdas.shared.errors import Unavailable
from lambdas.shared.observability import logger
from lambdas.shared.postgres import Connection, Session, connect

LOCK = 5_401_337  # any number, as long as nobody else locks it in this database
# A new proxy takes minutes until its target is available ("Getting started with RDS Proxy").
POLL_S, WITHIN_S = 3.0, 480.0
MIGRATED_WITHIN_S = 300.0  # one migration; it leaves the function's 15 minutes time to say how it went

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE accounts (
        user_id text PRIMARY KEY CHECK (user_id ~ '^[0-9a-zA-Z-]{1,64}$'),
        name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
        last_seen text NOT NULL CHECK (last_seen IN ('everyone', 'contacts', 'nobody')),
        read_receipts boolean NOT NULL,
        quiet_from smallint CHECK (quiet_from BETWEEN 0 AND 1439),
        quiet_to smallint CHECK (quiet_to BETWEEN 0 AND 1439),
        utc_offset smallint NOT NULL CHECK (utc_offset BETWEEN -720 AND 840),
        version bigint NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
    );

    CREATE TABLE contacts (
        owner text NOT NULL CONSTRAINT contacts_owner REFERENCES accounts,
        other text NOT NULL CONSTRAINT contacts_other REFERENCES accounts,
        PRIMARY KEY (owner, other),
        CHECK (owner <> other)
    );

    CREATE TABLE blocks (
        owner text NOT NULL CONSTRAINT blocks_owner REFERENCES accounts,
        other text NOT NULL CONSTRAINT blocks_other REFERENCES accounts,
        PRIMARY KEY (owner, other),
        CHECK (owner <> other)
    );

    -- `members` is kept by the trigger below: its row lock makes those who join one group queue, and the check
    -- then sees them all.
    CREATE TABLE groups (
        chat text PRIMARY KEY CHECK (chat ~ '^g-[0-9a-f]{32}$'),
        name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
        largest integer NOT NULL CHECK (largest > 0),
        members integer NOT NULL DEFAULT 0 CHECK (members >= 0),
        version bigint NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT group_has_room CHECK (members <= largest)
    );

    -- `joined` is the version of the group that they came with: the oldest member is who has the lowest.
    CREATE TABLE group_members (
        chat text NOT NULL REFERENCES groups,
        user_id text NOT NULL CONSTRAINT group_members_account REFERENCES accounts,
        role text NOT NULL CHECK (role IN ('admin', 'member')),
        joined bigint NOT NULL,
        PRIMARY KEY (chat, user_id)
    );
    CREATE INDEX group_members_by_user ON group_members (user_id);

    CREATE FUNCTION count_joined() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE groups SET members = members + joined.n
        FROM (SELECT chat, count(*) AS n FROM changed GROUP BY chat) AS joined
        WHERE groups.chat = joined.chat;
        RETURN NULL;
    END $$;
    CREATE FUNCTION count_left() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE groups SET members = members - departed.n
        FROM (SELECT chat, count(*) AS n FROM changed GROUP BY chat) AS departed
        WHERE groups.chat = departed.chat;
        RETURN NULL;
    END $$;
    CREATE TRIGGER joined AFTER INSERT ON group_members
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_joined();
    CREATE TRIGGER departed AFTER DELETE ON group_members
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_left();

    -- What a request with an idempotency key has made.
    CREATE TABLE group_keys (
        owner text NOT NULL,
        key text NOT NULL,
        fingerprint text NOT NULL,
        chat text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (owner, key)
    );
    CREATE INDEX group_keys_by_age ON group_keys (made_at);

    -- What was committed here and is to be applied to DynamoDB; a row goes when it is. From `due_at` on, the sweep
    -- takes it, if whoever committed it has not.
    CREATE TABLE outbox (
        aggregate text NOT NULL,
        version bigint NOT NULL,
        change jsonb NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        made_at timestamptz NOT NULL DEFAULT now(),
        due_at timestamptz NOT NULL,
        PRIMARY KEY (aggregate, version)
    );
    CREATE INDEX outbox_due ON outbox (due_at);
    """,
)


def handler(event: dict[str, Any], context: Any) -> None:
    """CloudFormation's custom resource. A deleted stack takes its database away itself, or keeps it."""
    answer(event, context, act)


def act(request_type: str, properties: Mapping[str, Any], _old: Mapping[str, Any]) -> Mapping[str, Any]:
    if request_type == "Delete":
        return {}
    host, database, user, region = (str(properties[name]) for name in ("Host", "Database", "User", "Region"))
    connection = connect(host, int(properties["Port"]), database, user, region, answer_s=MIGRATED_WITHIN_S)
    reached = migrate_when_it_answers(connection)
    return {"Version": str(reached)}


def migrate_when_it_answers(
    database: Connection,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """`migrate`, asked for again while a new database does not answer yet. Raises `Unavailable` in the end."""
    until = clock() + WITHIN_S
    while True:
        try:
            return migrate(database)
        except Unavailable as error:
            if clock() >= until:
                raise
            logger.info("the database is not there yet", reason=str(error))
            sleep(POLL_S)


def migrate(database: Connection, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Apply those of `migrations` that this database has not seen; return how many it has seen by now.

    They may be more than there are: of a later release, which was rolled back.
    """

    def next_one(session: Session) -> tuple[int, bool]:
        # Of the transaction, not of the session: that would pin the proxy's connection.
        session.run("SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)
        session.run(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, applied_at timestamptz)"
        )
        [[seen]] = session.run("SELECT count(*) FROM migrations")
        if seen >= len(migrations):
            return int(seen), False
        session.run(migrations[seen])
        session.run("INSERT INTO migrations VALUES (:number, now())", number=seen + 1)
        logger.info("migration applied", number=seen + 1)
        return int(seen) + 1, True

    more = True
    while more:
        seen, more = database.in_transaction(next_one)
    return seen
