"""The only module of the notifications that talks to AWS: four tables, the topic of pushes and the scheduler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.notifications.logic import (
    LEASE_S,
    OUTSTANDING_S,
    Busy,
    Lease,
    Message,
    Standing,
    attributes,
    notice,
    write,
)
from lambdas.messaging_platform.settings import NotifySettings
from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import bounded, bounded_client, code_of, every_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# What keeps a device from being pushed to twice for a chat; a test takes it away. A push is out of the way once its
# user has read past it, once it is forgotten, or once whoever claimed it was too long about it.
IF_NONE_IS_OUTSTANDING = (
    "attribute_not_exists(device) OR seq <= :read OR lease <= :now OR expires_at <= :now_s"
)
IF_LEASED = "seq = :seq AND lease = :lease"

# Those who were quiet until seven do not all wake in the same second.
SPREAD_MINUTES = 5
_PAGE = 25


class Store:
    """The tables, the topic and the scheduler. One for the life of the process; its clients are made when needed."""

    def __init__(
        self, settings: NotifySettings, client: Callable[[str], Any] = lambda service: bounded_client(service)
    ) -> None:
        self._settings = settings
        self._client = client

    def standing(self, message: Message) -> Standing:
        """How things are, in one call; read consistently, so that nothing just written is missed."""
        tables = self._settings
        profile, device = keys.PROFILE, keys.device(message.device)
        wanted = {
            tables.people_table: [
                {"user": {"S": message.user}, "entry": {"S": entry}} for entry in (profile, device)
            ],
            tables.chats_table: [{"chat": {"S": message.chat}, "entry": {"S": keys.member(message.user)}}],
            tables.inboxes_table: [
                {
                    "device": {"S": message.inbox},
                    "entry": {"S": keys.inbox_entry(message.chat, message.seq)},
                }
            ],
        }
        with bounded():
            answer = self._dynamodb.batch_get_item(
                RequestItems=cast(
                    Any, {name: {"Keys": asked, "ConsistentRead": True} for name, asked in wanted.items()}
                )
            )
        if answer.get("UnprocessedKeys"):
            raise Unavailable("the store is busy; try again")
        found = cast("dict[str, list[dict[str, Any]]]", answer["Responses"])
        people = {item["entry"]["S"]: item for item in found.get(tables.people_table, [])}
        own, member = people.get(profile, {}), next(iter(found.get(tables.chats_table, [])), None)
        return Standing(
            platform=people[device].get("platform", {}).get("S", "") if device in people else None,
            is_waiting=bool(found.get(tables.inboxes_table)),
            read=None if member is None else _number(member, "read") or 0,
            until=None if member is None else _number(member, "until"),
            quiet_from=_number(own, "quiet_from"),
            quiet_to=_number(own, "quiet_to"),
            utc_offset=_number(own, "utc_offset") or 0,
        )

    def waiting(self, message: Message) -> int | None:
        """The last message of somebody else to the chat that waits in the device's inbox, or None."""
        items = every_item(
            self._dynamodb.query,
            TableName=self._settings.inboxes_table,
            KeyConditionExpression="device = :device AND begins_with(entry, :chat)",
            ExpressionAttributeValues={":device": {"S": message.inbox}, ":chat": {"S": f"{message.chat}#"}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=_PAGE,
        )
        for item in items:
            event = json.loads(item["event"]["S"])
            if event["kind"] == "message" and event["sender"] != message.user:
                return int(event["seq"])
        return None

    def claim(self, message: Message, read: int, now_ms: int) -> Lease | None:
        """The lease of the push, or None where one is outstanding. Raises `Busy` where somebody else is about it."""
        from botocore.exceptions import ClientError

        now_s = now_ms // 1000
        lease = Lease(message.inbox, message.chat, message.seq, now_ms + LEASE_S * 1000)
        item = _key(lease) | {
            "seq": {"N": str(lease.seq)},
            "lease": {"N": str(lease.ends)},
            "at": {"N": str(now_ms)},
            "expires_at": {"N": str(now_s + OUTSTANDING_S)},
        }
        try:
            with bounded():
                self._dynamodb.put_item(
                    TableName=self._settings.pushes_table,
                    Item=cast(Any, item),
                    ConditionExpression=IF_NONE_IS_OUTSTANDING,
                    ExpressionAttributeValues={
                        ":read": {"N": str(read)},
                        ":now": {"N": str(now_ms)},
                        ":now_s": {"N": str(now_s)},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            there = cast("dict[str, Any]", error.response).get("Item", {})
            if "lease" not in there:
                return None
            if int(there["lease"]["N"]) != lease.ends or int(there["seq"]["N"]) != lease.seq:
                raise Busy("another push for this chat is on its way") from None
            # The SDK asked again after its first answer was lost, and found itself.
        return lease

    def settle(self, lease: Lease) -> None:
        """The push is published, and outstanding from now on. Nothing happens where the lease is another's by now."""
        self._end(lease, "REMOVE lease", {})

    def release(self, lease: Lease) -> None:
        """The push is not published: whoever comes next may claim it."""
        self._end(lease, "SET lease = :free", {":free": {"N": "0"}})

    def publish(self, message: Message, platform: str) -> None:
        """Hand the push to the channel. Raises `Unavailable`, or what the topic refuses it with."""
        with bounded():
            self._sns.publish(
                TopicArn=self._settings.push_topic_arn,
                Message=notice(message),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes(message, platform).items()
                },
            )

    def defer(self, message: Message, until_s: int) -> None:
        """Have the message come again at `until_s`. Again, and of another message of the chat, is the same schedule.

        The name has the moment in it: a schedule that has just fired is there for a while yet, and would otherwise
        take the place of the next night's. Source: "Deleting a schedule" (EventBridge Scheduler User Guide).
        """
        from botocore.exceptions import ClientError

        moment = datetime.fromtimestamp(until_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        try:
            with bounded():
                self._scheduler.create_schedule(
                    Name=schedule_name(message, until_s),
                    GroupName=self._settings.schedule_group,
                    ScheduleExpression=f"at({moment})",
                    ScheduleExpressionTimezone="UTC",
                    FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": SPREAD_MINUTES},
                    ActionAfterCompletion="DELETE",
                    Target={
                        "Arn": self._settings.push_queue_arn,
                        "RoleArn": self._settings.schedule_role_arn,
                        "Input": write(message),
                    },
                )
        except ClientError as error:
            if code_of(error) != "ConflictException":
                raise

    def _end(self, lease: Lease, change: str, values: dict[str, Any]) -> None:
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._settings.pushes_table,
                    Key=cast(Any, _key(lease)),
                    UpdateExpression=change,
                    ConditionExpression=IF_LEASED,
                    ExpressionAttributeValues={
                        ":seq": {"N": str(lease.seq)},
                        ":lease": {"N": str(lease.ends)},
                        **values,
                    },
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def _sns(self) -> Any:
        return self._client("sns")

    @cached_property
    def _scheduler(self) -> Any:
        return self._client("scheduler")


def schedule_name(message: Message, until_s: int) -> str:
    """What the schedule of a device and a chat is called that fires at `until_s`: at most 64 characters."""
    whose = hashlib.sha256(f"{message.inbox}\n{message.chat}".encode()).hexdigest()[:40]
    return f"push-{whose}-{until_s}"


@lru_cache(maxsize=1)
def store() -> Store:
    """The store of this process, as its environment says."""
    return Store(NotifySettings.from_environment())


def _key(lease: Lease) -> dict[str, Any]:
    return {"device": {"S": lease.inbox}, "chat": {"S": lease.chat}}


def _number(item: dict[str, Any], attribute: str) -> int | None:
    return int(item[attribute]["N"]) if attribute in item else None
