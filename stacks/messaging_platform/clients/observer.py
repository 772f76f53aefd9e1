"""What the scenario waits for, and the stores as their owner sees them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from stacks.messaging_platform.clients.device import Device, Person
from stacks.messaging_platform.clients.uploads import Uploader
from workbench.dryrun.sockets import SocketRefused
from workbench.dryrun.world import World

# Each route that names something of somebody else's, and each other one: tests/messaging_platform/test_strangers.py
# holds both to routes.py.
OF_OTHERS = (
    ("GET", "/chats/{chat}"),
    ("GET", "/chats/{chat}/messages"),
    ("GET", "/chats/{chat}/receipts"),
    ("GET", "/groups/{chat}"),
    ("PUT", "/groups/{chat}/members/{user}"),
    ("DELETE", "/groups/{chat}/members/{user}"),
    ("GET", "/sync/{device}"),
    ("POST", "/actions/{device}"),
    ("POST", "/devices/{device}/tickets"),
    ("GET", "/media/{media}"),
    ("DELETE", "/media/{media}"),
    ("GET", "/media/{media}/parts"),
    ("POST", "/media/{media}/complete"),
)
OF_ONESELF = (
    ("GET", "/me"),
    ("PUT", "/me"),
    ("PUT", "/devices/{device}"),
    ("DELETE", "/devices/{device}"),
    ("GET", "/contacts"),
    ("PUT", "/contacts/{user}"),
    ("DELETE", "/contacts/{user}"),
    ("GET", "/blocks"),
    ("PUT", "/blocks/{user}"),
    ("DELETE", "/blocks/{user}"),
    ("GET", "/chats"),
    ("POST", "/chats"),
    ("POST", "/groups"),
    ("POST", "/media"),
)


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

    def lets_in(self, device: Device) -> bool:
        """Whether a socket opens: a deployment is done before its pods are ready."""
        status = self._answer_at(device.ticket())
        assert status is None or status == 101 or status >= 500, status
        return status == 101

    def must_refuse(self, url: str) -> None:
        """No socket opens at `url`."""

        def answered() -> int | None:
            status = self._answer_at(url)
            return None if status is None or status >= 500 else status

        status = self._world.eventually(answered, what="an answer to a handshake")
        assert status in (401, 403), f"{status} at {url.partition('?')[0]}"

    def _answer_at(self, url: str) -> int | None:
        """The status of a handshake; None where nobody answers."""
        try:
            self._world.socket(url).close()
        except SocketRefused as refused:
            return refused.status
        except OSError:
            return None
        return 101

    def inbox(self, device: Device) -> int:
        """How many entries wait for a device."""
        found = self._query("InboxesTable", "device", f"{device.owner.id}#{device.id}")
        return len(found)

    def is_away(self, device: Device) -> bool:
        """Whether the system knows that a device has no socket: it hears of that a moment after the device."""
        return not self.connection_of(device)

    def nobody_says_so(self) -> AbstractContextManager[Any]:
        """Whoever's socket ends meanwhile, API Gateway does not tell; a gateway of the fleet hears it itself."""
        url = self._world.outputs["SocketUrl"]
        return self._world.faults.disconnects_lost(url) if ".execute-api." in url else nullcontext()

    def connection_of(self, device: Device) -> str | None:
        key = {"user": {"S": device.owner.id}, "entry": {"S": f"device#{device.id}"}}
        item = self._item("PeopleTable", key) or {}
        return str(item["connection"]["S"]) if "connection" in item else None

    def nothing_for_a_stranger(
        self, owner: Person, device: Device, direct: str, group: str, media: str
    ) -> None:
        """Somebody who is in neither chat asks for everything, on every route, as themselves."""
        mallory = Person(self._world, "mallory")
        theirs = Device(self._world, mallory, "mallory-phone")
        theirs.register()
        theirs.connect()
        listed = mallory.get("/chats").json()["chats"]
        assert not {direct, group} & {each["chat"] for each in listed}
        for chat in (direct, group):
            for frame in _frames(chat):
                answer = mallory.post(f"/actions/{theirs.id}", frame)
                assert answer.status == 404, (frame, answer.text)
                if "id" in frame:
                    assert theirs.ask(frame)["reason"] == "not_found"
            assert mallory.post("/media", _upload_to(chat)).status == 404
        for chat in (direct, group):
            for user in (mallory.id, owner.id):
                named = {"chat": chat, "device": device.id, "media": media, "user": user}
                for method, path in OF_OTHERS:
                    body = _frames(chat)[0] if method == "POST" else None
                    answer = mallory.ask(method, path.format(**named), body)
                    assert answer.status == 404, (method, path, answer.status, answer.text)
        # A device is named by its own user alone: this one's is another, and the owner's stays.
        assert mallory.delete(f"/devices/{device.id}").status in (204, 404)
        assert device.ticket()
        for method, path in (*OF_OTHERS, *OF_ONESELF):
            for token in ("", "not.a.token"):
                answer = owner.ask(method, path.format(**named), {}, token)
                assert answer.status == 401, (method, path, answer.status)
        self._no_address_but_a_signed_one(owner, media)
        theirs.close()

    def _no_address_but_a_signed_one(self, owner: Person, media: str) -> None:
        told = owner.get(f"/media/{media}").json()
        for signed in (str(told["url"]), str(told["thumbnail_url"])):
            address, _, query = signed.partition("?")
            forged = query.replace("Signature=", "Signature=A", 1)
            other = address.replace(media, "0" * 32)
            for url in (address, f"{address}?{forged}", f"{other}?{query}"):
                assert self._world.http.get(url).status == 403, url
            assert self._world.http.get(signed).status == 200

    def everything_by_http(
        self, person: Person, device: Device, chat: str, *, picture_of: tuple[str, str]
    ) -> None:
        """Every action over HTTP, in a chat; and a picture once more where it was uploaded."""

        def act(frame: dict[str, Any]) -> Any:
            answer = person.post(f"/actions/{device.id}", frame)
            assert answer.status == 200, (frame, answer.text)
            return answer.json()

        sent = _frames(chat)[0]
        first, again = act(sent), act(sent)
        assert (again["seq"], again["repeated"]) == (first["seq"], True)
        gone = act({**sent, "id": uuid.uuid4().hex})
        act({**_frames(chat)[1], "target": first["seq"]})
        act({**_frames(chat)[2], "target": gone["seq"]})
        self.until(lambda: device.shown(chat) >= gone["seq"] + 2, "all of it on the device")
        for action in ("ack", "read"):
            act({"action": action, "chat": chat, "seq": device.shown(chat)})
        group, picture = picture_of
        act({"action": "send", "chat": group, "id": uuid.uuid4().hex, "body": {"media": picture}})
        assert chat in {each["chat"] for each in person.get("/chats").json()["chats"]}
        page = person.get(f"/chats/{chat}/messages?after={first['seq'] - 1}").json()
        assert [each["seq"] for each in page["events"]][:2] == [first["seq"], gone["seq"]]

    def leave_changes_undone(self, one: Person, other: Person, third: Person) -> None:
        """Changes that PostgreSQL has and the tables have not, because DynamoDB fails."""
        function = self._world.outputs["DirectoryFunctionArn"]
        assert one.put(f"/contacts/{third.id}").status in (200, 201, 204)
        made = {"name": "left over", "members": [other.id]}
        with self._world.faults.failing(function, "dynamodb"):
            for answer in (
                one.post("/groups", made, key=uuid.uuid4().hex),
                one.delete(f"/contacts/{third.id}"),
                other.put(f"/blocks/{third.id}"),
                one.put("/me", {"name": one.name, "read_receipts": False}),
            ):
                assert answer.status == 503, answer.text

    def change_a_group(self, founder: Person, chat: str, newcomer: Person, device: Device) -> None:
        """Somebody is added, sees what comes from then on, and leaves; a change that nobody heard of is made once."""
        function, path = self._world.outputs["DirectoryFunctionArn"], f"/groups/{chat}/members/{newcomer.id}"
        with self._world.faults.worker_killed(function, service="dynamodb", action="TransactWriteItems"):
            assert founder.put(path).status >= 500
        answer = founder.put(path)
        assert answer.status in (200, 201, 204), answer.text
        member = newcomer.get(f"/chats/{chat}").json()
        page = newcomer.get(f"/chats/{chat}/messages?after=0").json()["events"]
        assert [each["seq"] for each in page][:1] == [member["since"]], "not what was said before"
        assert newcomer.delete(path).status in (200, 204)
        self.until(
            lambda: device.log(chat)[-1].get("members", {}).get("removed") == [newcomer.id], "who left"
        )
        assert newcomer.put("/me", {"name": newcomer.name, "read_receipts": False}).status == 200

    def sweep_what_is_left(self, one: Person, other: Person, third: Person) -> None:
        """Have the sweep do it, which takes over once nobody can be at it any more; and take the block back."""

        def swept() -> bool:
            answer = self._world.client("lambda").invoke(
                FunctionName=self._world.outputs["SweepFunctionArn"], Payload=b"{}"
            )
            assert "FunctionError" not in answer, answer["Payload"].read()
            blocked = {"user": {"S": other.id}, "entry": {"S": f"blocked#{third.id}"}}
            contact = {"user": {"S": one.id}, "entry": {"S": f"contact#{third.id}"}}
            profile = {"user": {"S": one.id}, "entry": {"S": "profile"}}
            names = [each.get("name") for each in other.get("/chats").json()["chats"]]
            return (
                self._item("PeopleTable", blocked) is not None
                and self._item("PeopleTable", contact) is None
                and (self._item("PeopleTable", profile) or {})["read_receipts"] == {"BOOL": False}
                and "left over" in names
            )

        self.until(swept, "everything is in force", within=90)
        assert other.delete(f"/blocks/{third.id}").status in (200, 204)

    def until_one_waits(self) -> dict[str, Any]:
        """The schedule of the one push that waits, as the scheduler has it."""
        schedules, group = self._world.client("scheduler"), self._world.outputs["QuietGroup"]

        def found() -> list[dict[str, Any]]:
            listed: list[dict[str, Any]] = schedules.list_schedules(GroupName=group)["Schedules"]
            return listed

        [waiting] = self._world.eventually(found, within=30, what="a push waits")
        schedule: dict[str, Any] = schedules.get_schedule(GroupName=group, Name=waiting["Name"])
        return schedule

    def it_is_morning(self, schedule: dict[str, Any]) -> None:
        """Have the scheduler do now what it would do at the schedule's time: nobody waits for that here."""
        soon = datetime.now(UTC) + timedelta(seconds=2)
        self._world.client("scheduler").update_schedule(
            GroupName=schedule["GroupName"],
            Name=schedule["Name"],
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=schedule["Target"],
            ActionAfterCompletion="DELETE",
        )

    def forget_an_upload(self, uploader: Uploader) -> None:
        """An upload is complete by the table, and S3 has expired it before it was looked at."""
        media = uploader.begin(b"never sent", "application/pdf")
        self._dynamodb.update_item(
            TableName=self._world.outputs["MediaTable"],
            Key={"media": {"S": media}},
            UpdateExpression="SET #state = :checking",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":checking": {"S": "checking"}},
        )
        thing = {
            "bucket": {"name": self._world.outputs["UploadsBucket"]},
            "object": {"key": f"{media}/original"},
        }
        body = json.dumps({"Records": [{"eventName": "ObjectCreated:CompleteMultipartUpload", "s3": thing}]})
        self._world.client("sqs").send_message(
            QueueUrl=self._world.outputs["UploadsQueueUrl"], MessageBody=body
        )
        uploader.wait_until(media, "rejected")
        # Others stay, for the stack to take away when it goes.
        for name in ("one", "another"):
            self._world.client("s3").put_object(
                Bucket=self._world.outputs["UploadsBucket"], Key=f"{media}/{name}"
            )

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

    def _item(self, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(TableName=self._world.outputs[table], Key=key, ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

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
            left = {table: [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]}
            while left:  # on AWS, a part of a batch may be throttled
                left = self._dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]


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
