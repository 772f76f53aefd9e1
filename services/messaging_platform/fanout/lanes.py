"""Records from Kafka, each partition's one after the other, all partitions at once.

A partition is a lane. Its records are delivered in their order, each until it is done; lanes do not wait for one
another. What is done is committed from time to time, so that after a crash what was done since is done again, which
changes nothing. When too much is waiting, nothing more is read; the consumer stays in its group meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.shared.errors import Unavailable
from lambdas.shared.kafka import Record
from services.messaging_platform.persistence import Stopped

MOST_WAITING = 2_000
POLL_S = 0.2
UNREADABLE_S = 1.0  # between two tries, while the cluster says that it cannot be read
COMMIT_EVERY_S = 1.0
LANES_AT_ONCE = 64

Place = tuple[str, int]


class Consumer(Protocol):
    """kafka.Consumer keeps it."""

    def poll(self, most: int, within_s: float) -> list[Record]: ...
    def commit(self, *records: Record) -> bool: ...
    def assigned(self) -> list[Place]: ...
    def close(self) -> None: ...


@dataclass
class _Lane:
    waiting: deque[tuple[Record, float]] = field(default_factory=deque)  # each with when it was read
    running: bool = False
    done: Record | None = None  # the last that was done, and is not committed yet


class Lanes:
    """Runs `work` on every record that `consumer` brings, until `stopping` is set; one for the life of a process.

    `work` returns when a record is done, and raises `Stopped` when it will not be.
    """

    def __init__(
        self,
        consumer: Consumer,
        work: Callable[[Record], None],
        stopping: threading.Event,
        log: Logger,
        *,
        lanes_at_once: int = LANES_AT_ONCE,
        most_waiting: int = MOST_WAITING,
        commit_every_s: float = COMMIT_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._work = work
        self._stopping = stopping
        self._log = log
        self._most = most_waiting
        self._commit_every_s = commit_every_s
        self._clock = clock
        self._threads = ThreadPoolExecutor(lanes_at_once, thread_name_prefix="lane")
        self._changed = threading.Condition()
        self._lanes: dict[Place, _Lane] = {}
        self._waiting = 0
        self._turned_at = clock()

    def run(self) -> None:
        """Read and work until told to stop; then finish what has begun, commit, and leave the group."""
        committed_at = self._clock()
        try:
            while not self._stopping.is_set():
                self._turned_at = self._clock()
                self._take(self._poll())
                if self._clock() - committed_at >= self._commit_every_s:
                    self._commit()
                    committed_at = self._clock()
        finally:
            self._threads.shutdown()
            self._commit()
            self._consumer.close()

    def turned_s_ago(self) -> float:
        """How long ago the loop last came round: much, and it hangs."""
        return self._clock() - self._turned_at

    def behind_s(self) -> float:
        """How long the oldest of what was read, and is not done, has waited: much, and a lane hangs; 0 of nothing."""
        with self._changed:
            oldest = min((lane.waiting[0][1] for lane in self._lanes.values() if lane.waiting), default=None)
        return 0.0 if oldest is None else self._clock() - oldest

    def _poll(self) -> Sequence[Record]:
        with self._changed:
            room = self._most - self._waiting
            if room <= 0:
                self._changed.wait(POLL_S)
                return ()
        try:
            return self._consumer.poll(room, POLL_S)
        except Unavailable as problem:
            self._log.warning("Kafka cannot be read", reason=str(problem))
            self._stopping.wait(UNREADABLE_S)
            return ()

    def _take(self, records: Sequence[Record]) -> None:
        with self._changed:
            for record in records:
                lane = self._lanes.setdefault((record.topic, record.partition), _Lane())
                lane.waiting.append((record, self._clock()))
                self._waiting += 1
                if not lane.running:
                    lane.running = True
                    self._threads.submit(self._go_on, lane)

    def _go_on(self, lane: _Lane) -> None:
        """Do the next record of a lane, and see to it that the one after it is done."""
        with self._changed:
            record, _ = lane.waiting[0]
        done = not self._stopping.is_set() and self._do(record)
        with self._changed:
            if done:
                lane.waiting.popleft()
                lane.done = record
                self._waiting -= 1
            lane.running = done and bool(lane.waiting)
            if lane.running and not self._stopping.is_set():
                with suppress(RuntimeError):  # the program ends at this very moment
                    self._threads.submit(self._go_on, lane)
            self._changed.notify_all()

    def _do(self, record: Record) -> bool:
        try:
            self._work(record)
        except Stopped:
            return False
        except BaseException:
            # `work` fails for no reason that it knows: what comes after it must not be committed over it.
            self._log.exception("a lane has ended; the program ends")
            self._stopping.set()
            return False
        return True

    def _commit(self) -> None:
        """Commit what was done; of partitions that went elsewhere, drop what waits: it is read again there."""
        ours = set(self._consumer.assigned())
        with self._changed:
            for place, lane in self._lanes.items():
                if place not in ours:
                    kept = 1 if lane.running else 0  # the one that is being done
                    self._waiting -= max(0, len(lane.waiting) - kept)
                    while len(lane.waiting) > kept:
                        lane.waiting.pop()
            done = {place: lane.done for place, lane in self._lanes.items() if lane.done is not None}
        if not done:
            return
        try:
            noted = self._consumer.commit(*done.values())
        except Unavailable as problem:
            self._log.warning("not committed yet", reason=str(problem))
            return
        ours = set(self._consumer.assigned())
        with self._changed:
            for place, record in done.items():
                # In the middle of a rebalance nothing is noted; what stays ours then is for the next time.
                if self._lanes[place].done is record and (noted or place not in ours):
                    self._lanes[place].done = None
