"""From the streams of two tables to Kafka: each new event of a chat, and each mark of a member that moved.

The stream is the outbox: an event that was stored is in it, whatever became of the process that stored it. What is
sent is acknowledged before the stream goes on; when Kafka does not answer, the batch is given back from the first
record on that was not, and comes again: an event may be written twice, and none is passed over. Records of one chat
have one key, and stay in the order in which they were sent. That is the chat's own, but for what comes again, and
where DynamoDB has divided a chat between shards: it promises the order of an item's changes alone. Devices put it
right, by `seq`. What is no record that this program knows is parked, and passed over once it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from lambdas.messaging_platform import keys, records
from lambdas.messaging_platform.messaging.store import event_of
from lambdas.messaging_platform.records import Event, Receipt, Unreadable
from lambdas.messaging_platform.settings import RelaySettings
from lambdas.shared.errors import Unavailable
from lambdas.shared.observability import count, logger, observed
from lambdas.shared.sdk import LONGEST_MESSAGE, batches, bounded, bounded_client

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

AT_ONCE = 100  # records that are sent together
SEND_WITHIN_S = 10.0
SPARE_MS = 3_000  # of an invocation's time, to give the rest of the batch back

StreamRecord = Mapping[str, Any]
_client = bounded_client  # a name of this module's, around which its tests put a cache


class Sender(Protocol):
    """kafka.Producer keeps it."""

    def send_all(self, topic: str, messages: Sequence[tuple[str, bytes]], within_s: float) -> None: ...


@dataclass
class Outcome:
    """What became of a batch. `failed` is the sequence number of the first record that is to come again."""

    events: int = 0
    receipts: int = 0
    parked: int = 0
    failed: str | None = None


class Relay:
    """Kafka and the queue for what cannot be read. One for the life of the process."""

    def __init__(self, settings: RelaySettings, sender: Sender | None = None) -> None:
        self._settings = settings
        self._sender = sender

    def relay(self, batch: Sequence[StreamRecord], time_left_ms: Any) -> Outcome:
        """Send what a batch of one stream says, in its order, as far as that goes."""
        outcome = Outcome()
        for part in batches(batch, AT_ONCE):
            try:
                self._relay(part, min(SEND_WITHIN_S, (time_left_ms() - SPARE_MS) / 1000), outcome)
            except Unavailable as problem:
                outcome.failed = part[0]["dynamodb"]["SequenceNumber"]
                logger.warning("the batch comes again", first=outcome.failed, reason=str(problem))
                break
        return outcome

    def _relay(self, part: Sequence[StreamRecord], within_s: float, outcome: Outcome) -> None:
        if within_s <= 0:
            raise Unavailable("the time is up")
        events: list[Event] = []
        receipts: list[Receipt] = []
        unreadable: list[tuple[StreamRecord, str]] = []
        for each in part:
            try:
                found = read(each)
            except Unreadable as problem:
                unreadable.append((each, str(problem)))
                continue
            if isinstance(found, Event):
                events.append(found)
            elif found is not None:
                receipts.append(found)
        self._send(self._settings.messages_topic, events, within_s)
        self._send(self._settings.receipts_topic, receipts, within_s)
        # Last: while Kafka is down the batch comes again and again, and would leave as many copies.
        for record, reason in unreadable:
            self._park(record, reason)
        outcome.parked += len(unreadable)
        outcome.events += len(events)
        outcome.receipts += len(receipts)
        for event in events:
            logger.info("event relayed", chat=event.chat, seq=event.seq, id=event.id)

    def _send(self, topic: str, found: Sequence[Event | Receipt], within_s: float) -> None:
        if found:
            sender = self._sender or self._producer
            sender.send_all(topic, [(each.chat, records.encode(each)) for each in found], within_s)

    def _park(self, record: StreamRecord, reason: str) -> None:
        """Put a record where people look; of one that no message holds, where it is."""
        body = json.dumps({"reason": reason, "record": record}, default=str)
        if len(body) > LONGEST_MESSAGE:
            place = {name: record.get(name) for name in ("eventID", "eventName", "eventSourceARN")}
            place["keys"] = record["dynamodb"].get("Keys")
            body = json.dumps({"reason": reason, "record": place, "left_out": "its images"}, default=str)
        with bounded():
            self._sqs.send_message(QueueUrl=self._settings.parked_queue_url, MessageBody=body)
        logger.error("record parked", event_id=record.get("eventID"), reason=reason)

    @cached_property
    def _producer(self) -> Sender:
        from lambdas.shared.kafka import Producer

        return Producer(self._settings.kafka_cluster_arn)

    @cached_property
    def _sqs(self) -> SQSClient:
        return cast("SQSClient", _client("sqs"))


@lru_cache(maxsize=1)
def relay() -> Relay:
    """The relay of this process, as its environment says."""
    return Relay(RelaySettings.from_environment())


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """DynamoDB stream event source with `ReportBatchItemFailures`: from what is named on, all comes again."""
    outcome = relay().relay(event["Records"], context.get_remaining_time_in_millis)
    count("EventRelayed", outcome.events)
    count("ReceiptRelayed", outcome.receipts)
    count("RecordParked", outcome.parked)
    return {"batchItemFailures": [{"itemIdentifier": outcome.failed}] if outcome.failed else []}


def read(record: StreamRecord) -> Event | Receipt | None:
    """What a stream record says: an event that is new, a member's marks that moved, or nothing to tell.

    Raises `Unreadable`.
    """
    change = record["dynamodb"]
    image, entry = change.get("NewImage"), change.get("Keys", {}).get("entry", {}).get("S", "")
    if image is None:
        return None  # it was deleted
    if entry == keys.HEAD:
        return None
    if entry.startswith(keys.member("")):
        return _receipt(change.get("OldImage"), image) if record["eventName"] == "MODIFY" else None
    if record["eventName"] != "INSERT":
        return None  # an edit or a deletion has left its mark; each is an event, and so an item, of its own
    return _event(image)


def _event(image: Mapping[str, Any]) -> Event:
    try:
        version = int(image["v"]["N"])
        if version != records.VERSION:
            raise Unreadable(f"it is of version {version}")
        event = event_of(dict(image))
        records.decode(records.encode(event))
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise Unreadable(f"it is no event: {problem!r}") from None
    return event


def _receipt(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Receipt | None:
    """The receipt of marks that moved forward; None where none did that anybody may see."""
    try:
        before, after = _marks(old or {}), _marks(new)
        hides = bool(new.get("hides_read", {}).get("BOOL", False))
        if after[0] <= before[0] and (hides or after[1] <= before[1]):
            return None
        receipt = Receipt(
            chat=new["chat"]["S"],
            user=new["entry"]["S"].removeprefix(keys.member("")),
            delivered=after[0],
            read=None if hides else after[1],
            before=(before[0], 0 if hides else before[1]),
        )
        records.decode(records.encode(receipt))
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise Unreadable(f"it is no member: {problem!r}") from None
    return receipt


def _marks(image: Mapping[str, Any]) -> tuple[int, int]:
    return (int(image.get("delivered", {}).get("N", 0)), int(image.get("read", {}).get("N", 0)))
