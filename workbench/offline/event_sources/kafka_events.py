"""Kafka's records as a function gets them, and as a filter sees them.

"Using Lambda with Amazon MSK" (example event) and "Filtering events from Amazon MSK and self-managed Apache
Kafka event sources" of the Lambda developer guide.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.offline.event_sources.records import Record

TIMESTAMP_TYPES = {1: "CREATE_TIME", 2: "LOG_APPEND_TIME"}
ENVELOPE_BYTES = 200  # of a record's event, besides key, value and headers


@dataclass(frozen=True)
class Message:
    """A message of a partition; `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def record_of(message: Message) -> Record:
    """The record that is delivered of a message. A value of null stays away, as Lambda leaves it out."""
    event: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "timestampType": TIMESTAMP_TYPES.get(message.timestamp_type, "NO_TIMESTAMP_TYPE"),
    }
    for name, content in (("key", message.key), ("value", message.value)):
        if content is not None:
            event[name] = base64.b64encode(content).decode()
    event["headers"] = [{name: list(content or b"")} for name, content in message.headers]
    size = ENVELOPE_BYTES + 4 * (len(message.key or b"") + len(message.value or b"")) // 3
    return Record(
        shard=f"{message.topic}-{message.partition}",
        position=message.offset,
        key=f"{message.topic}-{message.partition}",
        identifier=f"{message.topic}-{message.partition}:{message.offset}",
        arrived=message.timestamp / 1000,
        size=size + sum(5 * len(content or b"") for _, content in message.headers),
        event=event,
    )


def event_of(records: Iterable[Record], bootstrap_servers: str, cluster_arn: str | None) -> dict[str, Any]:
    """The event of a batch: of an MSK cluster, or of a self-managed one where there is no ARN."""
    partitions: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        partitions.setdefault(record.shard, []).append(record.event)
    source = {"eventSource": "SelfManagedKafka"}
    if cluster_arn:
        source = {"eventSource": "aws:kafka", "eventSourceArn": cluster_arn}
    return {**source, "bootstrapServers": bootstrap_servers, "records": partitions}


def seen_by_a_filter(record: Record) -> dict[str, Any]:
    """What a pattern is matched against: the value as the JSON object that it is, or as the text."""
    event = record.event
    text = base64.b64decode(event.get("value", "")).decode(errors="replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    return {**event, "value": parsed if isinstance(parsed, dict | list) else text}
