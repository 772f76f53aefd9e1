"""Chats to play in, who plays there, and messaging as its clients see it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.frames import Reply
from lambdas.messaging_platform.messaging import api, logic, socket
from lambdas.messaging_platform.messaging.models import Caller
from lambdas.messaging_platform.messaging.store import Messages
from lambdas.messaging_platform.records import Event
from lambdas.shared.sdk import bounded_client

# Keys of every table, as keys.py describes them.
KEYS: Mapping[str, Sequence[str]] = {
    "messages": ("chat", "entry"),
    "sent": ("key",),
    "chats": ("chat", "entry"),
    "people": ("user", "entry"),
    "inboxes": ("device", "entry"),
    "tickets": ("ticket",),
    "presence": ("user", "device"),
    "media": ("media",),
    "pushes": ("device", "chat"),
    "limits": ("key",),
}
Query = Mapping[str, Any] | None
NOW_MS = 1_790_000_000_000
MEET_WITHIN_S = 60.0  # a machine with other things to do is waited for, and nobody for ever
CONTEXT = SimpleNamespace(aws_request_id="function-request", get_remaining_time_in_millis=lambda: 30_000)
shared_client = lru_cache(bounded_client)  # reading the SDK's service models costs more than any test


@dataclass(frozen=True)
class Tables:
    """The tables of one test, by name; as much of any program's settings as they are."""

    messages_table: str
    sent_table: str
    chats_table: str
    people_table: str
    inboxes_table: str
    tickets_table: str
    presence_table: str
    media_table: str
    pushes_table: str
    limits_table: str
    messages_a_minute: int = 10_000


def as_attributes(document: Mapping[str, Any]) -> dict[str, Any]:
    """A flat document as an item of DynamoDB."""
    kinds: dict[type, Callable[[Any], Any]] = {
        bool: lambda value: {"BOOL": value},
        int: lambda value: {"N": str(value)},
        str: lambda value: {"S": value},
    }
    return {name: kinds[type(value)](value) for name, value in document.items() if value is not None}


@dataclass
class Town:
    """Puts chats, people and media where the directory and the media API would; and plays fan-out."""

    tables: Tables
    dynamodb: Any

    def direct(self, one: str = "ann", other: str = "bob") -> str:
        """The chat of two people."""
        return self._chat(keys.direct_chat(one, other), "direct", "", (one, other))

    def group(self, *members: str, name: str = "friends") -> str:
        return self._chat(f"g-{uuid.uuid4().hex}", "group", name, members)

    def join(self, chat: str, user: str, *, since: int = 1, until: int | None = None, **more: Any) -> None:
        """Make somebody a member, or one who was."""
        place = {"chat": chat, "entry": keys.member(user), "user": user, "role": "member", "since": since}
        self.put(self.tables.chats_table, {**place, "until": until, **more})

    def device(self, user: str, device: str = "phone") -> Caller:
        self.put(self.tables.people_table, {"user": user, "entry": keys.device(device), "platform": "test"})
        return Caller(user, device)

    def frame(self, user: str, body: str | None, device: str = "phone") -> Reply:
        """The socket's reply to a frame from a device that is registered."""
        self.device(user, device)
        return frame(user, body, device)

    def block(self, user: str, other: str) -> None:
        self.put(self.tables.people_table, {"user": user, "entry": keys.blocked(other), "version": 1})

    def media(self, media: str, owner: str, chat: str, state: str = "ready") -> None:
        place = {"media": media, "owner": owner, "chat": chat, "state": state}
        self.put(self.tables.media_table, {**place, "type": "image/png", "size": 7})

    def deliver(self, user: str, device: str, *events: Event) -> None:
        """Put events into a device's inbox, as fan-out does."""
        for event in events:
            entry = keys.inbox_entry(event.chat, event.seq)
            place = {"device": keys.inbox(user, device), "entry": entry}
            self.put(self.tables.inboxes_table, {**place, "event": records.encode(event).decode()})

    def inbox(self, user: str, device: str = "phone") -> list[str]:
        """The entries that a device's inbox has."""
        found = self.dynamodb.query(
            TableName=self.tables.inboxes_table,
            KeyConditionExpression="device = :device",
            ExpressionAttributeValues={":device": {"S": keys.inbox(user, device)}},
        )
        return [each["entry"]["S"] for each in found["Items"]]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table, in the order of its sort keys."""
        found = self.dynamodb.scan(TableName=table)["Items"]
        return sorted(found, key=lambda each: each.get("entry", {}).get("S", ""))

    def put(self, table: str, document: Mapping[str, Any]) -> None:
        self.dynamodb.put_item(TableName=table, Item=as_attributes(document))

    def _chat(self, chat: str, kind: str, name: str, members: Sequence[str]) -> str:
        head = {"chat": chat, "entry": keys.HEAD, "kind": kind, "name": name, "seq": 0}
        self.put(self.tables.chats_table, {**head, "members": len(members), "version": 1})
        for each in members:
            self.join(chat, each)
        return chat


@dataclass
class Talk:
    """Frames to the logic, by somebody with a device; the clock stands unless it is moved."""

    store: Messages
    now_ms: int = NOW_MS
    made: int = 0

    def act(self, user: str, frame: Mapping[str, Any], device: str = "phone") -> Reply:
        return logic.act(Caller(user, device), frame, self.now_ms, self.store)

    def send(self, user: str, chat: str, text: str = "hello", *, id: str | None = None) -> Reply:
        body = {"text": text}
        return self.act(user, {"action": "send", "chat": chat, "id": id or self.new_id(), "body": body})

    def edit(self, user: str, chat: str, target: int, text: str, *, id: str | None = None) -> Reply:
        frame = {"action": "edit", "chat": chat, "id": id or self.new_id(), "target": target}
        return self.act(user, {**frame, "body": {"text": text}})

    def delete(self, user: str, chat: str, target: int, *, id: str | None = None) -> Reply:
        return self.act(user, {"action": "delete", "chat": chat, "id": id or self.new_id(), "target": target})

    def new_id(self) -> str:
        self.made += 1
        return f"id-{self.made}"


@contextmanager
def meeting(client: Any, call: str, parties: int) -> Iterator[None]:
    """Have the first `call` that each of `parties` threads makes wait until all of them are about to make theirs.

    So each has read what decides before the first of them writes, whatever the machine does. Where fewer come, who
    waits fails after a bound.
    """
    barrier, make, met = threading.Barrier(parties), getattr(client, call), threading.local()

    def wait_and_make(**arguments: Any) -> Any:
        if not hasattr(met, "others"):
            met.others = barrier.wait(MEET_WITHIN_S)
        return make(**arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, call, wait_and_make)
        yield


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def http(method: str, path: str, user: str | None, body: Any = None, query: Query = None) -> Answer:
    """The messaging API's answer."""
    return ask(api.handler, method, path, user, body, query)


def ask(
    handler: Callable[[dict[str, Any], Any], dict[str, Any]],
    method: str,
    path: str,
    user: str | None,
    body: Any = None,
    query: Query = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """What an API answers behind the gateway that knows the caller; `body` is text, or what is made JSON of."""
    context: dict[str, Any] = {
        "requestId": uuid.uuid4().hex,
        "stage": "$default",
        "http": {"method": method, "path": path},
    }
    if user is not None:
        context["authorizer"] = {"jwt": {"claims": {"sub": user}, "scopes": None}}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": context,
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = {name: str(value) for name, value in query.items()}
    response = handler(event, CONTEXT)
    return Answer(response["statusCode"], dict(response.get("headers") or {}), response.get("body") or "")


def frame(user: str, body: str | None, device: str = "phone") -> Reply:
    """The socket's reply to a frame."""
    authorizer = {"user": user, "device": device, "principalId": user}
    context = {"requestId": uuid.uuid4().hex, "connectionId": "c", "authorizer": authorizer}
    response = socket.handler({"requestContext": context, "body": body}, CONTEXT)
    assert response["statusCode"] == 200
    reply: Reply = json.loads(response["body"])
    return reply


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, with the keys of each line."""
    return str([vars(each) for each in caplog.records])
