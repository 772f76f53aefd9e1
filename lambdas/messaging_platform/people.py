"""The table of people: profiles, devices and their connections, contacts and blocks.

Who is there is written by the directory, from PostgreSQL. A device's connection is written here, by whoever holds the
socket: a device has one connection at a time, the last that was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from lambdas.messaging_platform import keys
from lambdas.shared.errors import Conflict, NotFound
from lambdas.shared.sdk import bounded, bounded_client, code_of, every_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LastSeen = Literal["everyone", "contacts", "nobody"]

# The conditions that keep strangers' devices from being made up, a connection that comes late from taking a newer
# one's place, and a connection's end from ending the next one.
IF_REGISTERED = "attribute_exists(entry)"
IF_NONE_IS_NEWER = "(attribute_not_exists(connected_at) OR connected_at <= :at)"
IF_STILL_THIS = "#connection = :connection"


@dataclass(frozen=True)
class Connection:
    """A socket: `gateway` is "" where API Gateway holds it, else the gateway's URL."""

    id: str
    gateway: str


@dataclass(frozen=True)
class Device:
    """A device of a user. `connection` is None while it has no socket; `connected_at` is epoch milliseconds."""

    user: str
    device: str
    platform: str = ""
    push_token: str = ""
    registered_at: int = 0
    connection: str | None = None
    gateway: str = ""
    connected_at: int | None = None

    @property
    def inbox(self) -> str:
        """The partition of its inbox; also its name among all users' devices."""
        return keys.inbox(self.user, self.device)


@dataclass(frozen=True)
class Profile:
    """What a user lets others see. `quiet_from` to `quiet_to` are minutes of the user's day, None where there are
    none; `utc_offset` is minutes east of UTC.
    """

    user: str
    name: str = ""
    last_seen: LastSeen = "contacts"
    read_receipts: bool = True
    quiet_from: int | None = None
    quiet_to: int | None = None
    utc_offset: int = 0


class People:
    """The table. One for the life of the process; its client is made when first needed, or is `client`'s."""

    def __init__(self, table: str, client: Callable[[], DynamoDBClient] | None = None) -> None:
        self._table = table
        self._make = client or (lambda: cast("DynamoDBClient", bounded_client("dynamodb")))

    def devices_of(self, user: str, *, consistent: bool = False) -> list[Device]:
        """All devices of a user, by their ids; read consistently, those that are connected by now show it."""
        items = every_item(
            self._dynamodb.query,
            TableName=self._table,
            KeyConditionExpression="#user = :user AND begins_with(entry, :device)",
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues={":user": {"S": user}, ":device": {"S": keys.device("")}},
            ConsistentRead=consistent,
        )
        return [_device(each) for each in items]

    def device(self, user: str, device: str, *, consistent: bool = True) -> Device | None:
        """A device of a user, or None where they have none of this id."""
        item = self._get(user, keys.device(device), consistent=consistent)
        return _device(item) if item else None

    def connect(self, user: str, device: str, connection: str, gateway: str, at: int) -> Connection | None:
        """Note a device's new connection, made `at` (epoch ms); return the one that it takes the place of.

        Again is the same. Raises `NotFound` for a device that is not registered, `Conflict` where a newer connection
        is noted: this one was overtaken.
        """
        from botocore.exceptions import ClientError

        try:
            with bounded():
                old = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(user, keys.device(device)),
                    UpdateExpression="SET #connection = :connection, gateway = :gateway, connected_at = :at",
                    ConditionExpression=f"{IF_REGISTERED} AND {IF_NONE_IS_NEWER}",
                    ExpressionAttributeNames={"#connection": "connection"},
                    ExpressionAttributeValues={
                        ":connection": {"S": connection},
                        ":gateway": {"S": gateway},
                        ":at": {"N": str(at)},
                    },
                    ReturnValues="UPDATED_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ).get("Attributes", {})
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            if cast("dict[str, Any]", error.response).get("Item"):
                raise Conflict("this device has a newer connection") from None
            raise NotFound("you have no such device") from None
        # Asked again by the SDK, whose first answer was lost, it finds itself.
        if "connection" not in old or old["connection"]["S"] == connection:
            return None
        return Connection(old["connection"]["S"], old.get("gateway", {}).get("S", ""))

    def disconnect(self, user: str, device: str, connection: str) -> bool:
        """Forget a device's connection, if it still is this one; return whether it was."""
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(user, keys.device(device)),
                    UpdateExpression="REMOVE #connection, gateway, connected_at",
                    ConditionExpression=IF_STILL_THIS,
                    ExpressionAttributeNames={"#connection": "connection"},
                    ExpressionAttributeValues={":connection": {"S": connection}},
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def profile(self, user: str) -> Profile | None:
        """A user's profile, or None where there is no such user."""
        item = self._get(user, keys.PROFILE, consistent=False)
        if item is None:
            return None
        return Profile(
            user,
            name=_text(item, "name"),
            last_seen=cast("LastSeen", _text(item, "last_seen", "contacts")),
            read_receipts=item.get("read_receipts", {}).get("BOOL", True),
            quiet_from=_number(item, "quiet_from"),
            quiet_to=_number(item, "quiet_to"),
            utc_offset=_number(item, "utc_offset") or 0,
        )

    def has_contact(self, user: str, other: str) -> bool:
        """Whether `user` has `other` among their contacts."""
        return self._get(user, keys.contact(other), consistent=False) is not None

    def has_blocked(self, user: str, other: str) -> bool:
        """Whether `user` has blocked `other`; read consistently, so that a block holds at once."""
        return self._get(user, keys.blocked(other), consistent=True) is not None

    def is_blocked(self, one: str, other: str) -> bool:
        """Whether either of the two has blocked the other."""
        return self.has_blocked(one, other) or self.has_blocked(other, one)

    def _get(self, user: str, entry: str, *, consistent: bool) -> dict[str, Any] | None:
        with bounded():
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=_key(user, entry), ConsistentRead=consistent
            )
        return cast("dict[str, Any] | None", answer.get("Item"))

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


def _key(user: str, entry: str) -> dict[str, Any]:
    return {"user": {"S": user}, "entry": {"S": entry}}


def _device(item: dict[str, Any]) -> Device:
    connection = _text(item, "connection")
    return Device(
        user=item["user"]["S"],
        device=item["entry"]["S"].removeprefix(keys.device("")),
        platform=_text(item, "platform"),
        push_token=_text(item, "push_token"),
        registered_at=_number(item, "registered_at") or 0,
        connection=connection or None,
        gateway=_text(item, "gateway"),
        connected_at=_number(item, "connected_at"),
    )


def _text(item: dict[str, Any], attribute: str, default: str = "") -> str:
    return str(item[attribute]["S"]) if attribute in item else default


def _number(item: dict[str, Any], attribute: str) -> int | None:
    return int(item[attribute]["N"]) if attribute in item else None
