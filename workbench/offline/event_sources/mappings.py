"""Mappings at work: each has a thread of its own, which notices by itself when the mapping changes or is gone."""

from __future__ import annotations

import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.concurrency import spawn_background
from ministack.core.responses import request_scope
from ministack.services import lambda_svc

from workbench.offline.event_sources import destinations, functions, permissions, streams
from workbench.offline.event_sources.consumer import ShardConsumer
from workbench.offline.event_sources.delivery import Discarded
from workbench.offline.event_sources.on_failure import invocation_record, stream_batch_info
from workbench.offline.event_sources.records import Record
from workbench.offline.event_sources.responses import NOT_REACHED, Reply
from workbench.offline.event_sources.settings import Settings, destination_of

log = logging.getLogger("event_sources")

LONGEST_WAIT = 0.5  # seconds until a mapping looks around unasked
WORKED, FAILED = "OK", "PROBLEM: Function call failed"
NOT_ALLOWED = "PROBLEM: Lambda is not authorized to read the event source; check the execution role"

RUNNING: dict[str, Runner] = {}  # by the mapping's id


class Runner(ABC):
    """One mapping. Subclasses say in `turn` what there is to do, and in `event_of` what a batch looks like."""

    def __init__(self, account: str, region: str, mapping: dict[str, Any]) -> None:
        self.mapping = mapping
        self.held = False
        self.last: Sequence[Record] = ()  # the batch that was last delivered with success
        self._scope = (account, region)
        self._wake = threading.Event()
        self._turns = threading.Condition()
        self._in_flight = 0

    def start(self) -> None:
        """Begin; from here on the mapping is found in `RUNNING`, until it is deleted."""
        RUNNING[self.mapping["UUID"]] = self
        spawn_background(self._run, thread_name=f"event-source-{self.mapping['UUID'][:8]}")

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    @property
    def exists(self) -> bool:
        """Whether the mapping has not been deleted."""
        return lambda_svc._esms.get_scoped(*self._scope, self.mapping["UUID"]) is self.mapping

    @property
    def settings(self) -> Settings:
        """What the mapping says now: an update takes effect with the next batch."""
        return Settings.of(self.mapping)

    def hold(self, within: float) -> bool:
        """Deliver nothing more; false when the function still runs after `within` seconds."""
        with self._turns:
            self.held = True
            return self._turns.wait_for(lambda: not self._in_flight, timeout=within)

    def release(self) -> None:
        """Deliver again."""
        self.held = False
        self.wake()

    def again(self) -> int:
        """Deliver the last successful batch once more, whatever comes of it; how many records it had."""
        if self.last:
            functions.invoke(self.mapping, self.event_of(self.last))
        return len(self.last)

    def reorder(self) -> bool:
        """Deliver what waits in another order; false where the source promises one, as a stream does."""
        return False

    @abstractmethod
    def turn(self) -> float:
        """Do what is due, and say in how many seconds something will be."""

    @abstractmethod
    def event_of(self, records: Sequence[Record]) -> dict[str, Any]:
        """The event that a batch makes."""

    @abstractmethod
    def batch_info(self, records: Sequence[Record]) -> dict[str, Any]:
        """The part of an on-failure record that differs by source."""

    @abstractmethod
    def waiting(self) -> int:
        """How many records are there that are not settled."""

    @abstractmethod
    def close(self) -> None:
        """The mapping is gone: let go of what it reads."""

    @contextmanager
    def delivering(self) -> Iterator[bool]:
        """Around a delivery; false when the mapping is held, disabled or gone, and nothing may be delivered."""
        with self._turns:
            allowed = self.exists and not self.held and bool(self.mapping["Enabled"])
            self._in_flight += allowed
        try:
            yield allowed
        finally:
            with self._turns:
                self._in_flight -= allowed
                self._turns.notify_all()

    def send(self, event: dict[str, Any]) -> Reply:
        """Invoke the function with an event."""
        reply = functions.invoke(self.mapping, event)
        if reply.failed:
            self.mapping["LastProcessingResult"] = FAILED
        return reply

    def settled(self, records: Sequence[Record], left: Sequence[Record]) -> None:
        """Keep what `GetEventSourceMapping` shows, and what `again` needs."""
        self.mapping["LastProcessingResult"] = FAILED if left else WORKED
        if not left:
            self.last = records

    def discard(self, discarded: Discarded) -> None:
        """Say what is given up, in the log and to the mapping's destination, if it has one."""
        log.warning(
            "event source mapping %s gives up %d records from %s on: %s",
            self.mapping["UUID"],
            len(discarded.records),
            discarded.records[0].identifier,
            discarded.condition,
        )
        if destination := destination_of(self.mapping):
            self.report(destination, discarded)

    def report(self, destination: str, discarded: Discarded) -> None:
        """Send the record of what is given up there; one that cannot be delivered is lost."""
        function = functions.configuration_of(self.mapping)
        if function is None:
            return
        now = time.time()
        records = discarded.records
        destinations.send(
            destination,
            invocation_record(discarded, self.mapping["FunctionArn"], self.batch_info(records), now),
            self.event_of(records),
            mapping_id=self.mapping["UUID"],
            shard=records[0].shard,
            function=function,
            now=now,
        )

    def keeps(self, record: Record) -> bool:
        """Whether the mapping's filter lets the record through."""
        return bool(lambda_svc._apply_filter_criteria([record.event], self.mapping))

    def _run(self) -> None:
        with request_scope(*self._scope):
            while self.exists:
                self._wake.clear()
                try:
                    wait = self.turn()
                except Exception as problem:
                    log.exception("event source mapping %s", self.mapping["UUID"])
                    self.mapping["LastProcessingResult"] = f"PROBLEM: {problem}"
                    wait = LONGEST_WAIT
                self._wake.wait(min(wait, LONGEST_WAIT))
            self.close()
            RUNNING.pop(self.mapping["UUID"], None)


@dataclass
class _Lane:
    consumer: ShardConsumer
    busy: bool = False


@dataclass
class _Consumed:
    shard: streams.Shard
    lanes: list[_Lane]

    @property
    def checkpoint(self) -> int:
        return min(lane.consumer.checkpoint for lane in self.lanes)

    def drained(self) -> bool:
        """Whether a shard that gets no more records has been delivered to its end."""
        return not any(lane.busy for lane in self.lanes) and all(
            lane.consumer.due_in() is None for lane in self.lanes
        )


class StreamRunner(Runner):
    """A mapping of a Kinesis or DynamoDB stream: its shards side by side, each in its order."""

    def __init__(self, account: str, region: str, mapping: dict[str, Any], role_arn: str) -> None:
        super().__init__(account, region, mapping)
        self._role_arn = role_arn
        self._consumed = {
            key: self._consume(shard, streams.start_of(shard, mapping))
            for key, shard in self._shards().items()
        }

    def turn(self) -> float:
        """Deliver of every lane that has something, each in a thread, as on AWS each in an environment."""
        if self.held or not self.mapping["Enabled"]:
            return LONGEST_WAIT
        self._follow_the_shards()
        waits = [LONGEST_WAIT]
        for consumed in self._consumed.values():
            self._follow_the_factor(consumed)
            for lane in consumed.lanes:
                if not lane.busy and (due := lane.consumer.due_in()) is not None:
                    waits.append(due)
                    if due == 0.0:
                        lane.busy = True
                        spawn_background(self._deliver, lane, thread_name="event-source-delivery")
        return min([wait for wait in waits if wait], default=LONGEST_WAIT)

    def event_of(self, records: Sequence[Record]) -> dict[str, Any]:
        return {"Records": [record.event for record in records]}

    def batch_info(self, records: Sequence[Record]) -> dict[str, Any]:
        arn = self.mapping["EventSourceArn"]
        name = "KinesisBatchInfo" if parse_arn(arn).service == "kinesis" else "DDBStreamBatchInfo"
        return stream_batch_info(name, arn, records)

    def waiting(self) -> int:
        return sum(each.shard.end() - each.checkpoint for each in list(self._consumed.values()))

    def close(self) -> None:
        self._consumed.clear()

    def settled(self, records: Sequence[Record], left: Sequence[Record]) -> None:
        super().settled(records, left)
        age = max(0.0, time.time() - records[-1].arrived)
        functions.record_metric(self.mapping, "IteratorAge", age * 1000, "Milliseconds")

    def _shards(self) -> dict[object, streams.Shard]:
        return streams.shards_of(self.mapping["EventSourceArn"], self._role_arn)

    def _consume(self, shard: streams.Shard, position: int) -> _Consumed:
        parallel = self.settings.parallel
        return _Consumed(
            shard,
            [
                _Lane(
                    ShardConsumer(
                        shard,
                        position,
                        settings=lambda: self.settings,
                        invoke=lambda records, window: self._invoke(shard, records, window),
                        discard=self.discard,
                        clock=time.time,
                        after=self.settled,
                        keep=self.keeps,
                        lane=(number, parallel),
                    )
                )
                for number in range(parallel)
            ],
        )

    def _follow_the_shards(self) -> None:
        """Shards that split or merge are read to their end before those that came of them, to keep the order."""
        found = self._shards()
        for key, consumed in list(self._consumed.items()):
            if key not in found and consumed.drained():
                del self._consumed[key]
        if all(key in found for key in self._consumed):
            for key in found.keys() - self._consumed.keys():
                self._consumed[key] = self._consume(found[key], found[key].start())

    def _follow_the_factor(self, consumed: _Consumed) -> None:
        """With another parallelization factor, go on from the checkpoint; some records may come again."""
        if len(consumed.lanes) != self.settings.parallel and not any(lane.busy for lane in consumed.lanes):
            consumed.lanes = self._consume(consumed.shard, consumed.checkpoint).lanes

    def _deliver(self, lane: _Lane) -> None:
        try:
            with self.delivering() as allowed:
                if allowed:
                    lane.consumer.step()
        finally:
            lane.busy = False
            self.wake()

    def _invoke(self, shard: streams.Shard, records: Sequence[Record], window: dict[str, Any]) -> Reply:
        function = functions.configuration_of(self.mapping)
        if function is None:
            return NOT_REACHED
        if not permissions.may_read(self.mapping["EventSourceArn"], function):
            self.mapping["LastProcessingResult"] = NOT_ALLOWED
            return NOT_REACHED
        event = self.event_of(records)
        if window:
            event |= {**window, "shardId": shard.id, "eventSourceARN": self.mapping["EventSourceArn"]}
        return self.send(event)


def patterns_of(mapping: dict[str, Any]) -> list[dict[str, Any]]:
    """The patterns of the mapping's filter."""
    filters: Iterable[dict[str, Any]] = (mapping.get("FilterCriteria") or {}).get("Filters") or ()
    return [json.loads(each["Pattern"]) for each in filters]
