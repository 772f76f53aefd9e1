"""Clients that give up in time: what that means, and what it costs a cold start."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import batches, bounded, bounded_client, every_item, instead_of, transact

pytestmark = pytest.mark.fast


def _refused(code: str, status: int = 400, **rest: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **rest}
    return ClientError(answer, "Call")


@pytest.mark.parametrize(
    "problem",
    [
        _refused("ThrottlingException"),
        _refused("ProvisionedThroughputExceededException"),
        _refused("TransactionConflictException"),
        _refused("RequestThrottled"),  # of SQS
        _refused("KMS.ThrottlingException"),  # of SQS, with a key of one's own
        _refused("Throttling"),
        _refused("ThrottledException", 429),
        _refused("LimitExceededException", 429),
        _refused("InternalServerError", 500),
        EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com"),
    ],
)
def test_what_the_sdk_gave_up_on_is_unavailable(problem: Exception) -> None:
    with pytest.raises(Unavailable), bounded():
        raise problem


def test_any_other_failure_stays_what_it_is() -> None:
    with pytest.raises(ClientError), bounded():
        raise _refused("ConditionalCheckFailedException")


def test_a_client_gives_up_before_api_gateway_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config: Any = bounded_client("dynamodb").meta.config  # type: ignore[attr-defined]
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) < 29


def test_a_client_has_a_connection_for_each_thread_and_leads_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client: Any = bounded_client(
        "s3", connections=64, endpoint_url="https://there.example", signature_version="s3v4"
    )
    config = client.meta.config
    assert (config.max_pool_connections, config.signature_version) == (64, "s3v4")
    assert client.meta.endpoint_url == "https://there.example"


def test_items_are_read_page_by_page_and_no_further_than_somebody_looks() -> None:
    asked: list[Any] = []

    def query(**request: Any) -> Any:
        asked.append(request.get("ExclusiveStartKey"))
        if len(asked) == 3:
            raise _refused("ThrottlingException")
        return {"Items": [{"n": len(asked)}] * 2, "LastEvaluatedKey": f"page {len(asked)}"}

    items = every_item(query, TableName="t")
    assert [next(items)["n"] for _ in range(3)] == [1, 1, 2]
    assert asked == [None, "page 1"]
    with pytest.raises(Unavailable):
        list(items)
    assert list(every_item(lambda **_: {"Items": [{"n": 1}]})) == [{"n": 1}]


def test_batches_are_all_of_it_in_order_and_none_too_large() -> None:
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []


def test_one_error_is_another_ones_name_and_no_other_is() -> None:
    with pytest.raises(KeyError), instead_of("NoSuchKey", KeyError("gone")):
        raise _refused("NoSuchKey", 404)
    with pytest.raises(ClientError), instead_of("NoSuchKey", KeyError("gone")):
        raise _refused("NoSuchBucket", 404)


class Contended:
    """A client whose transactions meet another one `times` times."""

    def __init__(self, times: int, last: list[str] | None = None) -> None:
        self.times, self.last, self.calls = times, last, 0

    def transact_write_items(self, **_: Any) -> None:
        self.calls += 1
        if self.calls <= self.times:
            reasons = [{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}]
            raise _refused("TransactionCanceledException", CancellationReasons=reasons)
        if self.last:
            reasons = [{"Code": code} for code in self.last]
            raise _refused("TransactionCanceledException", CancellationReasons=reasons)


def _transact(client: Contended) -> set[int]:
    anyone: Any = client
    return transact(anyone, [], sleep=lambda _: None)


def test_a_contended_transaction_is_tried_again_before_its_conditions_mean_anything() -> None:
    assert _transact(Contended(2)) == set()
    assert _transact(Contended(2, ["None", "ConditionalCheckFailed"])) == {1}


def test_contention_without_end_is_unavailable() -> None:
    client = Contended(99)
    with pytest.raises(Unavailable):
        _transact(client)
    assert client.calls == 6


def test_a_transaction_cancelled_for_another_reason_is_raised() -> None:
    with pytest.raises(ClientError):
        _transact(Contended(0, ["ValidationError", "None"]))


def test_importing_it_loads_nothing_of_the_sdk() -> None:
    program = "import sys, lambdas.shared.sdk; assert not {'botocore', 'boto3'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
