"""What the scenario waits for, and the stores as their owner sees them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from stacks.messaging_platform.clients.device import Device, Person
from workbench.dryrun.sockets import SocketRefused
from workbench.dryrun.world import World


class Chat:
    """The system from outside and from inside."""

    def __init__(self, world: World) -> None:
        self._world = world

    def until(self, holds: Callable[[], object], what: str, within: float = 30.0) -> None:
        """Wait until `holds` is true."""
        self._world.eventually(lambda: bool(holds()), within=within, what=what)

    def all_show(self, chat: str, texts: Sequence[str], *devices: Device) -> None:
        for device in devices:
            self.until(lambda device=device: device.texts(chat) == list(texts), f"{texts} on {device.id}")  # type: ignore[misc]

    def must_refuse(self, url: str) -> None:
        """No socket opens at `url`."""
        status = 101
        try:
            self._world.socket(url).close()
        except SocketRefused as refused:
            status = refused.status
        assert status in (401, 403), f"{status} at {url.partition('?')[0]}"

    def inbox(self, device: Device) -> int:
        """How many entries wait for a device."""
        found = self._query("InboxesTable", "device", f"{device.owner.id}#{device.id}")
        return len(found)

    def connection_of(self, device: Device) -> str | None:
        key = {"user": {"S": device.owner.id}, "entry": {"S": f"device#{device.id}"}}
        item = self._dynamodb.get_item(
            TableName=self._world.outputs["PeopleTable"], Key=key, ConsistentRead=True
        )["Item"]
        return str(item["connection"]["S"]) if "connection" in item else None

    def nothing_for_a_stranger(
        self, owner: Person, device: Device, direct: str, group: str, media: str
    ) -> None:
        """Somebody who is in neither chat asks for everything, on every route, as themselves."""
        mallory = Person(self._world, "mallory")
        theirs = Device(self._world, mallory, "mallory-phone")
        theirs.register()
        theirs.connect()
        for chat in (direct, group):
            for path in (f"/chats/{chat}", f"/chats/{chat}/messages", f"/chats/{chat}/receipts"):
                assert mallory.get(path).status == 404, path
            for frame in _frames(chat):
                answer = mallory.post(f"/actions/{theirs.id}", frame)
                assert answer.status == 404, (frame, answer.text)
                if "id" in frame:
                    assert theirs.ask(frame)["reason"] == "not_found"
            assert mallory.post("/media", _upload_to(chat)).status == 404
        for method, path in (
            ("GET", f"/sync/{device.id}"),
            ("POST", f"/actions/{device.id}"),
            ("POST", f"/devices/{device.id}/tickets"),
            ("GET", f"/groups/{group}"),
            ("PUT", f"/groups/{group}/members/{mallory.id}"),
            ("DELETE", f"/groups/{group}/members/{owner.id}"),
            ("GET", f"/media/{media}"),
            ("GET", f"/media/{media}/parts"),
            ("POST", f"/media/{media}/complete"),
        ):
            answer = mallory.ask(method, path, next(iter(_frames(group))) if method == "POST" else None)
            assert answer.status in (403, 404), (method, path, answer.status, answer.text)
        for token in ("", "not.a.token"):
            for path in ("/me", "/chats", f"/sync/{device.id}", f"/media/{media}"):
                assert owner.get(path, token=token).status == 401, path
        self._no_address_but_a_signed_one(owner, media)
        theirs.close()

    def _no_address_but_a_signed_one(self, owner: Person, media: str) -> None:
        signed = str(owner.get(f"/media/{media}").json()["url"])
        address, _, query = signed.partition("?")
        forged = query.replace("Signature=", "Signature=A", 1)
        other = address.replace(media, "0" * 32)
        for url in (address, f"{address}?{forged}", f"{other}?{query}"):
            assert self._world.http.get(url).status == 403, url
        assert self._world.http.get(signed).status == 200

    def put_what_is_no_event(self, chat: str) -> None:
        """An item that the table's stream shows, and that nobody can read."""
        item = {"chat": {"S": chat}, "entry": {"S": "what is no event"}}
        table = self._world.outputs["MessagesTable"]
        self._dynamodb.put_item(TableName=table, Item=item)

    def parked(self) -> str:
        """All that is parked, as text; it stays there."""
        found = self._world.client("sqs").receive_message(
            QueueUrl=self._world.outputs["ParkedRecordsUrl"], VisibilityTimeout=0, MaxNumberOfMessages=10
        )
        return " ".join(message["Body"] for message in found.get("Messages", []))

    def crowd_of(self, count: int, founder: Person, device: Device) -> str:
        """A group of `count`: made as everybody makes one, and filled by its owner straight in the tables."""
        chat = founder.group("everybody")
        outputs, others = (
            self._world.outputs,
            [f"crowd-{self._world.run_id}-{n:04}" for n in range(count - 1)],
        )
        since, now = {"N": str(device.shown(chat) + 1)}, {"N": "1"}
        self._write(
            outputs["ChatsTable"],
            [
                {
                    "chat": {"S": chat},
                    "entry": {"S": f"member#{user}"},
                    "user": {"S": user},
                    "role": {"S": "member"},
                }
                | {"since": since, "version": now}
                for user in others
            ],
        )
        self._write(
            outputs["PeopleTable"],
            [
                {"user": {"S": user}, "entry": {"S": "device#only"}, "platform": {"S": "test"}}
                | {"push_token": {"S": user}, "registered_at": now}
                for user in others
            ],
        )
        return chat

    def reached(self, chat: str, seq: int, count: int) -> int:
        """How many of the crowd's inboxes have the message."""
        users = [f"crowd-{self._world.run_id}-{n:04}" for n in range(count)]
        table, entry = self._world.outputs["InboxesTable"], f"{chat}#{seq:016}"
        found = 0
        for start in range(0, len(users), 100):
            keys = [
                {"device": {"S": f"{user}#only"}, "entry": {"S": entry}}
                for user in users[start : start + 100]
            ]
            answer = self._dynamodb.batch_get_item(
                RequestItems={table: {"Keys": keys, "ConsistentRead": True}}
            )
            found += len(answer["Responses"][table])
        return found

    @property
    def _dynamodb(self) -> Any:
        return self._world.client("dynamodb")

    def _query(self, table: str, key: str, value: str) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._world.outputs[table],
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":key": {"S": value}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def _write(self, table: str, items: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self._dynamodb.batch_write_item(RequestItems={table: requests})


def _frames(chat: str) -> list[dict[str, Any]]:
    """Every action on a chat."""
    return [
        {"action": "send", "chat": chat, "id": uuid.uuid4().hex, "body": {"text": "let me in"}},
        {"action": "edit", "chat": chat, "id": uuid.uuid4().hex, "target": 1, "body": {"text": "changed"}},
        {"action": "delete", "chat": chat, "id": uuid.uuid4().hex, "target": 1},
        {"action": "ack", "chat": chat, "seq": 1},
        {"action": "read", "chat": chat, "seq": 1},
    ]


def _upload_to(chat: str) -> dict[str, Any]:
    return {"chat": chat, "size": 10, "type": "image/png", "sha256": "0" * 64}
