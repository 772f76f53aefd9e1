"""The shards of Kinesis and DynamoDB streams, read inside MiniStack, with the events that Lambda makes of them.

Shapes: "Using Lambda with Amazon Kinesis Data Streams" and "Using AWS Lambda with Amazon DynamoDB" of the Lambda
developer guide. MiniStack keeps one shard of a DynamoDB stream, and forgets a Kinesis shard as it is split or
merged; a consumer that holds it reads it to its end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ministack.core.arn import parse_arn
from ministack.services import dynamodb, dynamodb_streams, kinesis

from workbench.offline.event_sources.records import Record

ENVELOPE_BYTES = 500  # of a record's event, besides its data
_TRIMMED = "trimmed"  # in a Kinesis shard: how many records have expired off its front


class Shard(Protocol):
    """A shard as a mapping reads it: a `Source`, and where it begins and ends."""

    id: str

    def read(self, position: int, limit: int) -> Sequence[Record]:
        """As `records.Source`."""

    def start(self) -> int:
        """The position of the oldest record that is kept."""

    def end(self) -> int:
        """The position of the next record that is put."""


def count_what_expires() -> None:
    """Let a Kinesis shard say how many records have expired, so that a position stays one."""

    def expire(stream: dict[str, Any]) -> None:
        kept_from = kinesis.time.time() - stream["RetentionPeriodHours"] * 3600
        for shard in stream["shards"].values():
            kept = [each for each in shard["records"] if each["ApproximateArrivalTimestamp"] >= kept_from]
            shard[_TRIMMED] = shard.get(_TRIMMED, 0) + len(shard["records"]) - len(kept)
            shard["records"] = kept

    kinesis._expire_records = expire


def shards_of(source_arn: str, role_arn: str) -> dict[object, Shard]:
    """The shards that the stream has at this moment, each under what tells it from all others."""
    source = parse_arn(source_arn)
    if source.service == "kinesis":
        name = source.resource.split("/")[1]  # "stream/<name>", or "stream/<name>/consumer/…"
        stream = kinesis._streams.get_scoped(source.account_id, source.region, name)
        return {
            id(shard): _KinesisShard(shard_id, shard, source_arn, role_arn)
            for shard_id, shard in (stream or {"shards": {}})["shards"].items()
        }
    shard = _DynamoDBShard(source_arn)
    return {source_arn: shard} if shard.exists() else {}


def start_of(shard: Shard, mapping: Mapping[str, Any]) -> int:
    """Where a mapping that is new begins to read a shard."""
    if mapping["StartingPosition"] == "LATEST":
        return shard.end()
    if mapping["StartingPosition"] == "AT_TIMESTAMP":
        since = float(mapping["StartingPositionTimestamp"])
        records = shard.read(shard.start(), sys.maxsize)
        return next((each.position for each in records if each.arrived >= since), shard.end())
    return shard.start()


class _KinesisShard:
    def __init__(self, shard_id: str, shard: dict[str, Any], source_arn: str, role_arn: str) -> None:
        self.id = shard_id
        self._shard = shard
        self._arn = source_arn
        self._region = parse_arn(source_arn).region
        self._role = role_arn

    def start(self) -> int:
        return int(self._shard.get(_TRIMMED, 0))

    def end(self) -> int:
        return self.start() + len(self._shard["records"])

    def read(self, position: int, limit: int) -> Sequence[Record]:
        first = self.start()
        offset = max(0, position - first)
        kept = self._shard["records"][offset : offset + limit]
        return [self._record(first + offset + place, raw) for place, raw in enumerate(kept)]

    def _record(self, position: int, raw: dict[str, Any]) -> Record:
        data = kinesis._ensure_base64(raw["Data"])
        event = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": raw["PartitionKey"],
                "sequenceNumber": raw["SequenceNumber"],
                "data": data,
                "approximateArrivalTimestamp": raw["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.id}:{raw['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._role,
            "awsRegion": self._region,
            "eventSourceARN": self._arn,
        }
        return Record(
            shard=self.id,
            position=position,
            key=raw["PartitionKey"],
            identifier=raw["SequenceNumber"],
            arrived=float(raw["ApproximateArrivalTimestamp"]),
            size=len(data) + ENVELOPE_BYTES,
            event=event,
        )


class _DynamoDBShard:
    """A table's stream: MiniStack keeps it beside the table, and what a table left behind beside its ARN."""

    id = dynamodb_streams._DEFAULT_SHARD_ID

    def __init__(self, stream_arn: str) -> None:
        self._arn = stream_arn
        source = parse_arn(stream_arn)
        self._table = source.resource.split("/")[1]  # "table/<name>/stream/<label>"
        self._scope = {"account_id": source.account_id, "region": source.region}

    def exists(self) -> bool:
        return self._is_open() or dynamodb.closed_stream(self._arn) is not None

    def start(self) -> int:
        if self._is_open():
            return int(dynamodb.stream_start_position(self._table, **self._scope))
        return int(self._closed()["trimmed"])

    def end(self) -> int:
        if self._is_open():
            return int(dynamodb.stream_end_position(self._table, **self._scope))
        return int(self._closed()["trimmed"]) + len(self._closed()["records"])

    def read(self, position: int, limit: int) -> Sequence[Record]:
        first = max(position, self.start())
        if self._is_open():
            raw = dynamodb.stream_records_since(self._table, first, limit, **self._scope)
        else:
            offset = first - int(self._closed()["trimmed"])
            raw = self._closed()["records"][offset : offset + limit]
        return [self._record(first + place, each) for place, each in enumerate(raw)]

    def _is_open(self) -> bool:
        table = dynamodb._tables.get_scoped(self._scope["account_id"], self._scope["region"], self._table)
        enabled = ((table or {}).get("StreamSpecification") or {}).get("StreamEnabled")
        return bool(enabled) and table["LatestStreamArn"] == self._arn

    def _closed(self) -> dict[str, Any]:
        return dynamodb.closed_stream(self._arn) or {"records": [], "trimmed": 0}

    def _record(self, position: int, raw: dict[str, Any]) -> Record:
        change = raw["dynamodb"]
        size = sum(dynamodb._item_size_bytes(change.get(part)) for part in ("Keys", "NewImage", "OldImage"))
        event = {**raw, "dynamodb": {**change, "SizeBytes": size}, "eventSourceARN": self._arn}
        return Record(
            shard=self.id,
            position=position,
            key=json.dumps(change["Keys"], sort_keys=True),
            identifier=change["SequenceNumber"],
            arrived=float(change["ApproximateCreationDateTime"]),
            size=2 * size + ENVELOPE_BYTES,  # names of types, quotes and brackets take as much again
            event=event,
        )
