"""What fan-out reads and writes, against an AWS in the process."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.notifications.logic import Message
from lambdas.messaging_platform.people import Device
from lambdas.messaging_platform.records import Event, Kind
from lambdas.messaging_platform.settings import FanOutSettings
from lambdas.shared.errors import Unavailable
from lambdas.shared.kafka import Record
from lambdas.shared.sdk import bounded_client
from services.messaging_platform.fanout import store as module
from services.messaging_platform.fanout.logic import Member
from services.messaging_platform.fanout.store import Store

pytestmark = pytest.mark.fast

CHAT, OTHER = "g-" + "0" * 32, "g-" + "1" * 32
NOW_S = 1_700_000_000


class Aws:
    """The tables and queues, and the store on them."""

    def __init__(self) -> None:
        self.dynamodb: Any = boto3.client("dynamodb")
        self.sqs: Any = boto3.client("sqs")
        for name, hash_key, range_key in (
            ("chats", "chat", "entry"),
            ("messages", "chat", "entry"),
            ("people", "user", "entry"),
            ("inboxes", "device", "entry"),
        ):
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": range_key, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": each, "AttributeType": "S"} for each in (hash_key, range_key)
                ],
            )
        self.settings = FanOutSettings(
            messages_table="messages",
            chats_table="chats",
            people_table="people",
            inboxes_table="inboxes",
            presence_table="presence",
            kafka_cluster_arn="",
            messages_topic="messages",
            receipts_topic="receipts",
            presence_topic="presence",
            cache_host="",
            cache_port="6379",
            cache_token_secret_arn="",
            push_queue_url=self.sqs.create_queue(QueueName="pushes")["QueueUrl"],
            parked_queue_url=self.sqs.create_queue(QueueName="parked")["QueueUrl"],
            grace_seconds=0,
        )
        self.calls: list[dict[str, Any]] = []
        self.store = Store(self.settings, self._client, clock=lambda: NOW_S)

    def _client(self, service: str) -> object:
        client: Any = bounded_client(service, connections=4)
        client.meta.events.register(
            f"provide-client-params.{service}", lambda params, **_: self.calls.append(params)
        )
        return client

    def member(
        self, chat: str, user: str, since: int, until: int | None = None, earlier: str | None = None
    ) -> None:
        item = {"chat": {"S": chat}, "entry": {"S": keys.member(user)}, "user": {"S": user}}
        item["since"] = {"N": str(since)}
        if until is not None:
            item["until"] = {"N": str(until)}
        if earlier is not None:
            item["earlier"] = {"S": earlier}
        self.dynamodb.put_item(TableName="chats", Item=item)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(each["Body"]) for each in batch]
        return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Aws()


EVENT = Event(CHAT, 7, "message", "ann", "a1", "i1", 1_000, {"text": "Grüße"})


def test_members_are_all_that_a_chat_has_or_had_and_read_consistently(aws: Aws) -> None:
    aws.dynamodb.put_item(TableName="chats", Item={"chat": {"S": CHAT}, "entry": {"S": keys.HEAD}})
    aws.member(CHAT, "ann", 1)
    aws.member(CHAT, "bob", 3, until=9)
    aws.member(CHAT, "cid", 8, earlier="[[1,2],[4,5]]")
    aws.member(OTHER, "eve", 1)
    assert aws.store.members(CHAT) == [
        Member("ann", 1),
        Member("bob", 3, 9),
        Member("cid", 8, earlier=((1, 2), (4, 5))),
    ]
    assert aws.calls[-1]["ConsistentRead"] is True


def test_the_size_of_a_chat_is_what_its_head_says(aws: Aws) -> None:
    aws.dynamodb.put_item(
        TableName="chats", Item={"chat": {"S": CHAT}, "entry": {"S": keys.HEAD}, "members": {"N": "33"}}
    )
    for number in range(3):
        aws.member(CHAT, f"u{number}", 1)
    assert (aws.store.size(CHAT), aws.store.size(OTHER)) == (33, 0)


# What waits for a device


def wait(aws: Aws, chat: str, seq: int, sender: str = "ann", kind: Kind = "message") -> None:
    target = seq if kind != "message" else None
    event = Event(chat, seq, kind, sender, "a1", f"i{seq}", 1_000 + seq, {"text": "hello"}, target=target)
    assert aws.store.put_entries(event, ["bob#b1"]) == []


def waiting(aws: Aws) -> list[Message]:
    aws.calls.clear()
    return aws.store.waiting("bob#b1")


def test_of_what_waits_for_a_device_the_last_message_of_others_in_each_chat_is_found(aws: Aws) -> None:
    for seq in (1, 2, 3):
        wait(aws, CHAT, seq)
    wait(aws, CHAT, 4, kind="edit")
    wait(aws, CHAT, 5, sender="bob")
    wait(aws, OTHER, 7)
    wait(aws, "g-" + "2" * 32, 9, kind="delete")
    assert waiting(aws) == [
        Message("bob", "b1", OTHER, 7, 1_007),
        Message("bob", "b1", CHAT, 3, 1_003),
    ]
    assert len(aws.calls) == 1
    assert aws.calls[0]["ConsistentRead"] is True
    assert aws.store.waiting("bob#b2") == []


def test_a_chat_in_which_much_waits_is_read_no_further_than_its_last_message(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_AT_ONCE", 2)
    wait(aws, CHAT, 1)
    for seq in range(1, 21):
        wait(aws, OTHER, seq, sender="bob" if seq > 17 else "ann")
    assert [(each.chat, each.seq) for each in waiting(aws)] == [(OTHER, 17), (CHAT, 1)]
    assert len(aws.calls) == 3  # 20 and 19, 18 and 17, then the chats before this one


def test_however_much_waits_so_many_pages_are_read(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_AT_ONCE", 1)
    monkeypatch.setattr(module, "MOST_PAGES", 3)
    for number in range(6):
        wait(aws, f"g-{number:032x}", 1)
    assert [int(each.chat[2:], 16) for each in waiting(aws)] == [5, 4, 3]


def test_an_entry_of_a_later_version_hides_nothing(aws: Aws) -> None:
    wait(aws, CHAT, 1)
    late = {"device": {"S": "bob#b1"}, "entry": {"S": keys.inbox_entry(CHAT, 2)}, "event": {"S": '{"v":2}'}}
    aws.dynamodb.put_item(TableName="inboxes", Item=late)
    assert [each.seq for each in waiting(aws)] == [1]


def test_members_of_a_large_group_are_read_page_by_page(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        aws.member(CHAT, f"u{number}", 1)
    query = aws.store._dynamodb.query
    monkeypatch.setattr(aws.store._dynamodb, "query", lambda **asked: query(**asked, Limit=3))
    assert [each.user for each in aws.store.members(CHAT)] == [f"u{number}" for number in range(7)]
    assert len(aws.calls) == 3


def test_senders_are_those_of_messages_in_the_span(aws: Aws) -> None:
    for seq, (kind, sender) in enumerate(
        [("message", "ann"), ("message", "bob"), ("edit", "cat"), ("message", "dan"), ("message", "eve")], 1
    ):
        item = {"chat": CHAT, "entry": keys.sequence(seq), "kind": kind, "sender": sender}
        aws.dynamodb.put_item(TableName="messages", Item={name: {"S": value} for name, value in item.items()})
    assert aws.store.senders(CHAT, after=1, up_to=4) == {"bob", "dan"}


def test_senders_of_long_messages_are_read_page_by_page(aws: Aws) -> None:
    """A page of DynamoDB's ends after a megabyte; a hundred texts of 16 KB are more."""
    for seq, sender in enumerate(("ann", "bob", "cat", "dan"), 1):
        item = {"chat": CHAT, "entry": keys.sequence(seq), "kind": "message", "sender": sender}
        item["body"] = "x" * 380_000
        aws.dynamodb.put_item(TableName="messages", Item={name: {"S": value} for name, value in item.items()})
    assert aws.store.senders(CHAT, after=0, up_to=4) == {"ann", "bob", "cat", "dan"}


def test_an_entry_is_the_record_under_its_place_and_the_same_again_is_one(aws: Aws) -> None:
    assert aws.store.put_entries(EVENT, ["bob#b1", "cat#c1"]) == []
    assert aws.store.put_entries(EVENT, ["bob#b1"]) == []
    items = aws.dynamodb.scan(TableName="inboxes")["Items"]
    assert sorted(each["device"]["S"] for each in items) == ["bob#b1", "cat#c1"]
    for each in items:
        assert each["entry"]["S"] == keys.inbox_entry(CHAT, 7)
        assert records.decode(each["event"]["S"]) == EVENT
        assert int(each["expires_at"]["N"]) == NOW_S + 30 * 86_400


def test_what_dynamodb_does_not_take_is_returned(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    write, read = aws.store._dynamodb.batch_write_item, aws.store._dynamodb.batch_get_item

    def first_only(**asked: Any) -> Any:
        [(table, requests)] = asked["RequestItems"].items()
        write(RequestItems={table: requests[:1]})
        return {"UnprocessedItems": {table: requests[1:]}}

    def read_first_only(**asked: Any) -> Any:
        [(table, request)] = asked["RequestItems"].items()
        answer = read(RequestItems={table: request | {"Keys": request["Keys"][:1]}})
        return answer | {"UnprocessedKeys": {table: request | {"Keys": request["Keys"][1:]}}}

    monkeypatch.setattr(aws.store._dynamodb, "batch_write_item", first_only)
    monkeypatch.setattr(aws.store._dynamodb, "batch_get_item", read_first_only)
    assert aws.store.put_entries(EVENT, ["a#1", "b#1", "c#1"]) == ["b#1", "c#1"]
    aws.dynamodb.put_item(TableName="people", Item={"user": {"S": "ann"}, "entry": {"S": keys.device("a1")}})
    now, left = aws.store.devices_now([Device("ann", "a1"), Device("bob", "b1")])
    assert (now, left) == ([Device("ann", "a1")], [Device("bob", "b1")])


def test_devices_are_read_again_consistently_and_those_that_were_removed_are_gone(aws: Aws) -> None:
    item = {"user": "ann", "entry": keys.device("a1"), "connection": "c2", "gateway": "http://10.0.0.1:8081"}
    aws.dynamodb.put_item(
        TableName="people",
        Item={name: {"S": value} for name, value in item.items()} | {"connected_at": {"N": "5"}},
    )
    now, left = aws.store.devices_now([Device("ann", "a1", connection="c1"), Device("bob", "b1")])
    [device] = now
    assert (device.connection, device.gateway, device.connected_at) == ("c2", "http://10.0.0.1:8081", 5)
    assert left == []
    assert aws.calls[-1]["RequestItems"]["people"]["ConsistentRead"] is True


def test_pushes_wait_for_the_time_of_grace_and_those_that_failed_are_returned(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [json.dumps({"seq": number}) for number in range(10)]
    assert aws.store.push(bodies) == []
    assert {each["seq"] for each in aws.messages(aws.settings.push_queue_url)} == set(range(10))
    assert {each["DelaySeconds"] for each in aws.calls[-1]["Entries"]} == {0}
    monkeypatch.setattr(
        aws.store._sqs, "send_message_batch", lambda **_: {"Failed": [{"Id": "1", "SenderFault": False}]}
    )
    assert aws.store.push(["a", "b"]) == ["b"]


def test_a_parked_record_says_where_it_is_and_what_it_holds(aws: Aws) -> None:
    aws.store.park(Record("messages", 3, 17, b"key", b"\xff"), "it is not JSON")
    [parked] = aws.messages(aws.settings.parked_queue_url)
    assert parked == {
        "reason": "it is not JSON",
        "record": {
            "topic": "messages",
            "partition": 3,
            "offset": 17,
            "key": base64.b64encode(b"key").decode(),
            "value": base64.b64encode(b"\xff").decode(),
        },
    }


def test_a_record_that_no_message_holds_is_parked_by_its_place(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.store.park(Record("messages", 3, 17, b"", b"x" * 900_000), "it is not JSON")
    [parked] = aws.messages(aws.settings.parked_queue_url)
    assert parked["record"] == {"topic": "messages", "partition": 3, "offset": 17}
    assert "900000 bytes" in parked["left_out"]


def test_a_store_that_is_throttled_is_unavailable(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    def throttled(**_: Any) -> Any:
        answer: Any = {
            "Error": {"Code": "ProvisionedThroughputExceededException"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        raise ClientError(answer, "BatchWriteItem")

    monkeypatch.setattr(aws.store._dynamodb, "batch_write_item", throttled)
    with pytest.raises(Unavailable):
        aws.store.put_entries(EVENT, ["a#1"])
