"""The directory as its clients see it: a real PostgreSQL, DynamoDB in the process, and what a crash leaves.

A test module takes what it needs by importing the fixtures' names.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from lambdas.messaging_platform.directory import api, projection, schema, store, sweep
from lambdas.messaging_platform.directory.logic import Directory
from lambdas.messaging_platform.directory.projection import Projection
from lambdas.messaging_platform.directory.store import Store
from lambdas.messaging_platform.settings import DATABASE_NAME, DirectorySettings
from lambdas.shared import postgres
from tests.messaging_platform.town import CONTEXT, Answer, Tables, ask, shared_client
from tests.postgres_server import REGION, USER, Server, postgres_server

LARGEST_GROUP = 1_000
STATE = ("accounts", "contacts", "blocks", "groups", "group_members", "group_keys", "outbox")


@dataclass
class Crash(Exception):
    """The process ends here."""


@dataclass
class Faulty:
    """A client of DynamoDB that ends the process at a call, before it is done or after."""

    client: Any
    at: int
    after: bool
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.client, name)
        if not callable(asked) or name in ("get_paginator", "can_paginate"):
            return asked

        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == self.at and not self.after:
                raise Crash
            answer = asked(**arguments)
            if len(self.calls) == self.at:
                raise Crash
            return answer

        return call


@dataclass
class Ground:
    """The directory on a test's own tables, in a database that was emptied."""

    server: Server
    tables: Tables
    settings: DirectorySettings
    dynamodb: Any
    naps: list[float] = field(default_factory=list)

    def truth(self, largest_group: int = LARGEST_GROUP) -> Store:
        """The database, by a connection of its own."""
        return Store(self.server.connection(), largest_group)

    def projection(self, client: Any = None, receipts: Callable[..., Any] | None = None) -> Projection:
        """The tables, through `client` where that is given."""
        used = client or self.dynamodb
        return Projection(
            self.settings, receipts or self.truth().receipts, client=lambda: used, sleep=self.naps.append
        )

    def directory(self, client: Any = None) -> Directory:
        truth = self.truth()
        return Directory(truth, self.projection(client, truth.receipts))

    def people(self, *users: str, **profile: Any) -> None:
        """Have these users sign up."""
        for user in users:
            assert self.put("/me", user, {"name": user.title(), **profile}).status == 200

    def group(self, owner: str, *members: str, name: str = "friends", key: str | None = None) -> str:
        """A group that the owner has made."""
        made = self.make_group(owner, *members, name=name, key=key)
        assert made.status == 201, made.body
        return str(made.json["chat"])

    def make_group(self, owner: str, *members: str, name: str = "friends", key: str | None = None) -> Answer:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.call("POST", "/groups", owner, {"name": name, "members": list(members)}, headers=headers)

    def get(self, path: str, user: str | None, **query: Any) -> Answer:
        return self.call("GET", path, user, query=query)

    def put(self, path: str, user: str | None, body: Any = None) -> Answer:
        return self.call("PUT", path, user, body)

    def post(self, path: str, user: str | None, body: Any = None) -> Answer:
        return self.call("POST", path, user, body)

    def delete(self, path: str, user: str | None) -> Answer:
        return self.call("DELETE", path, user)

    call = staticmethod(partial(ask, api.handler))

    def sweep(self) -> dict[str, Any]:
        """What the schedule does, once all that waits is due."""
        self.server.query("UPDATE outbox SET due_at = now() - interval '1 second'")
        return sweep.handler({}, CONTEXT)

    def pending(self) -> list[tuple[str, int]]:
        """The changes that are still to be applied."""
        rows = self.server.query("SELECT aggregate, version FROM outbox ORDER BY aggregate, version")
        return [(str(aggregate), int(version or 0)) for aggregate, version in rows]

    # What the other services see

    def items(self, table: str) -> dict[tuple[str, ...], dict[str, Any]]:
        """Everything in a table, in Python's values, by its keys."""
        found = {}
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                plain = {name: _plain(value) for name, value in item.items()}
                key = tuple(str(plain[name]) for name in ("chat", "user", "entry") if name in plain)
                found[key] = plain
        return found

    def chat(self, chat: str) -> dict[str, dict[str, Any]]:
        """The head and the members of a chat, by their entries."""
        items = self.items(self.tables.chats_table)
        return {item["entry"]: item for item in items.values() if item["chat"] == chat}

    def events(self, chat: str) -> list[dict[str, Any]]:
        """The events of a chat, in their order."""
        items = [each for each in self.items(self.tables.messages_table).values() if each["chat"] == chat]
        return sorted(items, key=lambda item: str(item["entry"]))

    def seen(self) -> dict[str, Any]:
        """All that was applied; the time of an event is its own."""
        tables = (self.tables.people_table, self.tables.chats_table, self.tables.messages_table)
        return {
            table.partition("-")[0]: {
                key: {name: value for name, value in item.items() if name != "at"}
                for key, item in self.items(table).items()
            }
            for table in tables
        }


def _plain(value: Mapping[str, Any]) -> Any:
    [(kind, plain)] = value.items()
    return int(plain) if kind == "N" else plain


@pytest.fixture(scope="module")
def server(aws: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the directory's tables."""
    with postgres_server(tmp_path_factory.mktemp("postgres"), DATABASE_NAME) as running:
        schema.migrate(running.connection())
        yield running


@pytest.fixture
def ground(
    server: Server, tables: Tables, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    """The ground, with the process's environment as the stack would write it."""
    settings = DirectorySettings(
        aws_region=REGION,
        database_host=server.proxy.host,
        database_port=server.proxy.port,
        database_name=server.database,
        database_user=USER,
        people_table=tables.people_table,
        chats_table=tables.chats_table,
        messages_table=tables.messages_table,
        sent_table=tables.sent_table,
        tickets_table=tables.tickets_table,
        socket_url="wss://socket.example/live",
    )
    server.query(f"TRUNCATE {', '.join(STATE)}")
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(projection, "bounded_client", shared_client)
    _forget()
    yield Ground(server, tables, settings, dynamodb)
    store.store()._database.close()
    _forget()


def _forget() -> None:
    for cached in (store.store, projection.directory, postgres.connect):
        cached.cache_clear()
