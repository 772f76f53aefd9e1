"""What came of an invocation, and which records it leaves to retry.

After "Configuring partial batch response with Kinesis Data Streams and Lambda", the same page of DynamoDB, and
"Configuring error handling controls for Kafka event sources" of the Lambda developer guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.offline.event_sources.records import Record


@dataclass(frozen=True)
class Reply:
    """The function's answer. `reached` is false where it never ran: throttled, paused, or not allowed to read."""

    body: Any = None
    failed: bool = False
    reached: bool = True
    version: str = "$LATEST"


NOT_REACHED = Reply(reached=False)


def to_retry(reply: Reply, records: Sequence[Record], *, partial: bool) -> Sequence[Record]:
    """The records of the batch that this answer does not settle, in their order.

    A stream is retried from the lowest sequence number that failed, Kafka by the very records that did.
    """
    if reply.failed:
        return records
    if not partial or not reply.body:
        return ()
    if not isinstance(reply.body, dict):
        return records
    failures = reply.body.get("batchItemFailures")
    if not failures:
        return ()
    places = _places(failures, records)
    if places is None:
        return records
    if isinstance(failures[0].get("itemIdentifier"), dict):
        return [record for place, record in enumerate(records) if place in places]
    return records[min(places) :]


def _places(failures: Any, records: Sequence[Record]) -> set[int] | None:
    """Where in the batch the reported records are; None when one of them is in it nowhere."""
    if not isinstance(failures, list):
        return None
    where = {record.identifier: place for place, record in enumerate(records)}
    places = [where.get(_identifier(failure), -1) for failure in failures]
    return None if -1 in places else set(places)


def _identifier(failure: Any) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if isinstance(identifier, dict):
        return f"{identifier.get('partition')}:{identifier.get('offset')}"
    return str(identifier)
