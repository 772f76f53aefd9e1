"""What fan-out reads and writes: chats, members, devices and inboxes in DynamoDB, two queues in SQS.

Members are read consistently: their items are written with the event that they are about, or before it, and the event
must not overtake them on its way here. Of a batch, what DynamoDB or SQS did not take is returned, to be asked again.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.membership import earlier_of
from lambdas.messaging_platform.notifications.logic import Message
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.records import Event, Unreadable
from lambdas.messaging_platform.settings import FanOutSettings
from lambdas.shared.kafka import Record
from lambdas.shared.sdk import LONGEST_MESSAGE, bounded, every_item
from services.messaging_platform.fanout.logic import Member

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

DAY_S = 86_400
PUSHES_AT_ONCE = 10  # of SendMessageBatch
# Of an inbox, for the last message of each chat: a page has the whole of most inboxes, and so many pages of one in
# which much has gathered. A chat beyond them is pushed for with its next message.
WAITING_AT_ONCE, MOST_PAGES = 25, 20


class Store:
    """The tables and the queues. One for the life of the process; threads share it and its clients."""

    def __init__(
        self,
        settings: FanOutSettings,
        client: Callable[[str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock

    def members(self, chat: str) -> list[Member]:
        """All who are or were members of a chat, with what they may see."""
        items = every_item(
            self._dynamodb.query,
            TableName=self._settings.chats_table,
            KeyConditionExpression="chat = :chat AND begins_with(entry, :member)",
            ProjectionExpression="#user, since, #until, earlier",
            ExpressionAttributeNames={"#user": "user", "#until": "until"},
            ExpressionAttributeValues={":chat": {"S": chat}, ":member": {"S": keys.member("")}},
            ConsistentRead=True,
        )
        return [_member(each) for each in items]

    def size(self, chat: str) -> int:
        """How many members a chat has by its head; 0 where there is none."""
        with bounded():
            items = self._dynamodb.query(  # it may query this table, and nothing else
                TableName=self._settings.chats_table,
                KeyConditionExpression="chat = :chat AND entry = :head",
                ProjectionExpression="#members",
                ExpressionAttributeNames={"#members": "members"},
                ExpressionAttributeValues={":chat": {"S": chat}, ":head": {"S": keys.HEAD}},
            )["Items"]
        return int(items[0].get("members", {}).get("N", "0")) if items else 0

    def senders(self, chat: str, after: int, up_to: int) -> set[str]:
        """Who has sent the messages of a chat in (after, up_to]; a hundred long ones are more than a page."""
        items = every_item(
            self._dynamodb.query,
            TableName=self._settings.messages_table,
            KeyConditionExpression="chat = :chat AND entry BETWEEN :first AND :last",
            ProjectionExpression="sender, kind",
            ExpressionAttributeValues={
                ":chat": {"S": chat},
                ":first": {"S": keys.sequence(after + 1)},
                ":last": {"S": keys.sequence(up_to)},
            },
        )
        return {each["sender"]["S"] for each in items if each["kind"]["S"] == "message"}

    def devices_now(self, devices: Sequence[Device]) -> tuple[list[Device], list[Device]]:
        """The devices as they are by now, of those that still are, and those that were not read; 100 at most."""
        wanted = {(each.user, keys.device(each.device)): each for each in devices}
        table = self._settings.people_table
        with bounded():
            answer = self._dynamodb.batch_get_item(
                RequestItems={
                    table: {
                        "Keys": [{"user": {"S": user}, "entry": {"S": entry}} for user, entry in wanted],
                        "ProjectionExpression": "#user, entry, #connection, gateway, connected_at",
                        "ExpressionAttributeNames": {"#user": "user", "#connection": "connection"},
                        "ConsistentRead": True,
                    }
                }
            )
        now = [_device(each) for each in answer["Responses"].get(table, [])]
        left: Any = answer.get("UnprocessedKeys", {}).get(table)
        keys_left = left["Keys"] if left else []
        return now, [wanted[each["user"]["S"], each["entry"]["S"]] for each in keys_left]

    def put_entries(self, event: Event, inboxes: Sequence[str]) -> list[str]:
        """Put an event into inboxes, 25 at most; the same again changes nothing. Returns those that were left."""
        table = self._settings.inboxes_table
        rest = {
            "entry": {"S": keys.inbox_entry(event.chat, event.seq)},
            "event": {"S": records.encode(event).decode()},
            "expires_at": {"N": str(int(self._clock()) + self._settings.inbox_days * DAY_S)},
        }
        with bounded():
            answer = self._dynamodb.batch_write_item(
                RequestItems={
                    table: [{"PutRequest": {"Item": {"device": {"S": each}, **rest}}} for each in inboxes]
                }
            )
        left = cast("list[Any]", answer.get("UnprocessedItems", {}).get(table, []))
        return [str(each["PutRequest"]["Item"]["device"]["S"]) for each in left]

    def waiting(self, inbox: str) -> list[Message]:
        """The last message of others in each chat of which there is one in a device's inbox.

        Read from the end, each chat no further than needed, and at most `MOST_PAGES` pages of all.
        """
        user, device = keys.owner_of(inbox)
        found: dict[str, Message] = {}
        before: str | None = None
        for _ in range(MOST_PAGES):
            page = self._page_of(inbox, before)
            for item in page["Items"]:
                event = _event(item)
                if event is None or event.chat in found:
                    continue
                if event.kind == "message" and event.sender != user:
                    found[event.chat] = Message(user, device, event.chat, event.seq, event.at)
            if "LastEvaluatedKey" not in page:
                break
            last = str(page["LastEvaluatedKey"]["entry"]["S"])
            chat, _, _ = last.partition("#")
            before = f"{chat}#" if chat in found else last
        return list(found.values())

    def _page_of(self, inbox: str, before: str | None) -> Any:
        condition, values = "device = :device", {":device": {"S": inbox}}
        if before is not None:
            condition, values = f"{condition} AND entry < :before", {**values, ":before": {"S": before}}
        with bounded():
            return self._dynamodb.query(
                TableName=self._settings.inboxes_table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=cast(Any, values),
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=WAITING_AT_ONCE,
            )

    def push(self, bodies: Sequence[str]) -> list[str]:
        """Put messages into the push queue, 10 at most, for after the time of grace. Returns those that were left."""
        with bounded():
            answer = self._sqs.send_message_batch(
                QueueUrl=self._settings.push_queue_url,
                Entries=[
                    {"Id": str(place), "MessageBody": body, "DelaySeconds": self._settings.grace_seconds}
                    for place, body in enumerate(bodies)
                ],
            )
        return [bodies[int(each["Id"])] for each in answer.get("Failed", [])]

    def park(self, record: Record, reason: str) -> None:
        """Put a record that cannot be read where people look; of one that no message holds, where it is."""
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        whole = {
            "key": base64.b64encode(record.key).decode(),
            "value": base64.b64encode(record.value).decode(),
        }
        body = json.dumps({"reason": reason, "record": place | whole})
        if len(body) > LONGEST_MESSAGE:
            # Refused by SQS it would come again for ever. What it holds is in the topic, at this place.
            left_out = f"its key, and its value, of {len(record.value)} bytes"
            body = json.dumps({"reason": reason, "record": place, "left_out": left_out})
        with bounded():
            self._sqs.send_message(QueueUrl=self._settings.parked_queue_url, MessageBody=body)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def _sqs(self) -> SQSClient:
        return cast("SQSClient", self._client("sqs"))


def _member(item: dict[str, Any]) -> Member:
    return Member(
        user=item["user"]["S"],
        since=int(item["since"]["N"]),
        until=int(item["until"]["N"]) if "until" in item else None,
        earlier=earlier_of(item),
    )


def _event(item: dict[str, Any]) -> Event | None:
    """The event of an inbox entry; None of one that a later version of the program has written."""
    try:
        event = records.decode(item["event"]["S"])
    except Unreadable:
        return None
    return event if isinstance(event, Event) else None


def _device(item: dict[str, Any]) -> Device:
    return Device(
        user=item["user"]["S"],
        device=item["entry"]["S"].removeprefix(keys.device("")),
        connection=item.get("connection", {}).get("S") or None,
        gateway=item.get("gateway", {}).get("S", ""),
        connected_at=int(item["connected_at"]["N"]) if "connected_at" in item else None,
    )
