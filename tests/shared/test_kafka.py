"""Writing to Kafka and reading from it, through the IAM door of the offline AWS."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from lambdas.shared import kafka
from lambdas.shared.errors import Unavailable
from lambdas.shared.kafka import Consumer, Producer, Record
from tests.kafka_cluster import cluster_resources, session_of_a_role
from tests.offline import create_stack, eventually
from tests.templates import allow, ref, template
from tests.workbench.conftest import control, emulator
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator

__all__ = ["control", "emulator"]  # fixtures

TOPICS = dict.fromkeys(("ordered", "slow", "shared", "resumed", "forward", "handed", "outage"), 4)
TEMPLATE = template(cluster_resources("backbone", "ab", TOPICS), {"Cluster": ref("Cluster")})
ACTIONS = (
    "Connect",
    "DescribeTopic",
    "WriteData",
    "WriteDataIdempotently",
    "ReadData",
    "DescribeGroup",
    "AlterGroup",
)


@pytest.fixture(scope="module")
def cluster(emulator: Emulator) -> Iterator[str]:
    """A cluster; the process's own credentials are those of a role that may read and write there."""
    arn = create_stack(emulator.endpoint, "backbone", TEMPLATE)["Cluster"]
    asks = allow("kafka:GetBootstrapBrokers", Resource="*")
    keys = session_of_a_role(emulator.endpoint, "member", ACTIONS, arn, asks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
        patch.setenv("AWS_SESSION_TOKEN", str(keys.token))
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", emulator.endpoint.url)
        patch.setenv("AWS_CA_BUNDLE", str(emulator.endpoint.ca_bundle))
        patch.delenv("AWS_PROFILE", raising=False)
        yield arn


@pytest.fixture(scope="module")
def producer(cluster: str) -> Producer:
    return Producer(cluster)


def wave(name: str, count: int) -> list[tuple[str, bytes]]:
    return [(f"chat-{number % 5}", f"{name}-{number}".encode()) for number in range(count)]


def read(consumer: Consumer, count: int, *, commit: bool = True) -> list[Record]:
    found: list[Record] = []

    def enough() -> bool:
        batch = consumer.poll(100, 0.1)
        found.extend(batch)
        if batch and commit:
            consumer.commit(*batch)
        return len(found) >= count

    eventually(enough, f"{count} records")
    return found


def values(records: list[Record], key: str) -> list[bytes]:
    return [each.value for each in records if each.key == key.encode()]


def test_what_was_acknowledged_is_read_in_the_order_of_its_key(cluster: str, producer: Producer) -> None:
    producer.send_all("ordered", wave("first", 200), within_s=10)
    producer.send_all("ordered", wave("second", 100), within_s=10)
    with closing(Consumer(cluster, "ordered", ["ordered"])) as consumer:
        found = read(consumer, 300)
    for key in {key for key, _ in wave("any", 5)}:
        sent = [value for name, value in wave("first", 200) + wave("second", 100) if name == key]
        assert values(found, key) == sent


def test_a_member_that_ends_without_a_commit_leaves_its_records_to_the_next(
    cluster: str, producer: Producer
) -> None:
    producer.send_all("resumed", wave("any", 50), within_s=10)
    with closing(Consumer(cluster, "resumed", ["resumed"])) as consumer:
        found = read(consumer, 50, commit=False)
        done = [each for each in found if each.offset < 3]
        assert consumer.commit(*done)
    with closing(Consumer(cluster, "resumed", ["resumed"])) as consumer:
        again = read(consumer, 50 - len(done))
    assert sorted(each.value for each in again) == sorted(
        {each.value for each in found} - {e.value for e in done}
    )


def test_a_commit_never_goes_back(cluster: str, producer: Producer) -> None:
    producer.send_all("forward", wave("before", 20), within_s=10)
    with closing(Consumer(cluster, "forward", ["forward"])) as consumer:
        found = read(consumer, 20)
        assert consumer.commit(*[each for each in found if each.offset == 0])
    producer.send_all("forward", wave("after", 20), within_s=10)
    with closing(Consumer(cluster, "forward", ["forward"])) as consumer:
        again = read(consumer, 20)
    assert {each.value for each in again} == {value for _, value in wave("after", 20)}


def test_work_that_takes_long_keeps_its_partitions(
    cluster: str, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own bound is set below the work's time: without the keeper the member would be out."""
    monkeypatch.setattr(kafka, "SLOW_WORK_S", 0.3)
    monkeypatch.setattr(kafka, "_POLL_INTERVAL_MS", 1_500)
    producer.send_all("slow", wave("any", 5), within_s=10)
    with closing(Consumer(cluster, "slow", ["slow"], session_s=1.5)) as consumer:
        found = read(consumer, 5, commit=False)
        ours = consumer.assigned()
        began = time.monotonic()
        producer.send_all("slow", wave("meanwhile", 5), within_s=10)
        eventually(lambda: time.monotonic() - began > 4, "the work to end")
        assert consumer.assigned() == ours
        assert consumer.commit(*found)
        assert sorted(each.value for each in read(consumer, 5)) == sorted(
            value for _, value in wave("meanwhile", 5)
        )


MEMBER = """
import sys
from lambdas.shared.kafka import Consumer
consumer = Consumer(sys.argv[1], "shared", ["shared"], session_s=1.5)
while True:
    for record in consumer.poll(10, 0.1):
        print(record.value.decode(), flush=True)
"""


def test_a_member_that_is_killed_before_it_commits_loses_nothing(cluster: str, producer: Producer) -> None:
    with closing(Consumer(cluster, "shared", ["shared"], session_s=1.5)) as consumer:
        eventually(lambda: consumer.poll(1, 0.1) or len(consumer.assigned()) == 4, "all partitions")
        other = subprocess.Popen(
            [sys.executable, "-c", MEMBER, cluster], stdout=subprocess.PIPE, env=os.environ
        )
        with other:
            try:
                eventually(lambda: consumer.poll(1, 0.1) or len(consumer.assigned()) == 2, "its share")
                producer.send_all("shared", wave("any", 60), within_s=10)
                assert other.stdout is not None
                assert other.stdout.readline().startswith(b"any-"), "it has read, and committed nothing"
            finally:
                other.kill()
        found = {each.value for each in read(consumer, 60)}
    assert found == {value for _, value in wave("any", 60)}


def test_a_record_of_a_partition_that_went_to_another_is_not_committed(
    cluster: str, producer: Producer
) -> None:
    producer.send_all("handed", wave("any", 40), within_s=10)
    with closing(Consumer(cluster, "handing-over", ["handed"], session_s=1.5)) as first:
        found = read(first, 40, commit=False)
        with closing(Consumer(cluster, "handing-over", ["handed"], session_s=1.5)) as second:

            def shared() -> bool:
                assert not first.poll(1, 0.05)
                second.poll(1, 0.05)
                return len(first.assigned()) == len(second.assigned()) == 2

            eventually(shared, "shares")
            lost = [each for each in found if (each.topic, each.partition) not in first.assigned()]
            assert lost
            assert not first.commit(*lost)


def test_without_enough_replicas_a_producer_says_so_in_time_and_goes_on_afterwards(
    cluster: str, producer: Producer, control: Control
) -> None:
    producer.send_all("outage", wave("before", 5), within_s=10)
    for broker in (1, 2):
        control.call("kafka/stop_broker", name="backbone", broker=broker)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        producer.send_all("outage", wave("during", 5), within_s=1)
    assert time.monotonic() - began < 4
    for broker in (1, 2):
        control.call("kafka/start_broker", name="backbone", broker=broker)
    producer.send_all("outage", wave("after", 5), within_s=10)
    with closing(Consumer(cluster, "outage", ["outage"])) as consumer:
        found = read(consumer, 10)
    assert {each.value for each in found} == {
        value for name in ("before", "after") for _, value in wave(name, 5)
    }


def test_a_producer_that_was_prepared_has_all_that_it_asks_for_first(cluster: str) -> None:
    prepared = Producer(cluster)
    prepared.prepare("shared", within_s=10)
    assert prepared._known == {"shared"}
    made = prepared._made
    prepared.send_all("shared", wave("prepared", 1), within_s=10)
    assert prepared._made is made


def test_a_producer_cannot_be_prepared_for_a_cluster_that_does_not_answer(
    cluster: str, control: Control
) -> None:
    for broker in (1, 2):
        control.call("kafka/stop_broker", name="backbone", broker=broker)
    unprepared = Producer(cluster)
    with pytest.raises(Unavailable):
        unprepared.prepare("shared", within_s=1)
    for broker in (1, 2):
        control.call("kafka/start_broker", name="backbone", broker=broker)
    unprepared.send_all("shared", wave("late", 1), within_s=10)


@dataclass(frozen=True)
class Message:
    """As the library has it: a record of the partition 0, or an error."""

    place: int
    problem: KafkaError | None = None

    def topic(self) -> str:
        return "any"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.place

    key = value = lambda _: b""

    def error(self) -> KafkaError | None:
        return self.problem


class Library:
    """A consumer of the library's, which is given the partition 0 and these messages."""

    def __init__(self, *messages: Message) -> None:
        self.left = list(messages)

    def subscribe(self, topics: list[str], *, on_assign: Any, **_: Any) -> None:
        on_assign(self, [TopicPartition("any", 0)])

    def poll(self, _: float) -> Message | None:
        return self.left.pop(0) if self.left else None

    def close(self) -> None:
        pass


def test_what_was_read_before_an_error_is_read_by_the_next_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library does not give it again: passed over here, it would be committed by whatever comes after it."""
    put_out = KafkaError(KafkaError._MAX_POLL_EXCEEDED)
    library = Library(Message(0), Message(1), Message(-1, put_out), Message(2))
    monkeypatch.setattr(kafka, "_at_the_door", lambda _: {})
    monkeypatch.setattr("confluent_kafka.Consumer", lambda _: library)
    with closing(Consumer("no-cluster", "any", ["any"])) as consumer:
        with pytest.raises(Unavailable):
            consumer.poll(9, 0)
        assert [each.offset for each in consumer.poll(9, 0)] == [0, 1, 2]


def test_a_sender_waits_no_longer_than_it_said_for_another_who_connects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def brokers(_: str) -> dict[str, Any]:
        asked.set()
        answered.wait(20)
        raise Unavailable("the brokers cannot be asked for")

    monkeypatch.setattr(kafka, "_at_the_door", brokers)
    shared = Producer("no-cluster")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.prepare, "any", 1)
        try:
            assert asked.wait(5)
            second = pool.submit(shared.send_all, "any", wave("any", 1), 0.05)
            with pytest.raises(Unavailable, match="another"):
                second.result(5)
        finally:
            answered.set()
        with pytest.raises(Unavailable, match="brokers"):
            first.result(5)


class Deaf:
    """A producer of the library's whose messages nobody acknowledges."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.waiting, self.meanwhile = 0, meanwhile

    def list_topics(self, *_: Any, **__: Any) -> None: ...

    def produce(self, *_: Any, **__: Any) -> None:
        self.waiting += 1

    def poll(self, _: float) -> None:
        self.meanwhile()

    def purge(self) -> None:
        self.waiting = 0


def test_who_gives_up_drops_what_they_sent_and_not_what_waits_in_the_next_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reconnect() -> None:
        shared._made = later

    earlier, later = Deaf(reconnect), Deaf(lambda: None)
    later.produce()
    monkeypatch.setattr(kafka, "_at_the_door", lambda _: {})
    monkeypatch.setattr("confluent_kafka.Producer", lambda _: earlier)
    shared = Producer("no-cluster")
    with pytest.raises(Unavailable):
        shared.send_all("any", wave("any", 3), within_s=0.05)
    assert (earlier.waiting, later.waiting) == (0, 1)
    assert shared._made is later


def test_importing_it_loads_no_library() -> None:
    program = (
        "import sys, lambdas.shared.kafka;"
        "assert not {'botocore', 'boto3', 'confluent_kafka', 'aws_msk_iam_sasl_signer'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
