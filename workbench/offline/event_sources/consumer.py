"""One shard of a stream, consumed in order: where it is, what it gathers, what is on its way."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from workbench.offline.event_sources.assembly import PAYLOAD_LIMIT, Assembly
from workbench.offline.event_sources.delivery import (
    FIRST_BACK_OFF,
    TOO_LARGE,
    After,
    Deliveries,
    Discarded,
)
from workbench.offline.event_sources.records import Clock, Record, Source
from workbench.offline.event_sources.settings import Settings
from workbench.offline.event_sources.tumbling import Invoke, Tumbling, window_of

READ_AT_ONCE = 1_000


class ShardConsumer:
    """Delivers a shard's records from `position` on.

    With a parallelization factor of n, n of them share the shard: each is a `lane`, takes the keys that fall
    to it and passes over the others, so that the order of a key is kept. `keep` is the mapping's filter: what
    it does not match is passed over as well. One `step` at a time; `due_in` says when the next is worth it.
    """

    def __init__(
        self,
        source: Source,
        position: int,
        *,
        settings: Callable[[], Settings],
        invoke: Invoke,
        discard: Callable[[Discarded], None],
        clock: Clock,
        after: After = lambda *_: None,
        keep: Callable[[Record], bool] = lambda _: True,
        lane: tuple[int, int] = (0, 1),
    ) -> None:
        self._source = source
        self._next = position
        self._settings = settings
        self._discard = discard
        self._clock = clock
        self._keep = keep
        self._lane = lane
        self._assembly = Assembly()
        self._tumbling = Tumbling(lambda: settings().tumbling, invoke, clock)
        self._deliveries = Deliveries(settings, self._tumbling.invoke, discard, clock, after)
        self._final_not_before = 0.0

    @property
    def checkpoint(self) -> int:
        """The position of the first record that is not settled yet."""
        batches = [batch.records for batch in list(self._deliveries.pending)]
        firsts = [record.position for records in (*batches, self._assembly.records) for record in records[:1]]
        return min([self._next, *firsts])

    def due_in(self) -> float | None:
        """Seconds until `step` invokes something, after looking for new records.

        None when nothing is there: everything that was read is settled, and no window is open.
        """
        waiting = self._deliveries.due_in()
        if waiting is not None:
            return waiting
        self._gather()
        now = self._clock()
        if self._tumbling.ends_before(self._assembly.records[0] if self._assembly.records else None):
            return max(0.0, self._final_not_before - now)
        gathered = self._assembly.due_in(self._settings(), now)
        return gathered if gathered is not None else self._tumbling.closes_in()

    def step(self) -> bool:
        """Invoke the function once, if something is due; false when nothing is."""
        if self.due_in() != 0.0:
            return False
        if self._deliveries.pending:
            self._deliveries.deliver()
        elif self._tumbling.ends_before(self._assembly.records[0] if self._assembly.records else None):
            if not self._tumbling.close():
                self._final_not_before = self._clock() + FIRST_BACK_OFF
        else:
            self._deliveries.add(self._assembly.take())
            self._deliveries.deliver()
        return True

    def _gather(self) -> None:
        """Read on until the batch is full or the shard has no more."""
        settings = self._settings()
        while room := self._assembly.room(settings):
            limit = min(room, READ_AT_ONCE) if self._lane[1] == 1 else READ_AT_ONCE
            records = self._source.read(self._next, limit)
            for record in records:
                if not self._assembly.room(settings) or not self._take(record, settings.tumbling):
                    return
                self._next = record.position + 1
            if len(records) < limit:
                return

    def _take(self, record: Record, tumbling: float) -> bool:
        """Gather the record, or pass over it; false when the batch has to go first."""
        if not self._is_mine(record) or not self._keep(record):
            return True
        gathered = self._assembly.records
        if record.size > PAYLOAD_LIMIT:
            if gathered:
                self._assembly.close()
                return False
            self._discard(Discarded([record], TOO_LARGE, 0, None))
            return True
        if gathered and window_of(record, tumbling) != window_of(gathered[0], tumbling):
            self._assembly.close()
            return False
        return self._assembly.offer(record, self._clock())

    def _is_mine(self, record: Record) -> bool:
        number, of = self._lane
        return of == 1 or zlib.crc32(record.key.encode()) % of == number
