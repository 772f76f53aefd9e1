"""The function as Lambda calls it, with its tables and its queue."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from lambdas.aws_foundations import count_entries, store
from lambdas.aws_foundations.settings import Settings
from tests.aws_foundations.test_logic import entry, record

CONTEXT = SimpleNamespace(
    function_name="count",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:count",
    aws_request_id="request",
)


def _deliver(*records: dict[str, Any]) -> None:
    event = {"eventSource": "aws:kafka", "records": {"entries-0": list(records)}}
    assert count_entries.handler(event, CONTEXT) == {}


def _entries_of(author: str, settings: Settings) -> int:
    dynamodb: Any = boto3.client("dynamodb")
    found = dynamodb.get_item(TableName=settings.authors_table, Key={"author": {"S": author}})
    return int(found.get("Item", {}).get("entries", {"N": "0"})["N"])


def test_an_entry_counts_once_however_often_it_is_delivered(settings: Settings) -> None:
    for _ in range(3):
        _deliver(entry("1"), entry("2"))
    assert _entries_of("ada", settings) == 2


def test_without_its_condition_an_entry_would_count_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        store, "IF_NOT_COUNTED", "attribute_exists(entry_id) OR attribute_not_exists(entry_id)"
    )
    for _ in range(2):
        _deliver(entry("1"))
    assert _entries_of("ada", settings) == 2


def test_what_cannot_be_read_waits_in_the_queue_with_its_reason(settings: Settings) -> None:
    _deliver(record(b"nonsense", raw=True), entry("1"))
    sqs: Any = boto3.client("sqs")
    [message] = sqs.receive_message(QueueUrl=settings.parked_queue_url)["Messages"]
    assert "not JSON" in json.loads(message["Body"])["reason"]
    assert _entries_of("ada", settings) == 1


@pytest.mark.parametrize("long", ["key", "value"])
def test_what_is_too_long_for_a_message_is_parked_as_its_place(settings: Settings, long: str) -> None:
    bad = record(b"nonsense", raw=True) | {"offset": 7, long: base64.b64encode(b"x" * 1_000_000).decode()}
    _deliver(bad, entry("1"))
    sqs: Any = boto3.client("sqs")
    [message] = sqs.receive_message(QueueUrl=settings.parked_queue_url)["Messages"]
    parked = json.loads(message["Body"])
    assert "not JSON" in parked["reason"]
    assert parked["record"] == {"topic": "entries", "partition": 0, "offset": 7}
    assert f"of {len(bad['value'])} characters" in parked["left_out"]
    assert _entries_of("ada", settings) == 1


def test_a_store_that_fails_ends_the_batch_so_that_it_comes_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTED_TABLE", "gone")
    store.store.cache_clear()
    with pytest.raises(Exception, match="ResourceNotFound"):
        _deliver(entry("1"))


def test_a_marker_outlives_what_the_topic_keeps(settings: Settings) -> None:
    kept = store.Store(settings, clock=lambda: 1_000.0)
    assert kept.count("1", "ada") is True
    dynamodb: Any = boto3.client("dynamodb")
    marker = dynamodb.get_item(TableName=settings.counted_table, Key={"entry_id": {"S": "1"}})["Item"]
    assert int(marker["expires_at"]["N"]) == 1_000 + 30 * 86_400
