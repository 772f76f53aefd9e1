"""The only module of sign-in that talks to AWS: the table of tickets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, cast

from lambdas.messaging_platform.settings import AuthorizeSettings
from lambdas.shared.sdk import bounded, bounded_client, code_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# What keeps a ticket from being used twice, or late. A test takes it away, and sees it used again.
IF_GOOD = "attribute_exists(ticket) AND expires_at > :now"

_client = bounded_client  # a name of this module's, around which its tests put a cache


@dataclass(frozen=True)
class Holder:
    """Whose ticket it was."""

    user: str
    device: str


class Tickets:
    """The table. One for the life of the process; its client is made when first needed, or is `client`'s."""

    def __init__(
        self,
        table: str,
        client: Callable[[], DynamoDBClient] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._make = client or (lambda: cast("DynamoDBClient", _client("dynamodb")))
        self._clock = clock

    def use(self, ticket: str) -> Holder | None:
        """Use a ticket up: whose it was, or None where there is no such ticket, or none that is good any more.

        Where the answer of DynamoDB is lost and the SDK asks again, the ticket is found used: its holder asks for
        another one, and nobody gets in twice.
        """
        from botocore.exceptions import ClientError

        try:
            with bounded():
                item = self._dynamodb.delete_item(
                    TableName=self._table,
                    Key={"ticket": {"S": ticket}},
                    ConditionExpression=IF_GOOD,
                    ExpressionAttributeValues={":now": {"N": str(int(self._clock()))}},
                    ReturnValues="ALL_OLD",
                ).get("Attributes", {})
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return None
        if "user" not in item or "device" not in item:
            return None
        return Holder(item["user"]["S"], item["device"]["S"])

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


@lru_cache(maxsize=1)
def tickets() -> Tickets:
    """The tickets, as this process's environment says."""
    return Tickets(AuthorizeSettings.from_environment().tickets_table)
