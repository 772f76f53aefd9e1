"""What is done with one record of a topic: it is read, delivered, and measured; or parked, if it is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform import records
from lambdas.messaging_platform.records import Event, Unreadable
from lambdas.shared.kafka import Record
from services.messaging_platform.persistence import Persistence
from services.messaging_platform.telemetry import Metrics


class Deliverer(Protocol):
    """delivery.Delivery keeps it."""

    def deliver(self, record: records.Record) -> None: ...


class Parking(Protocol):
    """store.Store keeps it."""

    def park(self, record: Record, reason: str) -> None: ...


def handler(
    delivery: Deliverer,
    parking: Parking,
    persistence: Persistence,
    metrics: Metrics,
    log: Logger,
    now_ms: Callable[[], int],
) -> Callable[[Record], None]:
    """The work of a lane: it returns when a record is done with, or raises `Stopped` when the program ends first."""

    def handle(record: Record) -> None:
        place: dict[str, Any] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
        }
        try:
            read = records.decode(record.value)
        except Unreadable as problem:
            reason = str(problem)
            log.error("a record cannot be read", reason=reason, **place)
            persistence.until_done("parking", lambda: parking.park(record, reason))
            metrics.count("Parked")
            return
        if isinstance(read, Event):
            metrics.took("Lag", now_ms() - read.at)
        persistence.until_done("record", lambda: delivery.deliver(read))

    return handle
