"""How a batch comes together: by its size, its weight, and the time it may take.

"How Lambda processes records from stream and queue-based event sources", Batching behavior: a batch goes when
it is full, when the payload limit is reached, or when the batching window has passed, whichever is first.
"""

from __future__ import annotations

from workbench.offline.event_sources.records import Record
from workbench.offline.event_sources.settings import Settings

PAYLOAD_LIMIT = 6 * 1024 * 1024  # bytes; the quota of a synchronous invocation


class Assembly:
    """The batch that is being gathered."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._size = 0
        self._since = 0.0
        self._full = False

    def room(self, settings: Settings) -> int:
        """How many more records fit, going by their number."""
        return 0 if self._full else max(0, settings.batch_size - len(self.records))

    def offer(self, record: Record, now: float) -> bool:
        """Take the record in; false when it has to wait for the next batch."""
        if self.records and self._size + record.size > PAYLOAD_LIMIT:
            self._full = True
            return False
        if not self.records:
            self._since = now
        self.records.append(record)
        self._size += record.size
        return True

    def close(self) -> None:
        """Let nothing more in: what comes next belongs to another batch."""
        self._full = True

    def due_in(self, settings: Settings, now: float) -> float | None:
        """Seconds until the batch goes: 0 when it is due, None when there is none."""
        if not self.records:
            return None
        if not self.room(settings):
            return 0.0
        return max(0.0, self._since + settings.window - now)

    def take(self) -> list[Record]:
        """The batch; the next one begins."""
        records, self.records = self.records, []
        self._size, self._full = 0, False
        return records
