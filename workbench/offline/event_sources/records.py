"""What a shard or a partition holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Clock = Callable[[], float]  # seconds since the epoch


@dataclass(frozen=True)
class Record:
    """One record, with the event that a function gets of it."""

    shard: str  # its shard's id; of Kafka, "<topic>-<partition>"
    position: int  # counted from the shard's first record; of Kafka, the offset
    key: str  # records of one key are delivered in their order
    identifier: (
        str  # what `batchItemFailures` calls it: a sequence number; of Kafka, "<topic>-<partition>:<offset>"
    )
    arrived: float  # seconds since the epoch
    size: int  # bytes it takes of the payload, near enough
    event: dict[str, Any]


class Source(Protocol):
    """A shard, read from anywhere and as often as wanted."""

    def read(self, position: int, limit: int) -> Sequence[Record]:
        """At most `limit` records from `position` on; those that expired meanwhile are passed over."""
