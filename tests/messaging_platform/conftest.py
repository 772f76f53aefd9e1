"""An AWS in the process with the system's tables, and chats to play in (town.py)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from lambdas.messaging_platform.messaging import relay
from lambdas.messaging_platform.messaging import store as messaging_store
from lambdas.messaging_platform.messaging.store import Messages
from lambdas.messaging_platform.settings import BY_USER, BY_USER_ATTRIBUTES, MessagingSettings
from lambdas.messaging_platform.sign_in import store as sign_in_store
from tests.messaging_platform.town import KEYS, Tables, Talk, Town, shared_client


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """An AWS in the process, which does one call at a time as DynamoDB does each whole.

    For one file: as long as it stands, what other files' own leave behind would stay.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for module in (messaging_store, sign_in_store, relay):
            patch.setattr(module, "_client", shared_client)
        one_at_a_time = threading.Lock()
        respond = BotocoreStubber.__call__

        def respond_alone(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
            with one_at_a_time:
                return respond(self, *args, **kwargs)

        patch.setattr(BotocoreStubber, "__call__", respond_alone)
        with mock_aws():
            yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return shared_client("dynamodb")


@pytest.fixture
def tables(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Fresh tables, named in the environment as the programs read them."""
    run = uuid.uuid4().hex[:8]
    for name, keys_of_it in KEYS.items():
        _make_table(dynamodb, f"{name}-{run}", keys_of_it, has_index=name == "chats")
    names: dict[str, Any] = {f"{name}_table": f"{name}-{run}" for name in KEYS}
    made = Tables(**names)
    for each in fields(made):
        monkeypatch.setenv(each.name.upper(), str(getattr(made, each.name)))
    for cached in (messaging_store.store, sign_in_store.tickets, relay.relay):
        cached.cache_clear()
    return made


def _make_table(dynamodb: Any, name: str, table_keys: Sequence[str], *, has_index: bool) -> None:
    def schema(of: Sequence[str]) -> list[dict[str, str]]:
        return [
            {"AttributeName": key, "KeyType": kind} for key, kind in zip(of, ("HASH", "RANGE"), strict=False)
        ]

    index = {
        "IndexName": BY_USER,
        "KeySchema": schema(("user", "chat")),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(BY_USER_ATTRIBUTES)},
    }
    attributes = {*table_keys, *(("user", "chat") if has_index else ())}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=schema(table_keys),
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in sorted(attributes)],
        **({"GlobalSecondaryIndexes": [index]} if has_index else {}),
    )


@pytest.fixture
def town(tables: Tables, dynamodb: Any) -> Town:
    return Town(tables, dynamodb)


# Messaging


@pytest.fixture
def naps() -> list[float]:
    """The seconds that the store would have waited between attempts."""
    return []


@pytest.fixture
def messages(tables: Tables, dynamodb: Any, naps: list[float]) -> Messages:
    """The store on the test's tables; it notes its waits in `naps` and goes on at once."""
    return Messages(tables, lambda: dynamodb, sleep=naps.append)


@pytest.fixture
def talk(messages: Messages) -> Talk:
    return Talk(messages)


@pytest.fixture
def settings(tables: Tables) -> MessagingSettings:
    return MessagingSettings.from_environment()
