"""The SDK as every store uses it: clients that give up in time, and transactions among many writers.

    client = bounded_client("dynamodb")    # in a cached property: made when first needed, never at import
    with bounded():
        client.get_item(...)               # what the SDK gave up on is `Unavailable`
    failed = transact(client, items)       # the places whose condition failed; empty: all of it is written
    for item in every_item(client.query, TableName=...):
        ...                                # of all pages

Importing this imports nothing of the SDK: a cold start pays for that where it first calls AWS, and only then.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lambdas.shared.errors import Unavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# "Quotas in Amazon DynamoDB": items of a BatchWriteItem, of a BatchGetItem and of a transaction. "Amazon SQS message
# quotas": bytes.
WRITTEN_AT_ONCE, READ_AT_ONCE, IN_A_TRANSACTION = 25, 100, 100
LONGEST_MESSAGE = 1_048_576
TOO_MANY_REQUESTS, SERVERS_OWN = 429, 500  # of HTTP; the servers' own errors are from there on

T = TypeVar("T")

# Those that do not say it by a word of "throttle", as most services do.
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionConflictException",  # a transaction holds the item: the call is soon worth making again
        "TransactionInProgressException",
    }
)
_CONTENDED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


def bounded_client(
    service: str,
    connect_s: float = 0.5,
    read_s: float = 1.0,
    attempts: int = 3,
    *,
    connections: int = 10,
    endpoint_url: str | None = None,
    **more: Any,
) -> object:
    """A client of `service` whose calls end, retries included, well before API Gateway's 30 seconds do.

    `connections` is how many threads may call at once: a further one makes a connection, and TLS with it, for its
    call alone. `endpoint_url` is where the service is, if not at its own address; `more` is botocore's `Config`'s.
    """
    # botocore alone: boto3 adds resources that nothing here uses, and their loading to every cold start.
    from botocore.config import Config
    from botocore.session import get_session

    return get_session().create_client(
        service,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=connect_s,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=connections,
            tcp_keepalive=True,  # what waits for its next call is not dropped by the network in between
            **more,
        ),
    )


@contextmanager
def bounded() -> Iterator[None]:
    """Turn what the SDK gave up on (throttling, conflicts, time-outs, the service's errors) into `Unavailable`.

    Any other failure of a call, a failed condition included, is raised as it is.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable("the store does not answer; try again") from error
    except ClientError as error:
        if _is_passing(error):
            raise Unavailable("the store is busy; try again") from error
        raise


def _is_passing(error: ClientError) -> bool:
    """Whether the same call may soon go well ("RequestThrottled" of SQS, "KMS.ThrottlingException" through it)."""
    code, status = code_of(error), error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "Throttl" in code or code in _THROTTLED or status == TOO_MANY_REQUESTS or status >= SERVERS_OWN


def transact(
    client: DynamoDBClient,
    items: Sequence[TransactWriteItemTypeDef],
    *,
    attempts: int = 6,
    backoff_s: float = 0.03,
    sleep: Callable[[float], None] = time.sleep,
) -> set[int]:
    """Write all of `items`, or none and return the places of those whose condition failed.

    A transaction that meets another one at the same item is cancelled and is worth trying again, before its
    failed conditions mean anything: the other may be the same request, a moment ahead. Raises `Unavailable`
    when contention outlasts `attempts`.
    """
    from botocore.exceptions import ClientError

    for attempt in range(attempts):
        if attempt:
            # Chance only spreads the writers; nothing is kept secret by it.
            jitter = random.uniform(0.5, 1)  # noqa: S311
            sleep(jitter * backoff_s * 2**attempt)
        try:
            with bounded():
                client.transact_write_items(TransactItems=items)
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise
            reasons = [
                reason.get("Code", "None")
                for reason in cast("dict[str, Any]", error.response).get("CancellationReasons", [])
            ]
            if _CONTENDED.isdisjoint(reasons):
                failed = {place for place, reason in enumerate(reasons) if reason == "ConditionalCheckFailed"}
                if not failed:
                    raise
                return failed
        else:
            return set()
    raise Unavailable("too many writers at once; try again")


def every_item(ask: Callable[..., Any], **request: Any) -> Iterator[dict[str, Any]]:
    """The items of a query of DynamoDB (`ask` is the client's), of page after page. Raises `Unavailable`."""
    while True:
        with bounded():
            page = ask(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def batches(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """All of `items` in their order, at most so many at a time."""
    left = iter(items)
    while batch := list(islice(left, most)):
        yield batch


@contextmanager
def instead_of(code: str, problem: Exception) -> Iterator[None]:
    """Raise `problem` where AWS answers with an error of this code."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) != code:
            raise
        raise problem from None


def secret_of(arn: str) -> str:
    """The text of a secret, "" of none. Raises `Unavailable`."""
    if not arn:
        return ""
    client: Any = bounded_client("secretsmanager")
    with bounded():
        return str(client.get_secret_value(SecretId=arn)["SecretString"])


def code_of(error: ClientError) -> str:
    """The code of an error of AWS, such as "ConditionalCheckFailedException"."""
    return str(error.response.get("Error", {}).get("Code"))
