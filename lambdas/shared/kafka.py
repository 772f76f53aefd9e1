"""Kafka as handlers and services use it: MSK with IAM at the door, nothing lost, nothing skipped.

    Producer(cluster_arn).send_all("messages", [(key, value)], within_s=5)   # all acknowledged, or `Unavailable`

    consumer = Consumer(cluster_arn, "fanout", ["messages"])
    for record in consumer.poll(most=100, within_s=1):
        ...                          # done with it, and with all before it of its partition:
        consumer.commit(record)

Keys decide the partition, so that what has one key stays in its order. Delivery is at least once: a producer that
gave up may have written all the same, and what was not committed is read again, by whoever has the partition then.

The libraries (confluent-kafka, aws-msk-iam-sasl-signer-python) are imported when a client is made: importing this
imports neither.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import bounded, bounded_client

LONGEST_SEND_S = 30  # no message waits longer in the producer, whatever it is asked for
LINGER_MS = 2  # many threads of one process share a request
SERVE_S = 0.02  # how long a sender waits for the library before it looks whether another one served it
SESSION_S = 10.0  # after so long without a heartbeat a consumer's partitions are given to others
SLOW_WORK_S = 10.0  # a consumer that has not polled for so long is kept in its group meanwhile
LONGEST_BACKOFF_MS = 500  # a broker that is back is found again well within what a call may take
_POLL_INTERVAL_MS = 300_000


@dataclass(frozen=True)
class Record:
    """A record as it was read. `key` and `value` are empty where it has none."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes


class Producer:
    """Writes to the topics of one cluster. One for the life of a process; threads may share it."""

    def __init__(self, cluster_arn: str) -> None:
        self._cluster_arn = cluster_arn
        self._lock = threading.Lock()
        self._made: Any = None
        self._known: set[str] = set()

    def prepare(self, topic: str, within_s: float) -> None:
        """Connect, so that the first to send need not: brokers asked of AWS, TLS, a token, the topic's leaders.

        Raises `Unavailable`; whoever sends tries it again.
        """
        self._producer(topic, within_s)

    def send_all(self, topic: str, messages: Sequence[tuple[str, bytes]], within_s: float) -> None:
        """Write all of `messages` (key, value), each key's in this order, in `within_s` seconds at most.

        The first to connect may take longer: it asks AWS for the brokers. Raises `Unavailable` unless every one of
        them is acknowledged by all replicas in sync; some of them may be written then, and the same call may be made
        again.
        """
        if not messages:
            return
        from confluent_kafka import KafkaException

        until = time.monotonic() + within_s
        ended: list[Any] = []
        producer = self._producer(topic, within_s)
        try:
            for key, value in messages:
                self._enqueue(producer, topic, key, value, ended, until)
            while len(ended) < len(messages) and time.monotonic() < until:
                producer.poll(SERVE_S)
        except KafkaException as problem:
            self._give_up(producer)
            raise Unavailable("Kafka does not answer; try again") from problem
        failed = [error for error in ended if error is not None]
        if failed or len(ended) < len(messages):
            self._give_up(producer)
            raise Unavailable(f"Kafka has not acknowledged everything; try again ({failed[:1] or 'late'})")

    def _enqueue(
        self, producer: Any, topic: str, key: str, value: bytes, ended: list[Any], until: float
    ) -> None:
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=lambda error, _: ended.append(error))
            except BufferError:
                if time.monotonic() > until:
                    self._give_up(producer)
                    raise Unavailable("too much is waiting for Kafka; try again") from None
                producer.poll(SERVE_S)
            else:
                return

    def _producer(self, topic: str, within_s: float) -> Any:
        """The library's producer, with the topic's leaders known: else it looks for them once a second."""
        from confluent_kafka import KafkaException

        until = time.monotonic() + within_s
        if not self._lock.acquire(timeout=within_s):
            raise Unavailable("another one still connects to Kafka; try again")
        made = self._made
        try:
            if made is None:
                made = self._made = self._connected()
                self._known = set()
            if topic not in self._known:
                made.list_topics(topic, timeout=max(until - time.monotonic(), SERVE_S))
                self._known.add(topic)
        except KafkaException as problem:
            self._give_up(made)
            raise Unavailable("Kafka does not answer; try again") from problem
        finally:
            self._lock.release()
        return made

    def _connected(self) -> Any:
        from confluent_kafka import Producer as Underlying

        return Underlying(
            {
                **_at_the_door(self._cluster_arn),
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": LINGER_MS,
                "message.timeout.ms": LONGEST_SEND_S * 1000,
            }
        )

    def _give_up(self, producer: Any) -> None:
        """Drop what waits in it: sent later by itself, it would come after what is sent again in its place.

        Others may have given it up before, and have another one by now, which stays. Without the lock: who connects
        holds that for long.
        """
        if self._made is producer:
            self._made = None
        if producer is not None:
            producer.purge()
            producer.poll(0)


class Consumer:
    """Reads topics of one cluster as a member of a group; what is committed is exactly what was said to be done.

    Work may take as long as it takes: a thread of its own keeps the membership while `poll` is not called, with
    nothing more read meanwhile. A partition that goes to another member is read there from its last commit on;
    committing a record of it here does nothing.
    """

    def __init__(
        self, cluster_arn: str, group: str, topics: Sequence[str], *, session_s: float = SESSION_S
    ) -> None:
        from confluent_kafka import Consumer as Underlying

        self._lock = threading.RLock()  # of all but commits: one thread at a time speaks to the library
        # Of each partition of ours: the first offset read (None: nothing yet), and the offset that was committed.
        self._first: dict[tuple[str, int], int | None] = {}
        self._done: dict[tuple[str, int], int] = {}
        self._early: list[Record] = []  # read while membership was kept, for the next `poll`
        self._paused = False
        self._polled_at = time.monotonic()
        self._closing = threading.Event()
        self._consumer: Any = Underlying(
            {
                **_at_the_door(cluster_arn),
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(session_s * 1000),
                "heartbeat.interval.ms": int(session_s * 1000 / 4),
                "max.poll.interval.ms": max(_POLL_INTERVAL_MS, int(session_s * 1000)),
            }
        )
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        self._keeper = threading.Thread(target=self._keep, name=f"kafka-{group}", daemon=True)
        self._keeper.start()

    def poll(self, most: int, within_s: float) -> list[Record]:
        """Up to `most` records, each partition's in their order: as soon as there are any, or none in `within_s`.

        Raises `Unavailable` when the cluster says that it cannot be read.
        """
        with self._lock:
            self._polled_at = time.monotonic()
            self._resume()
            found, self._early = self._early[:most], self._early[most:]
            try:
                while len(found) < most:
                    record = self._read(0 if found else within_s)
                    if record is None:
                        break
                    found.append(record)
            except BaseException:
                # The library does not give them again, and a commit of what comes after them would skip them.
                self._early = found + self._early
                raise
            self._polled_at = time.monotonic()
            # A rebalance in between may have taken some of them away.
            return [each for each in found if self._is_ours(each)]

    def commit(self, *records: Record) -> bool:
        """Note that each of `records`, and all before it of its partition, is done with; say whether it is noted.

        It is not where the partition has gone to another member, or is about to: they are read again there.
        Raises `Unavailable` when the cluster does not answer.
        """
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        ours = [each for each in records if self._is_ours(each)]
        if not ours:
            return False
        ends: dict[tuple[str, int], int] = {}
        for each in ours:
            place = (each.topic, each.partition)
            ends[place] = max(ends.get(place, 0), self._done.get(place, 0), each.offset + 1)
        rebalancing = (
            KafkaError.ILLEGAL_GENERATION,
            KafkaError.UNKNOWN_MEMBER_ID,
            KafkaError.REBALANCE_IN_PROGRESS,
            KafkaError._ASSIGNMENT_LOST,
        )
        try:
            offsets = [TopicPartition(*place, end) for place, end in ends.items()]
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as problem:
            if problem.args[0].code() in rebalancing:
                return False
            raise Unavailable(f"Kafka has not taken a commit ({problem.args[0]})") from problem
        for place, end in ends.items():
            self._done[place] = max(self._done.get(place, 0), end)
        return len(ours) == len(records)

    def assigned(self) -> list[tuple[str, int]]:
        """The partitions that are this member's now."""
        return sorted(self._first)

    def close(self) -> None:
        """Leave the group, so that others have the partitions at once."""
        self._closing.set()
        self._keeper.join()
        with self._lock:
            self._consumer.close()

    def _read(self, within_s: float) -> Record | None:
        from confluent_kafka import KafkaError

        message = self._consumer.poll(within_s)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            if error.retriable() or error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
                return None
            raise Unavailable(f"Kafka cannot be read ({error})")
        record = Record(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key() or b"",
            message.value() or b"",
        )
        place = (record.topic, record.partition)
        if self._first.get(place, 0) is None:
            self._first[place] = record.offset
        return record

    def _is_ours(self, record: Record) -> bool:
        """Whether a record was read since its partition was last given to this member."""
        first = self._first.get((record.topic, record.partition))
        return first is not None and record.offset >= first

    def _keep(self) -> None:
        """Stay a member while work takes long: poll as one must, with every partition paused."""
        from confluent_kafka import KafkaException

        while not self._closing.wait(SLOW_WORK_S / 10):
            # What goes wrong here the next `poll` meets as well, and says.
            with self._lock, suppress(KafkaException, Unavailable):
                if time.monotonic() - self._polled_at < SLOW_WORK_S:
                    continue
                self._paused = True
                self._consumer.pause(self._consumer.assignment())
                # What came before the pause took hold, or from a partition that was assigned just now.
                record = self._read(0)
                if record is not None:
                    self._early.append(record)

    def _resume(self) -> None:
        if self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False

    def _on_assign(self, _: object, partitions: Sequence[Any]) -> None:
        for each in partitions:
            self._first[each.topic, each.partition] = None
            self._done.pop((each.topic, each.partition), None)

    def _on_revoke(self, _: object, partitions: Sequence[Any]) -> None:
        for each in partitions:
            self._first.pop((each.topic, each.partition), None)
        self._early = [each for each in self._early if self._is_ours(each)]


class Cluster:
    """Where a cluster of MSK is met."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @property
    def region(self) -> str:
        return self._arn.split(":")[3]

    @cached_property
    def brokers(self) -> str:
        """Its brokers' way in with IAM, as clients take it."""
        client = cast(Any, bounded_client("kafka", read_s=5))
        with bounded():
            return str(client.get_bootstrap_brokers(ClusterArn=self._arn)["BootstrapBrokerStringSaslIam"])

    def token(self, _: object) -> tuple[str, float]:
        """A token of the process's own role, and the moment (epoch s) from which it is none."""
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # type: ignore[import-untyped]

        token, expires_ms = MSKAuthTokenProvider.generate_auth_token(self.region)
        return token, expires_ms / 1000


def _at_the_door(cluster_arn: str) -> dict[str, Any]:
    """What every client of a cluster sets: its brokers, TLS, and a token that the library has renewed in time."""
    cluster = Cluster(cluster_arn)
    settings: dict[str, Any] = {
        "bootstrap.servers": cluster.brokers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": cluster.token,
        "reconnect.backoff.max.ms": LONGEST_BACKOFF_MS,
    }
    # librdkafka reads no variable of the environment; by itself it looks where distributions keep their authorities.
    authorities = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if authorities:
        settings["ssl.ca.location"] = authorities
    return settings
