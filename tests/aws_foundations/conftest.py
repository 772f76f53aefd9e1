"""An AWS in the process for the function that counts, with fresh tables and a fresh queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.aws_foundations import store
from lambdas.aws_foundations.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The function's environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    run = uuid.uuid4().hex[:8]
    with mock_aws():
        dynamodb: Any = boto3.client("dynamodb")
        for name, key in ((f"authors-{run}", "author"), (f"counted-{run}", "entry_id")):
            dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            )
        made = Settings(
            authors_table=f"authors-{run}",
            counted_table=f"counted-{run}",
            parked_queue_url=boto3.client("sqs").create_queue(QueueName=f"parked-{run}")["QueueUrl"],
        )
        for name, value in made.as_environment().items():
            monkeypatch.setenv(name, value)
        store.store.cache_clear()
        yield made
        store.store.cache_clear()
