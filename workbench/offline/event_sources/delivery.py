"""Batches on their way to the function, in order: retried, bisected, and given up as the mapping says.

After "Retain discarded batch records for a Kinesis Data Streams event source in Lambda" (Error handling) of the
Lambda developer guide: an invocation that never reached the function is tried again until its records are too
old; a failed one is retried up to the limit; splitting a batch does not consume the retry quota.

Two things no page settles are chosen here. A partial answer that settled some records consumes a retry of the
rest, unless the mapping also bisects, for then it is a split. And where a partial answer names the first record
of the batch, nothing was settled, so a mapping that bisects halves the batch: that alone isolates the record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.offline.event_sources.records import Clock, Record
from workbench.offline.event_sources.responses import Reply, to_retry
from workbench.offline.event_sources.settings import FOR_EVER, Settings

# AWS backs off exponentially up to a minute. The shape is kept, the times are not: people wait for a dry run.
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.05, 1.0

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
TOO_LARGE = "MaximumPayloadSizeExceeded"


# Told after every invocation: the batch that was sent, and the records of it that are not settled.
After = Callable[[Sequence[Record], Sequence[Record]], None]


@dataclass(frozen=True)
class Discarded:
    """Records that were given up, and why; `reply` is the last answer, None where the function never ran."""

    records: Sequence[Record]
    condition: str
    invocations: int
    reply: Reply | None


@dataclass
class Batch:
    """Records that go to the function together."""

    records: Sequence[Record]
    failures: int = 0  # that count towards the retry limit
    invocations: int = 0
    tries: int = 0  # of any kind: the back-off grows with them
    not_before: float = 0.0
    reply: Reply | None = None


class Deliveries:
    """The batches of one ordered sequence of records."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        invoke: Callable[[Sequence[Record]], Reply],
        discard: Callable[[Discarded], None],
        clock: Clock,
        after: After = lambda *_: None,
    ) -> None:
        self.pending: deque[Batch] = deque()
        self._settings = settings
        self._invoke = invoke
        self._discard = discard
        self._clock = clock
        self._after = after

    def add(self, records: Sequence[Record]) -> None:
        """Put a new batch behind those on their way."""
        self.pending.append(Batch(records))

    def due_in(self) -> float | None:
        """Seconds until the next batch may go; None when there is none."""
        return max(0.0, self.pending[0].not_before - self._clock()) if self.pending else None

    def deliver(self) -> None:
        """Invoke the function once with the next batch, and settle what came of it."""
        batch = self.pending[0]
        self._give_up_what_is_too_old(batch)
        if not batch.records:
            self.pending.popleft()
            return
        reply = self._invoke(batch.records)
        if not reply.reached:
            self._back_off(batch)
            return
        batch.invocations += 1
        batch.reply = reply
        left = to_retry(reply, batch.records, partial=self._settings().partial)
        self._after(batch.records, left)
        again = self._after_a_failure(batch, left) if left else []
        self.pending.popleft()
        self.pending.extendleft(reversed(again))

    def _after_a_failure(self, batch: Batch, left: Sequence[Record]) -> list[Batch]:
        """What is delivered next of a batch that left some records unsettled."""
        settings = self._settings()
        settled_some = len(left) < len(batch.records)
        if settings.bisect and settled_some:
            return [self._part(batch, left)]
        if settings.bisect and len(left) > 1:
            middle = len(left) // 2
            return [self._part(batch, left[:middle]), self._part(batch, left[middle:])]
        again = self._part(batch, left)
        again.failures += 1
        if settings.retries != FOR_EVER and again.failures > settings.retries:
            self._discard(Discarded(left, RETRIES_EXHAUSTED, batch.invocations, batch.reply))
            return []
        again.tries = batch.tries
        self._back_off(again)
        return [again]

    @staticmethod
    def _part(batch: Batch, records: Sequence[Record]) -> Batch:
        return Batch(records, failures=batch.failures, invocations=batch.invocations, reply=batch.reply)

    def _give_up_what_is_too_old(self, batch: Batch) -> None:
        max_age = self._settings().max_age
        if max_age == FOR_EVER:
            return
        oldest = self._clock() - max_age
        aged = [record for record in batch.records if record.arrived < oldest]
        if aged:
            batch.records = [record for record in batch.records if record.arrived >= oldest]
            self._discard(Discarded(aged, TOO_OLD, batch.invocations, batch.reply))

    def _back_off(self, batch: Batch) -> None:
        wait = min(FIRST_BACK_OFF * 2 ** min(batch.tries, 16), LONGEST_BACK_OFF)
        batch.tries += 1
        batch.not_before = self._clock() + wait
