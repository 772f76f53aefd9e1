"""Data streams: provisioned by the shard and the 25 KB unit, or on demand by the stream and the byte.

Facts: https://aws.amazon.com/kinesis/data-streams/pricing/ and
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_DAY, _WEEK = 24, 168
_PROVISIONED_ONLY = ("put_payload_units_per_month",)
_ON_DEMAND_ONLY = ("ingested_gb_per_month", "read_gb_per_month")


def _mode(resource: Resource) -> str:
    mode = (resource.properties.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
    return one_of(resource, mode, "StreamMode", ("PROVISIONED", "ON_DEMAND"))


def _shards(resource: Resource) -> Figure:
    count = number(resource, resource.properties.get("ShardCount"), "ShardCount")
    return constant(count, f"{shown(count)} shards")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    mode = _mode(resource)
    for key in _ON_DEMAND_ONLY if mode == "PROVISIONED" else _PROVISIONED_ONLY:
        if key in resource.workload:
            raise refuse(resource, f"StreamMode is {mode}, and {key} is declared")
    hours = number(resource, resource.properties.get("RetentionPeriodHours"), "RetentionPeriodHours", _DAY)
    if hours > (_WEEK if mode == "PROVISIONED" else _DAY):
        raise refuse(resource, f"RetentionPeriodHours is {shown(hours)}, which pays by the gigabyte")
    if mode == "ON_DEMAND":
        yield from _on_demand(resource, context)
        return
    shards = Grown(_shards(resource))
    yield from shards.lines("Shards", "provisioned", "shard-hours", HOURS, "kinesis.shard_hour")
    if hours > _DAY:
        yield from shards.lines(
            "Retention", "up to 7 days", "shard-hours", HOURS, "kinesis.extended_retention"
        )
    units = context.derive(resource, "put_payload_units_per_month")
    yield CostLine("Records put", "units of 25 KB", units, "kinesis.put_payload_unit")


def _on_demand(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Streams (on demand)", "stream-hours", HOURS, "kinesis.ondemand.stream_hour")
    put = context.derive(resource, "ingested_gb_per_month")
    yield CostLine("Data in (on demand)", "GB", put, "kinesis.ondemand.data_in")
    read = context.derive(resource, "read_gb_per_month")
    yield CostLine("Data out (on demand)", "GB", read, "kinesis.ondemand.data_out")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    name = context.name_of(resource)
    for what, limit, usage in (
        ("records", "Records put a second", "peak_records_per_second"),
        ("mb", "Bytes put a second", "peak_mb_per_second"),
    ):
        load = context.derive(resource, usage)
        if _mode(resource) == "ON_DEMAND":
            yield context.against(f"kinesis.ondemand_{what}_per_second", resource, limit, load)
        else:
            quota = context.quota(f"kinesis.shard_{what}_per_second")
            takes = _shards(resource) * quota.figure
            yield Limit(name, limit, quota.unit, takes, load, True, quota.source)


ROOM = Room(
    type="AWS::Kinesis::Stream",
    classification="mixed",
    usage={
        "put_payload_units_per_month": Usage("units", "provisioned: records put, in steps of 25 KB"),
        "ingested_gb_per_month": Usage("GB", "on demand: bytes put, each record rounded up to 1 KB"),
        "read_gb_per_month": Usage("GB", "on demand: bytes that shared consumers read"),
        "peak_records_per_second": Usage("records/s", "records put in the busiest second"),
        "peak_mb_per_second": Usage("MB/s", "bytes put in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
