"""The only module that talks to AWS: four DynamoDB tables and one SQS queue.

Every write that must happen once carries its condition, so that DynamoDB, which sees all writers, decides;
nothing here reads first and writes after. Throttling, time-outs and contention that outlast the retries are
`Unavailable`, in less than API Gateway's 30 seconds; any other failure of a call is a fault of the
deployment, and is raised as it is.

Reads of links are strongly consistent, for twice the price of a read: a link redirects as soon as it is made,
and never again once it is deleted. The index of owners can't be read so: a list may lag behind by a moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.shared.errors import NotFound
from lambdas.shared.sdk import bounded, bounded_client, code_of, transact
from lambdas.url_shortener.records import (
    AlreadyCounted,
    CodeTaken,
    KeyTaken,
    Link,
    Page,
    Remembered,
    Target,
)
from lambdas.url_shortener.settings import OWNER_INDEX, Settings

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef
    from types_boto3_sqs import SQSClient

# The conditions that keep the promises. A test takes each of them away, and sees the promise break.
IF_CODE_IS_NEW = "attribute_not_exists(code)"
IF_KEY_IS_NEW = "attribute_not_exists(#key) OR expires_at <= :now"
IF_OWNED = "#owner = :owner"
IF_NOT_COUNTED = "attribute_not_exists(click_id)"

# Longer than a click can wait: 14 days in the queue and its dead-letter queue, and 14 more after a redrive.
MARKER_LIFETIME_S = 30 * 86_400

ATTEMPTS = 3
CONNECT_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 1.0
# A click is worth less than the visitor's patience.
CLICK_TIMEOUT_S = 0.3

CONTENTION_ATTEMPTS = 6
CONTENTION_BACKOFF_S = 0.03

_client = bounded_client  # a name of this module's, around which its tests put a cache


class Store:
    """The tables and the queue. One for the life of the process; its clients are made when first needed."""

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep

    # Links

    def find_target(self, code: str) -> Target | None:
        """Where `code` points, or None where it was never given out."""
        # `code` is read too: of a tombstone, nothing else is left to read.
        item = self._get(
            self._settings.links_table, {"code": {"S": code}}, "code, #url, expires_at", {"#url": "url"}
        )
        if item is None:
            return None
        return Target(url=item["url"]["S"] if "url" in item else None, expires_at=_optional_number(item))

    def find_owner(self, code: str) -> str | None:
        """Whose `code` is, deleted ones included, or None where it was never given out."""
        item = self._get(self._settings.links_table, {"code": {"S": code}}, "#owner", {"#owner": "owner"})
        return item["owner"]["S"] if item else None

    def add_link(self, link: Link, request_id: str) -> None:
        """Keep a link; raises `CodeTaken`, having changed nothing, when the code was given out before.

        The item remembers its request: when an answer of DynamoDB's is lost, the SDK asks again, and must not
        take its own first success for someone else's link.
        """
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.put_item(
                    TableName=self._settings.links_table,
                    Item=_link_item(link, request_id),
                    ConditionExpression=IF_CODE_IS_NEW,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            there = cast("dict[str, Any]", error.response).get("Item", {})
            if there.get("request_id") != {"S": request_id}:
                raise CodeTaken from None

    def add_link_once(self, link: Link, request_id: str, key: str, outcome: Remembered, now_s: int) -> None:
        """Keep a link and, in the same transaction, the outcome under its idempotency key.

        Raises `KeyTaken` or `CodeTaken`, having changed nothing. One transaction, not one write after the
        other (as Powertools' idempotency does): a crash between the two would leave a link whose key is
        forgotten, or a key that answers for a link that never came to be.
        """
        remembered = {
            "key": {"S": key},
            "fingerprint": {"S": outcome.fingerprint},
            "code": {"S": outcome.code},
            "created_at": {"S": outcome.created_at},
            "expires_at": {"N": str(outcome.forget_at)},
        }
        if outcome.link_expires_at is not None:
            remembered["link_expires_at"] = {"N": str(outcome.link_expires_at)}
        failed = self._transact(
            [
                {
                    "Put": {
                        "TableName": self._settings.idempotency_table,
                        "Item": remembered,
                        "ConditionExpression": IF_KEY_IS_NEW,
                        "ExpressionAttributeNames": {"#key": "key"},
                        "ExpressionAttributeValues": {":now": {"N": str(now_s)}},
                    }
                },
                {
                    "Put": {
                        "TableName": self._settings.links_table,
                        "Item": _link_item(link, request_id),
                        "ConditionExpression": IF_CODE_IS_NEW,
                    }
                },
            ]
        )
        if 0 in failed:
            raise KeyTaken
        if 1 in failed:
            raise CodeTaken

    def find_remembered(self, key: str) -> Remembered | None:
        """The outcome under an idempotency key, also one past its time that DynamoDB has not deleted yet."""
        item = self._get(self._settings.idempotency_table, {"key": {"S": key}})
        if item is None:
            return None
        return Remembered(
            fingerprint=item["fingerprint"]["S"],
            code=item["code"]["S"],
            created_at=item["created_at"]["S"],
            link_expires_at=_optional_number(item, "link_expires_at"),
            forget_at=int(item["expires_at"]["N"]),
        )

    def delete_link(self, code: str, owner: str, at: str) -> None:
        """Leave a tombstone in a link's place; again is the same. Raises `NotFound` unless it is the owner's.

        Without `listed_at` the item is no longer in the index; without `url` there is nothing left to
        redirect to.
        """
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._settings.links_table,
                    Key={"code": {"S": code}},
                    UpdateExpression="SET deleted_at = if_not_exists(deleted_at, :at) REMOVE #url, listed_at",
                    ConditionExpression=IF_OWNED,
                    ExpressionAttributeNames={"#owner": "owner", "#url": "url"},
                    ExpressionAttributeValues={":owner": {"S": owner}, ":at": {"S": at}},
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            raise NotFound("you have no such link") from None

    def list_links(self, owner: str, before: str | None, limit: int) -> Page:
        """Up to `limit` links of `owner`, newest first, from those listed before the position `before`."""
        condition = "#owner = :owner" + (" AND listed_at < :before" if before else "")
        values = {":owner": {"S": owner}} | ({":before": {"S": before}} if before else {})
        with bounded():
            items = self._dynamodb.query(
                TableName=self._settings.links_table,
                IndexName=OWNER_INDEX,
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                Limit=limit + 1,  # one more tells whether there is a next page
            )["Items"]
        links = [
            Link(
                code=item["code"]["S"],
                url=item["url"]["S"],
                owner=owner,
                created_at=item["created_at"]["S"],
                expires_at=_optional_number(item),
            )
            for item in items[:limit]
        ]
        return Page(links, items[limit - 1]["listed_at"]["S"] if len(items) > limit else None)

    # Clicks

    def send_click(self, message: str) -> None:
        """Put a click into the queue: one attempt, `CLICK_TIMEOUT_S` to connect and as much to answer."""
        self._sqs.send_message(QueueUrl=self._settings.click_queue_url, MessageBody=message)

    def count_clicks(self, code: str, day: date, click_ids: Sequence[str], now_s: int) -> None:
        """Add clicks to the counter of a day, all or none, each at most once for ever.

        Raises `AlreadyCounted` with those of the ids that were counted before; then nothing was counted. At
        most `CLICKS_AT_ONCE` ids at once.
        """
        forget_at = {"N": str(now_s + MARKER_LIFETIME_S)}
        markers: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self._settings.click_markers_table,
                    "Item": {"click_id": {"S": click_id}, "expires_at": forget_at},
                    "ConditionExpression": IF_NOT_COUNTED,
                }
            }
            for click_id in click_ids
        ]
        counter: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._settings.clicks_table,
                "Key": {"code": {"S": code}, "day": {"S": _day_key(day)}},
                "UpdateExpression": "ADD clicks :clicks",
                "ExpressionAttributeValues": {":clicks": {"N": str(len(click_ids))}},
            }
        }
        if failed := self._transact([*markers, counter]):
            raise AlreadyCounted({click_ids[place] for place in failed})

    def clicks_by_day(self, code: str, first: date, last: date) -> dict[date, int]:
        """The days from `first` to `last` that have clicks, and how many."""
        with bounded():
            items = self._dynamodb.query(
                TableName=self._settings.clicks_table,
                KeyConditionExpression="code = :code AND #day BETWEEN :first AND :last",
                ExpressionAttributeNames={"#day": "day"},
                ExpressionAttributeValues={
                    ":code": {"S": code},
                    ":first": {"S": _day_key(first)},
                    ":last": {"S": _day_key(last)},
                },
            )["Items"]
        prefix = len("day#")
        return {date.fromisoformat(item["day"]["S"][prefix:]): int(item["clicks"]["N"]) for item in items}

    # The SDK

    def _get(
        self,
        table: str,
        key: dict[str, Any],
        projection: str | None = None,
        names: dict[str, str] | None = None,
    ) -> dict[str, Any] | None:
        wanted: dict[str, Any] = {}
        if projection:
            wanted = {"ProjectionExpression": projection, "ExpressionAttributeNames": names}
        with bounded():
            answer = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True, **wanted)
        return cast("dict[str, Any] | None", answer.get("Item"))

    def _transact(self, items: list[TransactWriteItemTypeDef]) -> set[int]:
        return transact(
            self._dynamodb,
            items,
            attempts=CONTENTION_ATTEMPTS,
            backoff_s=CONTENTION_BACKOFF_S,
            sleep=self._sleep,
        )

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", _client("dynamodb", CONNECT_TIMEOUT_S, READ_TIMEOUT_S, ATTEMPTS))

    @cached_property
    def _sqs(self) -> SQSClient:
        return cast("SQSClient", _client("sqs", CLICK_TIMEOUT_S, CLICK_TIMEOUT_S, attempts=1))


@lru_cache(maxsize=1)
def store() -> Store:
    """The store of this process, as its environment says."""
    return Store(Settings.from_environment())


def _link_item(link: Link, request_id: str) -> dict[str, Any]:
    item = {
        "code": {"S": link.code},
        "url": {"S": link.url},
        "owner": {"S": link.owner},
        "created_at": {"S": link.created_at},
        "listed_at": {
            "S": f"{link.created_at}#{link.code}"
        },  # two links of one millisecond differ by their code
        "request_id": {"S": request_id},
    }
    if link.expires_at is not None:
        item["expires_at"] = {"N": str(link.expires_at)}
    return item


def _day_key(day: date) -> str:
    return f"day#{day.isoformat()}"


def _optional_number(item: dict[str, Any], attribute: str = "expires_at") -> int | None:
    return int(item[attribute]["N"]) if attribute in item else None
