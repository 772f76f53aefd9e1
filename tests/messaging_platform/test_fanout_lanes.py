"""Lanes: each partition in its order, none waiting for another, and nothing committed that is not done."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.messaging_platform import records
from lambdas.messaging_platform.records import Event
from lambdas.shared import observability
from lambdas.shared.errors import Unavailable
from lambdas.shared.kafka import Record
from services.messaging_platform.fanout import __main__ as program
from services.messaging_platform.fanout.handling import handler
from services.messaging_platform.fanout.lanes import Lanes, Place
from services.messaging_platform.persistence import Persistence, Stopped
from services.messaging_platform.telemetry import Metrics, count_here
from tests.messaging_platform.quiet import Nowhere, quiet_log

pytestmark = pytest.mark.fast

WITHIN_S = 10.0


def record(partition: int, offset: int, value: bytes = b"") -> Record:
    return Record("messages", partition, offset, b"chat", value)


class Broker:
    """A topic, and a group that one consumer after the other belongs to. `taken_away` partitions go elsewhere."""

    def __init__(self, lengths: list[int]) -> None:
        self.log = {("messages", partition): length for partition, length in enumerate(lengths)}
        self.committed: defaultdict[Place, int] = defaultdict(int)
        self.position: dict[Place, int] = {}
        self.taken_away: set[Place] = set()
        self.failing_commits = 0
        self.commits: list[dict[Place, int]] = []
        self.closed = 0

    def join(self) -> Broker:
        self.position = {place: self.committed[place] for place in self.log}
        return self

    def poll(self, most: int, within_s: float) -> list[Record]:
        found: list[Record] = []
        for place, length in self.log.items():
            while place not in self.taken_away and self.position[place] < length and len(found) < most:
                found.append(record(place[1], self.position[place]))
                self.position[place] += 1
        if not found:
            time.sleep(0.001)
        return found

    def commit(self, *records: Record) -> bool:
        if self.failing_commits:
            self.failing_commits -= 1
            raise Unavailable("no coordinator")
        ends = {(each.topic, each.partition): each.offset + 1 for each in records}
        ours = {place: end for place, end in ends.items() if place not in self.taken_away}
        self.committed.update(ours)
        self.commits.append(ends)
        return len(ours) == len(ends)

    def assigned(self) -> list[Place]:
        return sorted(set(self.log) - self.taken_away)

    def close(self) -> None:
        self.closed += 1


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.001)


class Running:
    """Lanes in a thread of their own, ended with the `with`."""

    def __init__(self, broker: Broker, work: Callable[[Record], None], **more: Any) -> None:
        self.stopping = threading.Event()
        more = {"commit_every_s": 0.0} | more
        self.lanes = Lanes(broker.join(), work, self.stopping, quiet_log(), **more)
        self.thread = threading.Thread(target=self.lanes.run)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join(WITHIN_S)
        assert not self.thread.is_alive()


def test_each_partition_is_worked_in_its_order_and_all_of_it_is_committed() -> None:
    broker, done = Broker([50, 30, 0, 70]), defaultdict[int, list[int]](list)

    def work(each: Record) -> None:
        time.sleep(random.random() / 2_000)
        done[each.partition].append(each.offset)

    with Running(broker, work):
        eventually(lambda: sum(broker.committed.values()) == 150)
    assert done == {0: list(range(50)), 1: list(range(30)), 3: list(range(70))}
    assert broker.closed == 1


def test_a_partition_that_is_stuck_holds_up_no_other_and_is_not_committed() -> None:
    broker, release = Broker([5, 400]), threading.Event()

    def work(each: Record) -> None:
        if (each.partition, each.offset) == (0, 2):
            release.wait(WITHIN_S)

    with Running(broker, work):
        eventually(lambda: broker.committed == {("messages", 0): 2, ("messages", 1): 400})
        release.set()
        eventually(lambda: broker.committed["messages", 0] == 5)


def test_no_more_is_read_than_may_wait() -> None:
    broker, release = Broker([1_000]), threading.Event()

    def work(_: Record) -> None:
        release.wait(WITHIN_S)

    with Running(broker, work, most_waiting=20) as running:
        eventually(lambda: broker.position["messages", 0] == 20)
        turned = running.lanes.turned_s_ago
        eventually(lambda: turned() < 0.1)  # it comes round all the same
        assert broker.position["messages", 0] == 20
        release.set()
        eventually(lambda: broker.committed["messages", 0] == 1_000)


def test_what_is_stopped_is_neither_committed_nor_passed_over() -> None:
    broker = Broker([10])

    def work(each: Record) -> None:
        if each.offset == 3:
            raise Stopped

    with Running(broker, work) as running:
        eventually(lambda: broker.committed["messages", 0] == 3)
        assert not running.stopping.is_set()
    assert broker.committed["messages", 0] == 3


def test_at_the_end_the_record_in_hand_is_finished_and_committed_and_the_group_left() -> None:
    broker, begun, release, done = Broker([10]), threading.Event(), threading.Event(), list[int]()

    def work(each: Record) -> None:
        begun.set()
        release.wait(WITHIN_S)
        done.append(each.offset)

    with Running(broker, work, commit_every_s=1e9) as running:
        assert begun.wait(WITHIN_S)
        running.stopping.set()
        release.set()
    assert done == [0]
    assert broker.committed["messages", 0] == 1
    assert broker.closed == 1


def test_work_that_fails_for_no_known_reason_ends_the_program_and_nothing_is_committed_over_it() -> None:
    broker = Broker([10])

    def work(each: Record) -> None:
        if each.offset == 3:
            raise RuntimeError("a mistake")

    with Running(broker, work) as running:
        eventually(running.stopping.is_set)
    assert broker.committed["messages", 0] == 3


def test_a_commit_that_fails_is_made_later() -> None:
    broker = Broker([10])
    broker.failing_commits = 3
    with Running(broker, lambda _: None):
        eventually(lambda: broker.committed["messages", 0] == 10)


def test_of_a_partition_that_went_elsewhere_no_more_is_done() -> None:
    broker, begun, release, done = Broker([10]), threading.Event(), threading.Event(), list[int]()

    def work(each: Record) -> None:
        begun.set()
        release.wait(WITHIN_S)
        done.append(each.offset)

    with Running(broker, work) as running:
        assert begun.wait(WITHIN_S)
        broker.taken_away.add(("messages", 0))
        eventually(lambda: running.lanes._waiting == 1)
        release.set()
        eventually(lambda: running.lanes._waiting == 0)
    assert done == [0]
    assert broker.committed["messages", 0] == 0


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 25), min_size=1, max_size=4),
    crashes=st.lists(st.integers(1, 40), max_size=4),
    seed=st.integers(0, 1_000),
)
def test_after_any_crashes_every_record_is_done_and_its_order_kept(
    lengths: list[int], crashes: list[int], seed: int
) -> None:
    """Each run ends by force after so many records; what is done again begins after a commit, and skips nothing."""
    broker, chance = Broker(lengths), random.Random(seed)
    done: defaultdict[int, list[int]] = defaultdict(list)

    for limit in [*crashes, 10_000]:
        left = [limit]
        guard = threading.Lock()
        ended = threading.Event()
        broker.failing_commits = chance.randint(0, 3)

        def work(
            each: Record,
            left: list[int] = left,
            guard: threading.Lock = guard,
            ended: threading.Event = ended,
        ) -> None:
            with guard:
                left[0] -= 1
                if left[0] < 0:
                    ended.set()
                    raise Stopped
                done[each.partition].append(each.offset)

        with Running(broker, work, commit_every_s=chance.choice([0.0, 0.002])):
            eventually(
                lambda ended=ended: (  # type: ignore[misc]
                    ended.is_set() or all(broker.committed[place] == end for place, end in broker.log.items())
                )
            )
    for partition, length in enumerate(lengths):
        offsets = done[partition]
        assert set(offsets) == set(range(length))
        assert all(after <= before + 1 for before, after in pairwise(offsets))


# One record


class Kept:
    def __init__(self) -> None:
        self.parked: list[tuple[Record, str]] = []
        self.delivered: list[records.Record] = []
        self.failures: list[Exception] = []

    def park(self, each: Record, reason: str) -> None:
        if self.failures:
            raise self.failures.pop()
        self.parked.append((each, reason))

    def deliver(self, each: records.Record) -> None:
        if self.failures:
            raise self.failures.pop()
        self.delivered.append(each)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def out() -> Nowhere:
    return Nowhere()


@pytest.fixture
def handle(kept: Kept, out: Nowhere) -> Callable[[Record], None]:
    persistence = Persistence(threading.Event(), quiet_log(), pause=lambda _: None)
    metrics = Metrics("fanout", out)
    handle = handler(kept, kept, persistence, metrics, quiet_log(), lambda: 1_500)

    def handled(each: Record) -> None:
        handle(each)
        metrics.flush()

    return handled


EVENT = Event("d-" + "0" * 32, 1, "message", "ann", "a1", "i1", 1_000, {"text": "hello"})


@pytest.mark.parametrize("value", [b"", b"no JSON", b"[]", b'{"v":2}', b"\xff", b"[" * 100_000])
def test_what_cannot_be_read_is_parked_and_holds_up_nothing(
    value: bytes, kept: Kept, handle: Callable[[Record], None]
) -> None:
    kept.failures = [Unavailable("the queue is away"), Unavailable("still")]
    handle(record(0, 7, value))
    assert [(each.offset, each.value) for each, _ in kept.parked] == [(7, value)]
    assert kept.delivered == []


def test_a_record_is_delivered_however_often_it_fails(
    kept: Kept, out: Nowhere, handle: Callable[[Record], None]
) -> None:
    kept.failures = [Unavailable("away"), RuntimeError("refused"), Unavailable("away")]
    handle(record(0, 7, records.encode(EVENT)))
    assert kept.delivered == [EVENT]
    line = json.loads(out.getvalue())
    assert line["Lag"] == [500]
    assert line["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "Lag", "Unit": "Milliseconds"}]


# Metrics


def test_metrics_are_one_line_of_the_embedded_metric_format_and_nothing_when_there_are_none(
    out: Nowhere,
) -> None:
    metrics = Metrics("fanout", out, clock=lambda: 12.5)
    metrics.flush()
    assert out.getvalue() == ""
    metrics.count("Delivered", 3)
    metrics.count("Delivered")
    metrics.count("Pushed", 0)
    metrics.took("EndToEnd", 40)
    metrics.took("EndToEnd", -5)  # clocks differ
    metrics.flush()
    line = json.loads(out.getvalue())
    assert (line["service"], line["Delivered"], line["EndToEnd"]) == ("fanout", 4, [40, 0])
    assert line["_aws"]["Timestamp"] == 12_500
    [told] = line["_aws"]["CloudWatchMetrics"]
    assert told["Metrics"] == [
        {"Name": "Delivered", "Unit": "Count"},
        {"Name": "EndToEnd", "Unit": "Milliseconds"},
    ]


def test_no_line_of_metrics_has_more_values_than_the_format_allows(out: Nowhere) -> None:
    metrics = Metrics("fanout", out)
    for _ in range(250):
        metrics.took("EndToEnd", 1)
    metrics.flush()
    assert [len(json.loads(line)["EndToEnd"]) for line in out.getvalue().splitlines()] == [100, 100, 50]


def test_threads_that_measure_at_once_make_no_line_longer_than_the_format_allows(
    out: Nowhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hundredth value of a line, and before that line is made, another thread comes with the next."""
    metrics = Metrics("fanout", out)
    for _ in range(99):
        metrics.took("EndToEnd", 1)
    lock, others = metrics._lock, [threading.Thread(target=metrics.took, args=("EndToEnd", 2))]

    class Lock:
        def __enter__(self) -> None:
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()
            while others:
                other = others.pop()
                other.start()
                other.join(WITHIN_S)

    monkeypatch.setattr(metrics, "_lock", Lock())
    metrics.took("EndToEnd", 1)
    metrics.flush()
    assert [len(json.loads(line)["EndToEnd"]) for line in out.getvalue().splitlines()] == [100, 1]


def test_how_far_fan_out_is_behind_is_the_age_of_the_oldest_record_that_is_not_done() -> None:
    """Also while nothing ends, when records that are taken up would say nothing."""
    broker, now, gate = Broker([1, 2]), [100.0], threading.Event()

    def work(each: Record) -> None:
        if each.partition == 1:
            assert gate.wait(WITHIN_S)

    lanes = Lanes(broker.join(), work, threading.Event(), quiet_log(), clock=lambda: now[0])
    assert lanes.behind_s() == 0
    lanes._take(lanes._poll())
    eventually(lambda: lanes._waiting == 2)
    now[0] = 130.0
    assert lanes.behind_s() == 30
    gate.set()
    eventually(lambda: lanes._waiting == 0)
    assert lanes.behind_s() == 0


def test_fan_out_says_every_time_how_far_it_is_behind(out: Nowhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm can then tell a program that is not behind from one that is silent."""
    monkeypatch.setattr(program, "FLUSH_S", 0.001)
    stopping, ages = threading.Event(), [0.0, 12.5]

    def behind_s() -> float:
        if len(ages) == 1:
            stopping.set()
        return ages.pop()

    program._flush_until(stopping, Metrics("fanout", out), behind_s)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["Behind"] for line in lines] == [[12_500], [0]]
    for line in lines:
        [told] = line["_aws"]["CloudWatchMetrics"]
        assert (told["Namespace"], told["Dimensions"]) == ("SystemDesignBlueprints", [["service"]])
        assert told["Metrics"] == [{"Name": "Behind", "Unit": "Milliseconds"}]
        assert line["service"] == "fanout"


def test_what_handlers_count_is_counted_from_any_thread(
    out: Nowhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observability, "metrics", observability.metrics)  # as it was, after this
    metrics = Metrics("gateway", out)
    count_here(metrics)
    threads = [threading.Thread(target=observability.count, args=("CacheAway",)) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    metrics.flush()
    assert json.loads(out.getvalue())["CacheAway"] == 50
