"""The bridge from Kafka to Lambda: a mapping of an MSK cluster or of self-managed brokers, as a consumer.

"How Lambda processes records from Amazon MSK" of the Lambda developer guide: a batch may hold records of several
partitions; the position is committed after they are settled; a failed batch is retried until it succeeds, or,
in provisioned mode, as the mapping says. The consumer group is the one that the mapping names, or its id.

The bridge is the only consumer of its mapping and takes the partitions itself rather than through the group:
no rebalance can take one from it, and it starts at once. So the group has positions, but no members. The
brokers of the offline AWS speak plain text; how a mapping is to authenticate is not carried out.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import confluent_kafka as client
from ministack.services import lambda_svc

from workbench.offline.event_sources import functions
from workbench.offline.event_sources.assembly import PAYLOAD_LIMIT, Assembly
from workbench.offline.event_sources.delivery import TOO_LARGE, Deliveries, Discarded
from workbench.offline.event_sources.kafka_events import Message, event_of, record_of, seen_by_a_filter
from workbench.offline.event_sources.mappings import LONGEST_WAIT, Runner, patterns_of
from workbench.offline.event_sources.on_failure import (
    invocation_record,
    kafka_batch_info,
    kafka_record_info,
)
from workbench.offline.event_sources.permissions import consumer_group
from workbench.offline.event_sources.records import Record
from workbench.offline.event_sources.responses import Reply

log = logging.getLogger("event_sources")

CALL_SECONDS = 5.0  # at most, of a question to the brokers
LOOK_FOR_PARTITIONS_EVERY = 2.0
COMMIT_AGAIN_AFTER = 1.0
READ_WAIT = 0.2  # seconds at a time, to notice soon what happens to the mapping
READ_AT_ONCE = 1_000  # messages
REORDER_AT_MOST = 10_000  # messages
LONGEST_SILENCE_MS = 24 * 60 * 60 * 1000  # a function may run for 15 minutes, and be retried
KAFKA_SCHEME = "kafka://"


def bootstrap_of(mapping: dict[str, Any]) -> str:
    """The brokers of the mapping's cluster, as "host:port,host:port"."""
    endpoints = (mapping.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    if endpoints:
        return ",".join(endpoints["KAFKA_BOOTSTRAP_SERVERS"])
    from workbench.offline.engines import kafka  # only where there is a cluster

    return str(kafka.bootstrap_of(mapping["EventSourceArn"]))


class KafkaRunner(Runner):
    """A mapping of a Kafka topic. Only its own thread talks to the consumer, which serves one caller at a time."""

    def __init__(self, account: str, region: str, mapping: dict[str, Any]) -> None:
        super().__init__(account, region, mapping)
        self._topic: str = mapping["Topics"][0]
        self._brokers = bootstrap_of(mapping)
        self._consumer: client.Consumer | None = None
        self._read: dict[int, int] = {}  # by partition: the offset that is read next
        self._ends: dict[int, int] = {}  # by partition: the offset of the next record that is put
        self._committed: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self._sent_at = 0.0
        self._looked_at = 0.0
        self._topic_was_missing = False
        self._waiting: deque[Record] = deque()  # read, and not in a batch yet
        self._assembly = Assembly()
        self._deliveries = Deliveries(
            lambda: self.settings, self._invoke, self.discard, time.time, self.settled
        )
        self._reorder = False

    def reorder(self) -> bool:
        """Deliver what waits by partition, the last one first; within each, in its order."""
        self._reorder = True
        self.wake()
        return True

    def turn(self) -> float:
        """Read, deliver or retry, whichever comes next, and commit what is settled."""
        self._find_partitions()
        self._note_ends()
        self._commit()
        with self.delivering() as allowed:  # to read is part of it: what is read goes out
            if not allowed or not self._read:
                return LONGEST_WAIT
            backing_off = self._deliveries.due_in()
            if backing_off:
                return backing_off
            if backing_off is None:
                if not self._gather():
                    return 0.0  # it has waited for records itself
                self._deliveries.add(self._assembly.take())
            self._deliveries.deliver()
        return 0.0

    def event_of(self, records: Sequence[Record]) -> dict[str, Any]:
        return event_of(records, self._brokers, self.mapping.get("EventSourceArn"))

    def batch_info(self, records: Sequence[Record]) -> dict[str, Any]:
        return kafka_batch_info(self.event_of(records), records)

    def waiting(self) -> int:
        """By the partitions' ends as the consumer last heard of them: it reads ahead also while it is held."""
        settled = self._settled_offsets()
        return sum(max(0, self._ends[partition] - offset) for partition, offset in settled.items())

    def settled(self, records: Sequence[Record], left: Sequence[Record]) -> None:
        super().settled(records, left)
        functions.record_metric(self.mapping, "OffsetLag", float(self.waiting()), "Count")

    def report(self, destination: str, discarded: Discarded) -> None:
        """As for any stream; a Kafka topic gets each record by itself, with its payload."""
        if not destination.startswith(KAFKA_SCHEME):
            super().report(destination, discarded)
            return
        producer = client.Producer({"bootstrap.servers": self._brokers, "log_level": 2})
        for record in discarded.records:
            ended = partial(self._ended, destination, record)
            try:
                event = self.event_of([record])
                info = kafka_record_info(event, record)
                document = invocation_record(discarded, self.mapping["FunctionArn"], info, time.time())
                producer.produce(
                    destination.removeprefix(KAFKA_SCHEME),
                    key=base64.b64decode(record.event["key"]) if "key" in record.event else None,
                    value=json.dumps(document | {"payload": event}),
                    on_delivery=ended,
                )
            except Exception as problem:  # whatever is wrong, the partition goes on
                ended(problem)
        if left := producer.flush(CALL_SECONDS):
            log.error(
                "event source mapping %s: %d records not delivered to %s within %.0f s",
                self.mapping["UUID"],
                left,
                destination,
                CALL_SECONDS,
            )

    def _ended(self, destination: str, record: Record, problem: object, _message: object = None) -> None:
        if problem is not None:
            log.error(
                "event source mapping %s: %s not delivered to %s: %s",
                self.mapping["UUID"],
                record.identifier,
                destination,
                problem,
            )

    def keeps(self, record: Record) -> bool:
        patterns = patterns_of(self.mapping)
        if not patterns:
            return True
        seen = seen_by_a_filter(record)
        return any(lambda_svc._match_esm_filter(seen, pattern) for pattern in patterns)

    def close(self) -> None:
        if self._consumer is not None:
            with suppress(client.KafkaException):
                self._consumer.commit(offsets=self._places(self._settled_offsets()), asynchronous=False)
            self._consumer.close()

    def _find_partitions(self) -> None:
        """Begin to read partitions that are new; their positions are committed, so that nothing moves them."""
        if time.monotonic() - self._looked_at < LOOK_FOR_PARTITIONS_EVERY:
            return
        self._looked_at = time.monotonic()
        try:
            topics = self._client().list_topics(self._topic, timeout=CALL_SECONDS).topics
            new = sorted(topics[self._topic].partitions.keys() - self._read.keys())
            if new:
                self._read |= self._starts(new)
                self._client().assign(self._places(self._read))
        except client.KafkaException as problem:
            log.warning("event source mapping %s: %s", self.mapping["UUID"], problem)
            if not self._read:
                self.mapping["LastProcessingResult"] = f"PROBLEM: Connection error: {problem.args[0].str()}"
            return
        if not self._read:
            self._topic_was_missing = True
            self.mapping["LastProcessingResult"] = f"PROBLEM: The topic {self._topic} does not exist"
        elif self.mapping["State"] == "Creating":
            self.mapping["State"] = "Enabled" if self.mapping["Enabled"] else "Disabled"

    def _client(self) -> client.Consumer:
        if self._consumer is None:
            self._consumer = client.Consumer(
                {
                    "bootstrap.servers": self._brokers,
                    "group.id": consumer_group(self.mapping),
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",  # where records were deleted before they were read
                    "max.poll.interval.ms": LONGEST_SILENCE_MS,
                    "on_commit": self._on_commit,
                    "log_level": 2,  # brokers that go and come are no news here
                }
            )
        return self._consumer

    def _starts(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where each begins: where its group was, or where the mapping says, or, of a late partition, at 0."""
        consumer = self._client()
        places = [client.TopicPartition(self._topic, each) for each in partitions]
        starts = {}
        for each in consumer.committed(places, timeout=CALL_SECONDS):
            lowest, highest = consumer.get_watermark_offsets(each, timeout=CALL_SECONDS)
            self._ends[each.partition] = highest
            starts[each.partition] = each.offset if each.offset >= 0 else self._start(each, lowest, highest)
        return starts

    def _start(self, place: client.TopicPartition, lowest: int, highest: int) -> int:
        position = self.mapping["StartingPosition"]
        if position == "TRIM_HORIZON" or self._read or self._topic_was_missing:
            return lowest
        if position == "LATEST":
            return highest
        place.offset = int(float(self.mapping["StartingPositionTimestamp"]) * 1000)
        [found] = self._client().offsets_for_times([place], timeout=CALL_SECONDS)
        return int(found.offset) if found.offset >= 0 else highest

    def _note_ends(self) -> None:
        for partition in self._read:
            place = client.TopicPartition(self._topic, partition)
            _, highest = self._client().get_watermark_offsets(place, cached=True)
            self._ends[partition] = max(self._ends[partition], highest)

    def _gather(self) -> bool:
        """Read, at most for a moment; whether a batch is due."""
        if self._reorder:
            self._read_everything_and_reorder()
        self._fill()
        due = self._assembly.due_in(self.settings, time.time())
        if due is None:
            self._take_in(self._client().consume(1, timeout=READ_WAIT))
            due = self._assembly.due_in(self.settings, time.time())
        if due:
            room = min(self._assembly.room(self.settings), READ_AT_ONCE)
            self._take_in(self._client().consume(room, timeout=min(due, READ_WAIT)))
            due = self._assembly.due_in(self.settings, time.time())
        return due == 0.0

    def _take_in(self, messages: Sequence[client.Message]) -> None:
        for message in messages:
            if message.error() is not None:
                log.warning("event source mapping %s: %s", self.mapping["UUID"], message.error())
                continue
            record = record_of(_message(message))
            self._read[record.event["partition"]] = record.position + 1
            if self.keeps(record):
                self._waiting.append(record)
        self._fill()

    def _fill(self) -> None:
        """Put what was read into the batch, as far as it goes."""
        settings = self.settings
        while self._waiting and self._assembly.room(settings):
            record = self._waiting[0]
            if record.size > PAYLOAD_LIMIT and not self._assembly.records:
                self.discard(Discarded([record], TOO_LARGE, 0, None))
            elif not self._assembly.offer(record, time.time()):
                return
            self._waiting.popleft()

    def _read_everything_and_reorder(self) -> None:
        self._waiting.extendleft(reversed(self._assembly.take()))
        while len(self._waiting) < REORDER_AT_MOST:
            messages = self._client().consume(READ_AT_ONCE, timeout=LONGEST_WAIT)
            if not messages:
                break
            self._assembly.close()  # nothing goes into a batch before all is there
            self._take_in(messages)
        self._assembly.take()
        self._waiting = deque(sorted(self._waiting, key=lambda record: -int(record.event["partition"])))
        self._reorder = False

    def _invoke(self, records: Sequence[Record]) -> Reply:
        return self.send(self.event_of(records))

    def _settled_offsets(self) -> dict[int, int]:
        """By partition: the offset before which everything is settled."""
        settled = dict(self._read)
        batches = [batch.records for batch in list(self._deliveries.pending)]
        for record in chain(*batches, list(self._assembly.records), list(self._waiting)):
            partition = record.event["partition"]
            settled[partition] = min(settled[partition], record.position)
        return settled

    def _commit(self) -> None:
        """Commit what is settled, and again after a while where no broker has said that it did."""
        settled = self._settled_offsets()
        stale = time.monotonic() - self._sent_at >= COMMIT_AGAIN_AFTER
        if settled != self._committed and (settled != self._sent or stale):
            self._sent, self._sent_at = settled, time.monotonic()
            with suppress(client.KafkaException):
                self._client().commit(offsets=self._places(settled), asynchronous=True)

    def _on_commit(self, error: object, places: Sequence[client.TopicPartition]) -> None:
        if error is None:
            self._committed |= {each.partition: each.offset for each in places if each.error is None}

    def _places(self, offsets: Mapping[int, int]) -> list[client.TopicPartition]:
        return [client.TopicPartition(self._topic, each, offset) for each, offset in offsets.items()]


def _message(raw: client.Message) -> Message:
    kind, milliseconds = raw.timestamp()
    headers: Any = raw.headers() or ()  # pairs of a name and its content, whatever its stubs say
    return Message(
        topic=str(raw.topic()),
        partition=int(raw.partition() or 0),
        offset=int(raw.offset() or 0),
        timestamp=milliseconds,
        timestamp_type=kind,
        key=_bytes(raw.key()),
        value=_bytes(raw.value()),
        headers=[(name, _bytes(content)) for name, content in headers],
    )


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
