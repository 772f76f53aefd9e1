"""The record that an on-failure destination gets of what was given up.

After "Retain discarded batch records for a Kinesis Data Streams event source in Lambda", the same page of
DynamoDB, and "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from workbench.offline.event_sources.delivery import Discarded
from workbench.offline.event_sources.records import Record


def invocation_record(
    discarded: Discarded, function_arn: str, batch_info: dict[str, Any], now: float
) -> dict[str, Any]:
    """The document; `batch_info` is its part that differs by source, under its name."""
    reply = discarded.reply
    response = None
    if reply is not None:
        response = {"statusCode": 200, "executedVersion": reply.version}
        if reply.failed:
            response["functionError"] = "Unhandled"
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function_arn,
            "condition": discarded.condition,
            "approximateInvokeCount": discarded.invocations,
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": instant(now),
        **batch_info,
    }


def stream_batch_info(name: str, stream_arn: str, records: Sequence[Record]) -> dict[str, Any]:
    """`KinesisBatchInfo` or `DDBStreamBatchInfo`: which records of which shard, but not the records."""
    first, last = records[0], records[-1]
    return {
        name: {
            "shardId": first.shard,
            "startSequenceNumber": first.identifier,
            "endSequenceNumber": last.identifier,
            "approximateArrivalOfFirstRecord": instant(first.arrived),
            "approximateArrivalOfLastRecord": instant(last.arrived),
            "batchSize": len(records),
            "streamArn": stream_arn,
        }
    }


def kafka_batch_info(event: dict[str, Any], records: Sequence[Record]) -> dict[str, Any]:
    """`KafkaBatchInfo` of the event that these records make."""
    partitions: dict[str, list[Record]] = {}
    for record in records:
        partitions.setdefault(record.shard, []).append(record)
    info = {
        name: {
            "firstRecordOffset": str(held[0].position),
            "lastRecordOffset": str(held[-1].position),
            "firstRecordTimestamp": instant(held[0].arrived),
            "lastRecordTimestamp": instant(held[-1].arrived),
        }
        for name, held in partitions.items()
    }
    return {"KafkaBatchInfo": {**_kafka_source(event, len(records)), "recordsInfo": info}}


def kafka_record_info(event: dict[str, Any], record: Record) -> dict[str, Any]:
    """The same of one record, as a topic gets it: "Using a Kafka topic as an on-failure destination"."""
    info = {"offset": str(record.position), "timestamp": instant(record.arrived)}
    return {"KafkaBatchInfo": {**_kafka_source(event, 1), "recordInfo": info}}


def _kafka_source(event: dict[str, Any], records: int) -> dict[str, Any]:
    source: dict[str, Any] = {
        name: event[name] for name in ("eventSourceArn", "bootstrapServers") if name in event
    }
    return {"batchSize": records, **source, "payloadSize": len(json.dumps(event))}


def object_key(mapping_id: str, shard: str, now: float) -> str:
    """Where in an S3 bucket the record goes: the naming convention of the same pages."""
    when = datetime.fromtimestamp(now, UTC)
    return f"aws/lambda/{mapping_id}/{shard}/{when:%Y/%m/%d}/{when:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"


def instant(seconds: float) -> str:
    """ISO 8601 with milliseconds, as these records write it."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
