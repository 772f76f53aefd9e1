"""The only module of the function that talks to AWS: two DynamoDB tables and one SQS queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.aws_foundations.settings import Settings
from lambdas.shared.sdk import LONGEST_MESSAGE, bounded, bounded_client, transact

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

# What keeps an entry from being counted twice. A test takes it away, and sees it counted twice.
IF_NOT_COUNTED = "attribute_not_exists(entry_id)"
MARKER_LIFETIME_S = 30 * 86_400  # longer than the topic keeps a record


class Store:
    """The tables and the queue. One for the life of the process; its clients are made when first needed."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock

    def count(self, entry_id: str, author: str) -> bool:
        """Add one to the author's entries, once for each `entry_id`; return whether it was the first time."""
        expires_at = int(self._clock()) + MARKER_LIFETIME_S
        failed = transact(
            self._dynamodb,
            [
                {
                    "Put": {
                        "TableName": self._settings.counted_table,
                        "Item": {"entry_id": {"S": entry_id}, "expires_at": {"N": str(expires_at)}},
                        "ConditionExpression": IF_NOT_COUNTED,
                    }
                },
                {
                    "Update": {
                        "TableName": self._settings.authors_table,
                        "Key": {"author": {"S": author}},
                        "UpdateExpression": "ADD entries :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
            ],
        )
        return not failed

    def park(self, record: Mapping[str, Any], reason: str) -> None:
        """Put a record that cannot be read where people look; of one that no message holds, where it is."""
        body = json.dumps({"reason": reason, "record": record})
        if len(body) > LONGEST_MESSAGE:
            # Refused by SQS it would come again for ever. What it holds is in the topic, at this place.
            place = {name: record.get(name) for name in ("topic", "partition", "offset")}
            length = len(str(record.get("value") or ""))
            left_out = f"its key, its headers and its value, of {length} characters in base64"
            body = json.dumps({"reason": reason, "record": place, "left_out": left_out})
        with bounded():
            self._sqs.send_message(QueueUrl=self._settings.parked_queue_url, MessageBody=body)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", bounded_client("dynamodb"))

    @cached_property
    def _sqs(self) -> SQSClient:
        return cast("SQSClient", bounded_client("sqs"))


@lru_cache
def store() -> Store:
    """The process's store."""
    return Store(Settings.from_environment())
