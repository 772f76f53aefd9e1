"""Enhanced fan-out, a consumer of its own on a stream: the hours of each shard and bytes; on demand only bytes.

Facts: https://aws.amazon.com/kinesis/data-streams/pricing/ and
https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure


def _stream(resource: Resource, context: Context) -> Resource:
    stream = context.target(resource, resource.properties.get("StreamARN"))
    if stream is None or stream.type != "AWS::Kinesis::Stream":
        raise refuse(resource, "its stream is not in this assembly")
    return stream


def _mode(stream: Resource) -> str:
    mode = (stream.properties.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
    return one_of(stream, mode, "StreamMode", ("PROVISIONED", "ON_DEMAND"))


def _shards(stream: Resource) -> Figure:
    count = number(stream, stream.properties.get("ShardCount"), "ShardCount")
    return constant(count, f"{shown(count)} shards of {stream.name}")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    stream = _stream(resource, context)
    if _mode(stream) == "ON_DEMAND":
        row = ("Data out (fan-out, on demand)", "GB", "read_gb_per_month", "kinesis.ondemand.efo_out")
        yield from by_use.lines(resource, context, row)
        return
    shards = Grown(_shards(stream))
    yield from shards.lines(
        "Consumers", "fan-out", "consumer-shard-hours", HOURS, "kinesis.efo.consumer_shard_hour"
    )
    yield from by_use.lines(
        resource, context, ("Data out (fan-out)", "GB", "read_gb_per_month", "kinesis.efo.gb")
    )


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    stream = _stream(resource, context)
    if _mode(stream) == "PROVISIONED":
        # Each consumer has of each shard what all others share.
        load = context.derive(resource, "peak_read_mb_per_second")
        words = "Bytes read a second (fan-out)"
        yield context.against("kinesis.shard_read_mb_per_second", resource, words, load, _shards(stream))


ROOM = Room(
    type="AWS::Kinesis::StreamConsumer",
    classification="mixed",
    usage={
        "read_gb_per_month": Usage("GB", "bytes that this consumer reads"),
        "peak_read_mb_per_second": Usage("MB/s", "provisioned: bytes that it reads in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
