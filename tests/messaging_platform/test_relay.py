"""From the tables' streams to Kafka: in order, none passed over, and nothing told that did not happen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.messaging import relay as module
from lambdas.messaging_platform.messaging.relay import AT_ONCE, Relay
from lambdas.messaging_platform.messaging.store import as_item
from lambdas.messaging_platform.records import Event, Receipt, Record, decode
from lambdas.messaging_platform.settings import RelaySettings
from lambdas.shared.errors import Unavailable
from tests.messaging_platform.town import CONTEXT, NOW_MS, as_attributes, logged, shared_client

pytestmark = pytest.mark.fast

CHAT, OTHER = "g-" + "0" * 32, "g-" + "1" * 32
MESSAGES, RECEIPTS = "messages", "receipts"


@dataclass
class Kafka:
    """A producer: what it has taken, and how often it refuses first, by topic."""

    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    after: int = 0  # calls that go well before the refusals begin

    def send_all(self, topic: str, messages: Sequence[tuple[str, bytes]], within_s: float) -> None:
        assert 0 < within_s <= 10
        if self.after:
            self.after -= 1
        elif self.refusals.get(topic, 0):
            self.refusals[topic] -= 1
            raise Unavailable("Kafka does not answer")
        self.taken += [(topic, key, value) for key, value in messages]

    def records(self, topic: str) -> list[Record]:
        return [decode(value) for name, _, value in self.taken if name == topic]

    def seqs(self, chat: str = CHAT) -> list[int]:
        return [each.seq for each in self.records(MESSAGES) if isinstance(each, Event) and each.chat == chat]


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def queue(aws: None) -> Iterator[str]:
    sqs: Any = shared_client("sqs")
    url = str(sqs.create_queue(QueueName="parked")["QueueUrl"])
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def relay(kafka: Kafka, queue: str) -> Relay:
    return Relay(
        RelaySettings("arn:aws:kafka:eu-central-1:000000000000:cluster/c/1", MESSAGES, RECEIPTS, queue), kafka
    )


@pytest.fixture
def run(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hand a batch to the handler; returns the sequence number from which it wants to have it again."""
    monkeypatch.setattr(module, "relay", lambda: relay)

    def invoke(batch: Sequence[Mapping[str, Any]]) -> str | None:
        answer = module.handler({"Records": list(batch)}, CONTEXT)
        failures = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        assert len(failures) < 2
        return failures[0] if failures else None

    return invoke


def parked(queue: str) -> list[Any]:
    sqs: Any = shared_client("sqs")
    found: list[Any] = []
    while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(each["Body"]) for each in batch]
    return found


def event(seq: int, chat: str = CHAT) -> Event:
    return Event(chat, seq, "message", "ann", "phone", f"c{seq}", NOW_MS, {"text": "secret"})


def change(
    name: str, number: int, new: Mapping[str, Any] | None, old: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A record of a stream, as Lambda has it."""
    image = new or old or {}
    of_it: dict[str, Any] = {"SequenceNumber": str(number), "StreamViewType": "NEW_AND_OLD_IMAGES"}
    of_it["Keys"] = {key: image[key] for key in ("chat", "entry") if key in image}
    if new is not None:
        of_it["NewImage"] = new
    if old is not None:
        of_it["OldImage"] = old
    return {"eventID": f"e{number}", "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": of_it}


def inserted(number: int, what: Event) -> dict[str, Any]:
    return change("INSERT", number, as_item(what))


def member(delivered: int, read: int, **more: Any) -> dict[str, Any]:
    place = {"chat": CHAT, "entry": keys.member("bob"), "user": "bob", "since": 1}
    return as_attributes({**place, "delivered": delivered, "read": read, **more})


def test_new_events_go_to_their_topic_by_their_chat_and_in_their_order(run: Any, kafka: Kafka) -> None:
    batch = [inserted(number, event(number, chat)) for number in range(1, 9) for chat in (CHAT, OTHER)]
    assert run(batch) is None
    assert kafka.records(MESSAGES) == [
        event(number, chat) for number in range(1, 9) for chat in (CHAT, OTHER)
    ]
    assert all(key == json.loads(value)["chat"] for _, key, value in kafka.taken)


def test_every_kind_of_event_is_told_as_it_was_stored(run: Any, kafka: Kafka) -> None:
    told = [
        Event(
            CHAT, 1, "message", "ann", "phone", "c1", NOW_MS, {"media": "m", "type": "image/png", "size": 7}
        ),
        Event(CHAT, 2, "edit", "ann", "phone", "c2", NOW_MS, {"text": "anew"}, target=1),
        Event(CHAT, 3, "delete", "ann", "phone", "c3", NOW_MS, target=1),
        Event(CHAT, 4, "members", "ann", "", "c4", NOW_MS, members={"added": ["bob"], "removed": []}),
    ]
    assert run([inserted(each.seq, each) for each in told]) is None
    assert kafka.records(MESSAGES) == told


def test_what_an_edit_leaves_in_a_message_and_what_is_deleted_is_no_event(run: Any, kafka: Kafka) -> None:
    edited = as_item(event(1)) | as_attributes({"edited_at": NOW_MS, "edit": 2})
    head = as_attributes({"chat": CHAT, "entry": keys.HEAD, "seq": 2})
    batch = [
        change("MODIFY", 1, edited, as_item(event(1))),
        change("REMOVE", 2, None, as_item(event(1))),
        change("MODIFY", 3, head, head),
        change("INSERT", 4, member(0, 0)),
        change("REMOVE", 5, None, member(3, 3)),
    ]
    assert run(batch) is None
    assert kafka.taken == []


def test_a_mark_that_moved_forward_is_a_receipt(run: Any, kafka: Kafka) -> None:
    batch = [
        change("MODIFY", 1, member(3, 0), member(1, 0)),
        change("MODIFY", 2, member(3, 2), member(3, 0)),
    ]
    assert run(batch) is None
    assert kafka.records(RECEIPTS) == [Receipt(CHAT, "bob", 3, 0, (1, 0)), Receipt(CHAT, "bob", 3, 2, (3, 0))]


def test_a_member_of_whom_no_mark_moved_forward_has_no_receipt(run: Any, kafka: Kafka) -> None:
    batch = [
        change("MODIFY", 1, member(3, 1, role="admin"), member(3, 1)),
        change("MODIFY", 2, member(2, 1), member(3, 1)),
        change("MODIFY", 3, member(3, 2, hides_read=True), member(3, 1, hides_read=True)),
    ]
    assert run(batch) is None
    assert kafka.taken == []


def test_who_hides_what_they_read_tells_only_what_was_delivered(run: Any, kafka: Kafka) -> None:
    assert run([change("MODIFY", 1, member(3, 3, hides_read=True), member(1, 1, hides_read=True))]) is None
    (receipt,) = kafka.records(RECEIPTS)
    assert receipt == Receipt(CHAT, "bob", 3, None, (1, 0)), "nor how far they had read before"


def test_while_kafka_is_down_the_batch_comes_again_and_nothing_is_lost(run: Any, kafka: Kafka) -> None:
    batch = [inserted(number, event(number)) for number in range(1, 4)]
    kafka.refusals = {MESSAGES: 2}
    assert [run(batch), run(batch)] == ["1", "1"]
    assert run(batch) is None
    assert kafka.seqs() == [1, 2, 3]


def test_what_was_acknowledged_of_a_long_batch_does_not_come_again(run: Any, kafka: Kafka) -> None:
    batch = [inserted(number, event(number)) for number in range(1, 2 * AT_ONCE + 11)]
    kafka.after, kafka.refusals = 1, {MESSAGES: 1}
    again = run(batch)
    assert again == str(AT_ONCE + 1)
    assert run(batch[int(again) - 1 :]) is None
    assert kafka.seqs() == list(range(1, 2 * AT_ONCE + 11))


def test_a_batch_for_which_the_time_is_up_comes_again(relay: Relay, kafka: Kafka) -> None:
    batch = [inserted(number, event(number)) for number in range(1, 2 * AT_ONCE)]
    left = iter([20_000, 1_000])
    outcome = relay.relay(batch, lambda: next(left))
    assert (outcome.events, outcome.failed) == (AT_ONCE, str(AT_ONCE + 1))


UNREADABLE: list[dict[str, Any]] = [
    as_attributes({"chat": CHAT, "entry": keys.sequence(2)}),
    as_item(event(2)) | {"v": {"N": "2"}},
    as_item(event(2)) | {"v": {"S": "one"}},
    as_item(event(2)) | {"body": {"S": "{"}},
    as_item(event(2)) | {"body": {"M": {}}},
    as_item(event(2)) | {"kind": {"S": "reaction"}},
    as_item(event(2)) | {"entry": {"S": "something"}},
    as_item(event(2)) | {"sender": {"NULL": True}},
]


@pytest.mark.parametrize("image", UNREADABLE, ids=lambda image: str(sorted(image.items()))[:60])
def test_what_cannot_be_read_is_parked_and_the_rest_goes_on(
    run: Any, kafka: Kafka, queue: str, image: dict[str, Any]
) -> None:
    assert run([inserted(1, event(1)), change("INSERT", 2, image), inserted(3, event(3))]) is None
    assert kafka.seqs() == [1, 3]
    (kept,) = parked(queue)
    assert kept["record"]["dynamodb"]["NewImage"] == image
    assert kept["reason"]


def test_what_cannot_be_parked_comes_again(
    run: Any, kafka: Kafka, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise Unavailable("the queue does not answer")

    batch = [inserted(1, event(1)), change("INSERT", 2, UNREADABLE[0])]
    with monkeypatch.context() as patch:
        patch.setattr(shared_client("sqs"), "send_message", refuse)
        assert run(batch) == "1"
    assert run(batch) is None
    assert len(parked(queue)) == 1


def test_while_kafka_is_down_nothing_is_parked_again_and_again(run: Any, kafka: Kafka, queue: str) -> None:
    batch = [change("INSERT", 1, UNREADABLE[0]), inserted(2, event(2))]
    kafka.refusals = {MESSAGES: 3}
    assert [run(batch) for _ in range(4)] == ["1", "1", "1", None]
    assert len(parked(queue)) == 1


def test_what_is_too_long_for_the_queue_leaves_its_place_there(run: Any, queue: str) -> None:
    image = as_item(event(2)) | {"kind": {"S": "x" * 1_100_000}}
    assert run([change("INSERT", 1, image)]) is None
    (kept,) = parked(queue)
    assert kept["record"]["keys"] == {"chat": {"S": CHAT}, "entry": {"S": keys.sequence(2)}}


def test_the_log_says_which_event_and_never_what_it_says(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    batch = [inserted(1, event(1)), change("INSERT", 2, as_item(event(2)) | {"v": {"N": "9"}})]
    with caplog.at_level("INFO"):
        run(batch)
    log = logged(caplog)
    assert "'id': 'c1'" in log
    assert CHAT in log
    assert "secret" not in log
