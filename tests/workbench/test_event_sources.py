"""The core of event source mappings, without an AWS: what is delivered, in which order, and what is given up."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.offline.event_sources import kafka_events, on_failure, validation
from workbench.offline.event_sources.assembly import PAYLOAD_LIMIT
from workbench.offline.event_sources.consumer import ShardConsumer
from workbench.offline.event_sources.delivery import Deliveries, Discarded
from workbench.offline.event_sources.records import Record
from workbench.offline.event_sources.responses import NOT_REACHED, Reply, to_retry
from workbench.offline.event_sources.settings import Settings
from workbench.offline.event_sources.tumbling import STATE_LIMIT

pytestmark = pytest.mark.fast

FOR_EVER = -1
NOON = 1_800_000_000.0


def record(position: int, key: str = "k", size: int = 100, arrived: float = NOON) -> Record:
    return Record("shard", position, key, f"seq-{position}", arrived, size, {"n": position})


@dataclass
class World:
    """A shard, a function that fails where it is told to, and a clock that only waits move on."""

    keys: Sequence[str]
    settings: Settings
    poison: frozenset[int] = frozenset()  # fail for ever
    flaky: dict[int, int] = field(default_factory=dict)  # how often each fails before it is processed
    throttles: list[bool] = field(default_factory=list)  # of the first invocations, which are throttled
    lanes: int = 1
    now: float = NOON
    processed: list[int] = field(default_factory=list)
    invoked: list[list[int]] = field(default_factory=list)
    given_up: list[Discarded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.records = [record(position, key) for position, key in enumerate(self.keys)]
        self.consumers = [self.consumer(lane) for lane in range(self.lanes)]

    def consumer(self, lane: int = 0, **more: Any) -> ShardConsumer:
        return ShardConsumer(
            self,
            0,
            settings=lambda: self.settings,
            invoke=lambda records, _: self.invoke(records),
            discard=self.given_up.append,
            clock=lambda: self.now,
            lane=(lane, self.lanes),
            **more,
        )

    def read(self, position: int, limit: int) -> Sequence[Record]:
        return self.records[position : position + limit]

    def invoke(self, records: Sequence[Record]) -> Reply:
        """All or nothing; or, where the mapping takes partial answers, up to the first that fails."""
        if self.throttles and self.throttles.pop(0):
            return NOT_REACHED
        self.invoked.append([each.position for each in records])
        failing = [each for each in records if self._fails(each.position)]
        if failing and not self.settings.partial:
            return Reply(failed=True)
        good = records[: records.index(failing[0])] if failing else records
        self.processed += [each.position for each in good]
        return Reply({"batchItemFailures": [{"itemIdentifier": each.identifier} for each in failing]})

    def _fails(self, position: int) -> bool:
        if self.flaky.get(position):
            self.flaky[position] -= 1
            return True
        return position in self.poison

    def run(self, until: Callable[[], bool] = lambda: False, steps: int = 5_000) -> World:
        """Let everything be delivered, waiting when there is nothing else to do."""
        for _ in range(steps):
            if until():
                return self
            stepped = [consumer.step() for consumer in self.consumers]
            if not any(stepped):
                waits = [due for each in self.consumers if (due := each.due_in()) is not None]
                if not waits:
                    return self
                self.now += min(waits)
        raise AssertionError(f"not done after {steps} steps")

    @property
    def sunk(self) -> list[int]:
        return [each.position for discarded in self.given_up for each in discarded.records]

    def order_of_keys_is_kept(self) -> bool:
        first = list(dict.fromkeys(self.processed))
        return all(
            (mine := [position for position in first if self.keys[position] == key]) == sorted(mine)
            for key in set(self.keys)
        )


worlds = st.builds(
    lambda keys, bad, flaky, settings, throttles, lanes: World(
        keys,
        settings,
        poison=frozenset(position for position in bad if position < len(keys)),
        flaky=dict.fromkeys((each for each in flaky if each < len(keys) and each not in bad), 1),
        throttles=throttles,
        lanes=lanes,
    ),
    keys=st.lists(st.sampled_from("abc"), max_size=24),
    bad=st.sets(st.integers(0, 23), max_size=5),
    flaky=st.sets(st.integers(0, 23), max_size=4),
    settings=st.builds(
        Settings,
        batch_size=st.integers(1, 9),
        retries=st.integers(1, 3),
        bisect=st.booleans(),
        partial=st.booleans(),
        window=st.sampled_from([0.0, 1.0]),
    ),
    throttles=st.lists(st.booleans(), max_size=6),
    lanes=st.integers(1, 3),
)


@given(worlds)
def test_every_record_is_processed_or_given_up_and_keys_keep_their_order(world: World) -> None:
    poison = world.poison
    world.run()
    assert set(world.processed) | set(world.sunk) == set(range(len(world.keys)))
    assert not poison & set(world.processed)
    assert poison <= set(world.sunk)
    assert world.order_of_keys_is_kept()
    assert {each.checkpoint for each in world.consumers} == {len(world.keys)}, "nothing is left behind"
    if world.settings.bisect:
        assert set(world.sunk) == poison, "bisecting gives up what is bad, and nothing else"
    if not world.settings.partial:
        assert len(world.processed) == len(set(world.processed)), "a batch is processed once"
        assert not set(world.processed) & set(world.sunk)


@given(size=st.integers(1, 64), data=st.data(), retries=st.integers(0, 2))
def test_a_poison_record_is_isolated_within_log2_steps(size: int, data: st.DataObject, retries: int) -> None:
    bad = data.draw(st.integers(0, size - 1))
    world = World("k" * size, Settings(batch_size=size, bisect=True, retries=retries), frozenset({bad})).run()
    with_it = [batch for batch in world.invoked if bad in batch]
    assert len(with_it) <= math.ceil(math.log2(size)) + 1 + retries
    assert world.sunk == [bad]
    assert world.processed == [each for each in range(size) if each != bad]


# Each guard taken away once: the properties above see it.


def test_without_bisecting_good_records_are_given_up_with_the_bad_one() -> None:
    world = World("k" * 8, Settings(batch_size=8, retries=1), frozenset({5})).run()
    assert world.sunk == list(range(8))


def test_without_partial_answers_asked_for_what_a_function_left_is_lost() -> None:
    world = World("k" * 4, Settings(batch_size=4, partial=True), flaky={2: 1})
    answered = world.invoke
    world.consumers = [world.consumer()]
    with_partial = replace(world.settings)
    world.invoke = lambda records: _with(world, with_partial, answered, records)  # type: ignore[method-assign]
    world.settings = Settings(batch_size=4)
    world.run()
    assert world.processed == [0, 1]
    assert world.sunk == []


def _with(world: World, settings: Settings, call: Callable[..., Reply], records: Sequence[Record]) -> Reply:
    """The function answers as it does under `settings`; the mapping goes by its own."""
    own, world.settings = world.settings, settings
    try:
        return call(records)
    finally:
        world.settings = own


def test_without_a_retry_limit_a_poison_record_blocks_its_shard() -> None:
    world = World("k" * 2, Settings(batch_size=1, retries=FOR_EVER), frozenset({0}))
    world.run(until=lambda: len(world.invoked) == 50)
    assert (world.processed, world.sunk) == ([], [])


# Retries, age, throttling.


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_a_batch_is_tried_once_and_retried_as_often_as_the_limit_says(retries: int) -> None:
    world = World("k" * 3, Settings(batch_size=3, retries=retries), frozenset({0})).run()
    assert len(world.invoked) == retries + 1
    [discarded] = world.given_up
    assert (discarded.condition, discarded.invocations) == ("RetryAttemptsExhausted", retries + 1)


def test_throttling_uses_up_no_retries() -> None:
    world = World("k", Settings(retries=1), flaky={0: 1}, throttles=[True] * 10).run()
    assert (world.processed, world.sunk) == ([0], [])
    assert world.now - NOON > 3, "it backs off between"


@pytest.mark.parametrize("throttled", [True, False])
def test_a_record_past_its_age_is_given_up(throttled: bool) -> None:
    world = World("kk", Settings(batch_size=1, max_age=60), frozenset({0}))
    world.throttles = [throttled] * 200
    world.records[1] = record(1, arrived=NOON + 200)
    world.run(until=lambda: bool(world.given_up))
    [discarded] = world.given_up
    assert discarded.condition == "RecordAgeExceeded"
    assert [each.position for each in discarded.records] == [0]
    assert (discarded.reply is None) == throttled
    assert 60 < world.now - NOON < 63


def test_without_an_age_limit_a_record_waits_for_ever() -> None:
    world = World("k", Settings(batch_size=1), frozenset({0}))
    world.run(until=lambda: world.now > NOON + 600)
    assert world.given_up == []


def test_back_off_grows_to_a_bound() -> None:
    world = World("k", Settings(batch_size=1), frozenset({0}))
    waits: list[float] = []
    while len(waits) < 8:
        world.consumers[0].step()
        waits.append(round(world.consumers[0].due_in() or 0, 3))
        world.now += waits[-1]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


# Batches.


def test_a_batch_goes_when_it_is_full_or_its_window_has_passed() -> None:
    world = World("k" * 3, Settings(batch_size=2, window=5))
    [consumer] = world.consumers
    assert consumer.step()
    assert not consumer.step(), "the third waits for company"
    assert consumer.due_in() == 5
    world.now += 5
    assert consumer.step()
    assert world.invoked == [[0, 1], [2]]


def test_a_batch_stays_within_the_payload_limit_and_what_can_never_fit_is_given_up() -> None:
    world = World("k" * 4, Settings(batch_size=10))
    sizes = [PAYLOAD_LIMIT // 2, PAYLOAD_LIMIT // 2 + 1, PAYLOAD_LIMIT + 1, 1]
    world.records = [record(position, size=size) for position, size in enumerate(sizes)]
    world.run()
    assert world.invoked == [[0], [1], [3]]
    assert [(each.condition, each.invocations) for each in world.given_up] == [
        ("MaximumPayloadSizeExceeded", 0)
    ]


def test_what_the_filter_does_not_match_is_passed_over_and_checkpointed() -> None:
    world = World("k" * 6, Settings(batch_size=2))
    world.consumers = [world.consumer(keep=lambda each: each.position in (1, 4))]
    world.run()
    assert world.invoked == [[1, 4]]
    assert world.consumers[0].checkpoint == 6


def test_an_update_takes_effect_with_the_next_batch() -> None:
    world = World("k" * 4, Settings(batch_size=1))
    world.consumers[0].step()
    world.settings = Settings(batch_size=3)
    world.run()
    assert world.invoked == [[0], [1, 2, 3]]


def test_a_parallel_shard_keeps_a_blocked_key_from_blocking_the_others() -> None:
    keys = [f"key{n % 8}" for n in range(32)]
    world = World(keys, Settings(batch_size=4, parallel=4), frozenset({0}), lanes=4)
    world.run(until=lambda: world.now > NOON + 10)
    lane = {position for batch in world.invoked if 0 in batch for position in batch}
    others = [each for each, key in enumerate(keys) if key not in {keys[position] for position in lane}]
    assert others
    assert set(others) <= set(world.processed)


# Answers.


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (None, []),
        ({}, []),
        ("", []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": None}, []),
        ({"statusCode": 200}, []),
        ({"batchItemFailures": [{"itemIdentifier": "seq-2"}]}, [2, 3]),
        ({"batchItemFailures": [{"itemIdentifier": "seq-3"}, {"itemIdentifier": "seq-1"}]}, [1, 2, 3]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, [0, 1, 2, 3]),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, [0, 1, 2, 3]),
        ({"batchItemFailures": [{"identifier": "seq-2"}]}, [0, 1, 2, 3]),
        ({"batchItemFailures": [{"itemIdentifier": "seq-9"}]}, [0, 1, 2, 3]),
        ({"batchItemFailures": ["seq-2"]}, [0, 1, 2, 3]),
        ({"batchItemFailures": "seq-2"}, [0, 1, 2, 3]),
        ("done", [0, 1, 2, 3]),
    ],
)
def test_an_answer_settles_what_the_guide_says(body: Any, left: list[int]) -> None:
    batch = [record(position) for position in range(4)]
    assert [each.position for each in to_retry(Reply(body), batch, partial=True)] == left
    assert to_retry(Reply(body), batch, partial=False) == (), "unasked, only an error is a failure"
    assert to_retry(Reply(body, failed=True), batch, partial=True) == batch


def test_of_kafka_only_the_reported_records_are_retried() -> None:
    batch = [kafka_events.record_of(message(partition, offset)) for partition in (0, 1) for offset in (5, 6)]
    failed = {"partition": "clicks-1", "offset": 5}
    answer = Reply({"batchItemFailures": [{"itemIdentifier": failed}]})
    assert [each.identifier for each in to_retry(answer, batch, partial=True)] == ["clicks-1:5"]
    for wrong in ({"partition": "clicks-7", "offset": 5}, {"partition": "clicks-1", "offset": 9}, "5", {}):
        answer = Reply({"batchItemFailures": [{"itemIdentifier": wrong}]})
        assert to_retry(answer, batch, partial=True) == batch


# Tumbling windows.


@dataclass
class Windowed:
    """A function that counts, on a shard with windows of ten seconds."""

    now: float = NOON
    events: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Reply] = field(default_factory=list)  # before it counts
    state_size: int = 0

    def consumer(self, arrivals: Sequence[float], batch_size: int = 100) -> ShardConsumer:
        records = [record(position, arrived=NOON + each) for position, each in enumerate(arrivals)]
        self.source = World("", Settings())
        self.source.records = records
        return ShardConsumer(
            self.source,
            0,
            settings=lambda: Settings(batch_size=batch_size, tumbling=10),
            invoke=self.invoke,
            discard=lambda _: None,
            clock=lambda: self.now,
        )

    def invoke(self, records: Sequence[Record], window: dict[str, Any]) -> Reply:
        self.events.append({"records": [each.position for each in records], **window})
        if self.answers:
            return self.answers.pop(0)
        count = window["state"].get("count", 0) + len(records)
        return Reply({"state": {"count": count, "padding": "x" * self.state_size}})

    def seen(self) -> list[tuple[list[int], int, bool]]:
        return [
            (each["records"], each["state"].get("count", 0), each["isFinalInvokeForWindow"])
            for each in self.events
        ]


def test_a_window_hands_its_state_on_and_ends_with_a_last_invocation() -> None:
    windowed = Windowed()
    consumer = windowed.consumer([0, 1, 12], batch_size=1)
    while consumer.step():
        pass
    assert windowed.seen() == [([0], 0, False), ([1], 1, False), ([], 2, True), ([2], 0, False)]
    assert windowed.events[0]["window"] == {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T08:00:10Z"}
    windowed.now += 20
    assert consumer.step()
    assert windowed.seen()[-1] == ([], 1, True)
    assert consumer.due_in() is None


def test_a_window_that_does_not_end_well_holds_everything_up() -> None:
    windowed = Windowed()
    consumer = windowed.consumer([0, 12])
    consumer.step()
    windowed.answers = [Reply(failed=True), NOT_REACHED]
    for _ in range(3):
        consumer.step()
        windowed.now += 1
    assert windowed.seen()[1:] == 3 * [([], 1, True)]
    consumer.step()
    assert windowed.seen()[-1] == ([1], 0, False)


def test_an_answer_without_a_state_is_a_failure() -> None:
    windowed = Windowed(answers=[Reply({"count": 1})])
    consumer = windowed.consumer([0])
    consumer.step()
    windowed.now += 1
    consumer.step()
    assert windowed.seen() == 2 * [([0], 0, False)]


def test_a_state_that_is_too_large_ends_its_window_early() -> None:
    windowed = Windowed(state_size=STATE_LIMIT)
    consumer = windowed.consumer([0, 1], batch_size=1)
    consumer.step()
    consumer.step()
    assert windowed.events[1]["isWindowTerminatedEarly"]
    assert not windowed.events[1]["isFinalInvokeForWindow"]
    consumer.step()
    assert windowed.seen()[-1] == ([1], 0, False), "the window begins anew"


# What is given up.


def test_the_record_of_a_given_up_batch_is_the_documented_one() -> None:
    batch = [record(1, arrived=NOON), record(2, arrived=NOON + 1.5)]
    discarded = Discarded(batch, "RetryAttemptsExhausted", 3, Reply(failed=True))
    info = on_failure.stream_batch_info("KinesisBatchInfo", "arn:stream", batch)
    document = on_failure.invocation_record(discarded, "arn:function", info, NOON + 2)
    assert document.pop("requestContext").keys() == {
        "requestId", "functionArn", "condition", "approximateInvokeCount"
    }  # fmt: skip
    assert document == {
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2027-01-15T08:00:02.000Z",
        "KinesisBatchInfo": {
            "shardId": "shard",
            "startSequenceNumber": "seq-1",
            "endSequenceNumber": "seq-2",
            "approximateArrivalOfFirstRecord": "2027-01-15T08:00:00.000Z",
            "approximateArrivalOfLastRecord": "2027-01-15T08:00:01.500Z",
            "batchSize": 2,
            "streamArn": "arn:stream",
        },
    }
    key = on_failure.object_key("mapping", "shard", NOON)
    assert key.startswith("aws/lambda/mapping/shard/2027/01/15/2027-01-15T08.00.00-")


def test_a_record_that_no_function_saw_has_no_response() -> None:
    discarded = Discarded([record(1)], "RecordAgeExceeded", 0, None)
    assert on_failure.invocation_record(discarded, "arn", {}, NOON)["responseContext"] is None


def test_the_record_of_given_up_kafka_records_names_their_offsets() -> None:
    batch = [kafka_events.record_of(message(partition, offset)) for partition in (0, 1) for offset in (5, 6)]
    event = kafka_events.event_of(batch, "b-1:9098", "arn:cluster")
    info = on_failure.kafka_batch_info(event, batch)["KafkaBatchInfo"]
    assert (info["batchSize"], info["eventSourceArn"], info["bootstrapServers"]) == (
        4,
        "arn:cluster",
        "b-1:9098",
    )
    assert info["payloadSize"] == len(json.dumps(event))
    assert info["recordsInfo"]["clicks-1"] == {
        "firstRecordOffset": "5",
        "lastRecordOffset": "6",
        "firstRecordTimestamp": "2027-01-15T08:00:00.000Z",
        "lastRecordTimestamp": "2027-01-15T08:00:00.000Z",
    }
    alone = on_failure.kafka_record_info(event, batch[0])["KafkaBatchInfo"]
    assert alone["recordInfo"] == {"offset": "5", "timestamp": "2027-01-15T08:00:00.000Z"}


# Kafka's events and filters.


def message(partition: int, offset: int, value: bytes | None = b'{"kind": "buy"}') -> kafka_events.Message:
    headers = [("trace", b"\x01\xff")]
    return kafka_events.Message("clicks", partition, offset, int(NOON * 1000), 1, b"key", value, headers)


def test_a_batch_of_several_partitions_is_one_event() -> None:
    batch = [kafka_events.record_of(message(partition, 7)) for partition in (0, 1)]
    event = kafka_events.event_of(batch, "b-1:9098,b-2:9098", "arn:cluster")
    assert {name: value for name, value in event.items() if name != "records"} == {
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:cluster",
        "bootstrapServers": "b-1:9098,b-2:9098",
    }
    assert list(event["records"]) == ["clicks-0", "clicks-1"]
    assert event["records"]["clicks-1"] == [
        {
            "topic": "clicks",
            "partition": 1,
            "offset": 7,
            "timestamp": int(NOON * 1000),
            "timestampType": "CREATE_TIME",
            "key": base64.b64encode(b"key").decode(),
            "value": base64.b64encode(b'{"kind": "buy"}').decode(),
            "headers": [{"trace": [1, 255]}],
        }
    ]
    assert kafka_events.event_of(batch, "b", None)["eventSource"] == "SelfManagedKafka"
    assert "value" not in kafka_events.record_of(message(0, 8, None)).event, "a tombstone has none"


@pytest.mark.parametrize(
    ("value", "seen"),
    [(b'{"kind": "buy"}', {"kind": "buy"}), (b"plain", "plain"), (b"42", "42"), (None, "")],
)
def test_a_filter_sees_the_value_as_json_where_it_is_an_object(value: bytes | None, seen: object) -> None:
    assert kafka_events.seen_by_a_filter(kafka_events.record_of(message(0, 1, value)))["value"] == seen


def test_what_waits_of_several_partitions_ages_by_itself() -> None:
    """The oldest record of a batch of Kafka need not be its first."""
    now = NOON + 61
    given_up: list[Discarded] = []
    sent: list[list[int]] = []

    def invoke(records: Sequence[Record]) -> Reply:
        sent.append([each.position for each in records])
        return Reply()

    deliveries = Deliveries(lambda: Settings(max_age=60), invoke, given_up.append, lambda: now)
    deliveries.add([record(1, arrived=now), record(2, arrived=NOON), record(3, arrived=now)])
    deliveries.deliver()
    assert sent == [[1, 3]]
    assert [each.position for discarded in given_up for each in discarded.records] == [2]


def test_a_record_that_no_topic_takes_is_said_in_the_log_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from workbench.offline.event_sources import kafka

    monkeypatch.setattr(kafka, "CALL_SECONDS", 0.2)
    runner = kafka.KafkaRunner("000000000000", "us-east-1", NOWHERE)
    records = [kafka_events.record_of(message(0, 1)), kafka_events.record_of(message(0, 2, b"x" * 800_000))]
    runner.discard(Discarded(records, "RetryAttemptsExhausted", 1, Reply(failed=True)))
    given_up, too_large, unreachable = [each.getMessage() for each in caplog.records]
    assert "m-1 gives up 2 records from clicks-0:1 on: RetryAttemptsExhausted" in given_up
    assert "m-1: clicks-0:2 not delivered to kafka://dead" in too_large
    assert "too large" in too_large
    assert "m-1: 1 records not delivered to kafka://dead" in unreachable


NOWHERE = {
    "UUID": "m-1",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}},
    "Topics": ["clicks"],
    "DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}},
}


# Settings and their validation.


def test_settings_have_the_defaults_of_their_source() -> None:
    assert Settings.of({}) == Settings()
    kafka = {"Topics": ["t"], "BatchSize": 7}
    assert Settings.of(kafka) == Settings(batch_size=7, window=0.5)
    with_destination = kafka | {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:::q"}}}
    assert Settings.of(with_destination).retries == 10, "for want of a limit, AWS takes this one"
    assert Settings.of(with_destination | {"MaximumRetryAttempts": 2}).retries == 2
    assert Settings.of({"FunctionResponseTypes": ["ReportBatchItemFailures"]}).partial


STREAM = {"StartingPosition": "LATEST"}
KAFKA = {"StartingPosition": "LATEST", "Topics": ["t"]}


@pytest.mark.parametrize(
    ("kind", "request_", "says"),
    [
        ("kinesis", {}, "'startingPosition' failed to satisfy constraint: Member must not be null"),
        ("kinesis", STREAM | {"BatchSize": 0}, "greater than or equal to 1"),
        ("kinesis", STREAM | {"MaximumRetryAttempts": 10_001}, "less than or equal to 10000"),
        ("kinesis", STREAM | {"MaximumRecordAgeInSeconds": 30}, "between 60 and 604800"),
        ("kinesis", STREAM | {"Topics": ["t"]}, "Unsupported Topics parameter"),
        ("kinesis", {"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
        ("kinesis", STREAM | {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern"),
        ("dynamodb", {"StartingPosition": "AT_TIMESTAMP"}, "Unsupported starting position"),
        (
            "dynamodb",
            STREAM | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}},
            "Kafka topic",
        ),
        (
            "dynamodb",
            STREAM | {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:iam:::r"}}},
            "invalid",
        ),
        ("kafka", STREAM, "Exactly one topic"),
        ("kafka", KAFKA | {"MaximumRetryAttempts": 3}, "provisioned mode only"),
        ("kafka", KAFKA | {"FunctionResponseTypes": ["ReportBatchItemFailures"]}, "provisioned mode only"),
        ("kafka", KAFKA | {"ParallelizationFactor": 2}, "Unsupported ParallelizationFactor parameter"),
        ("kafka", KAFKA | {"FilterCriteria": {"Filters": [{"Pattern": '{"key": ["k"]}'}]}}, "`value` alone"),
        ("kafka", KAFKA | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}}, "source topic"),
        ("sqs", {"BisectBatchOnFunctionError": True}, "Unsupported BisectBatchOnFunctionError parameter"),
    ],
)
def test_what_a_mapping_may_not_say_is_refused(
    kind: validation.Kind, request_: dict[str, Any], says: str
) -> None:
    refused = validation.refusal(kind, request_, creating=True)
    assert refused is not None
    assert says in refused[1]


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("kinesis", {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.0}),
        ("dynamodb", STREAM | {"MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1}),
        ("kafka", KAFKA | {"MaximumRetryAttempts": 3, "ProvisionedPollerConfig": {"MinimumPollers": 1}}),
        ("kafka", KAFKA | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}}),
        ("sqs", {"BatchSize": 10}),
    ],
)
def test_what_a_mapping_may_say_is_taken(kind: validation.Kind, request_: dict[str, Any]) -> None:
    assert validation.refusal(kind, request_, creating=True) is None
