"""Data streams: provisioned by the shard and the 25 KB unit, or on demand by the stream and the byte.

Data is kept a day for nothing, up to a week by the shard or, on demand, by the gigabyte, and beyond that by the
gigabyte in both. A key of the account is asked about every five minutes for each principal; those calls are the
stream's line, and not the key's. Facts: https://aws.amazon.com/kinesis/data-streams/pricing/ ,
https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html and
https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.floor import HOURS, Grown
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_DAY, _WEEK, _FOR_EVER = 24, 168, 10**9
_SHARD_METRICS = 7
# What one shard takes and gives in a second, and the size of a unit that is paid for putting.
_RECORDS, _MB_IN, _MB_OUT, _UNIT_KB = 1_000, 1, 2, 25
_PROVISIONED_ONLY = ("put_payload_units_per_month",)
_ON_DEMAND_ONLY = ("ingested_gb_per_month", "read_gb_per_month", "open_shards")


def _mode(resource: Resource) -> str:
    mode = (resource.properties.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
    return one_of(resource, mode, "StreamMode", ("PROVISIONED", "ON_DEMAND"))


def shard_count(resource: Resource) -> Figure:
    """The shards of a provisioned stream."""
    count = number(resource, resource.properties.get("ShardCount"), "ShardCount")
    return constant(count, f"{shown(count)} shards")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    mode = _mode(resource)
    if resource.properties.get("WarmThroughputMiBps"):
        raise refuse(resource, "WarmThroughputMiBps is of On-demand Advantage, which commits a whole account")
    for key in _ON_DEMAND_ONLY if mode == "PROVISIONED" else _PROVISIONED_ONLY:
        if key in resource.workload:
            raise refuse(resource, f"StreamMode is {mode}, and {key} is declared")
    if mode == "ON_DEMAND":
        yield from _on_demand(resource, context)
    else:
        yield from _provisioned(resource, context)
    if "long_term_read_gb_per_month" in resource.workload:
        read = context.derive(resource, "long_term_read_gb_per_month")
        yield CostLine("Data out (older than 7 days)", "GB", read, "kinesis.long_term_retrieval")
    if (resource.properties.get("StreamEncryption") or {}).get("EncryptionType") == "KMS":
        each = kms.declared_or_one(context, resource, "principals", "principal")
        yield from kms.lines(kms.by_data_keys(_calls(resource, context), kms.FIVE_MINUTES, each))


def _calls(resource: Resource, context: Context) -> Figure:
    """No more than this often can it need a data key: once for each record, of a kilobyte at least on demand."""
    if _mode(resource) == "PROVISIONED":
        return context.derive(resource, "put_payload_units_per_month")
    a_gigabyte = constant(1_000_000, "1,000,000 KB/GB")
    return context.derive(resource, "ingested_gb_per_month", by=lambda gb: gb * a_gigabyte)


def _hours_kept(resource: Resource) -> Decimal:
    return number(resource, resource.properties.get("RetentionPeriodHours"), "RetentionPeriodHours", _DAY)


def _provisioned(resource: Resource, context: Context) -> Iterator[CostLine]:
    shards = Grown(shard_count(resource))
    yield from shards.lines("Shards", "provisioned", "shard-hours", HOURS, "kinesis.shard_hour")
    hours = _hours_kept(resource)
    if hours > _DAY:
        yield from shards.lines(
            "Retention", "up to 7 days", "shard-hours", HOURS, "kinesis.extended_retention"
        )
    if hours > _WEEK:
        kept = context.derive(resource, "long_term_stored_gb")
        yield CostLine("Retention (beyond 7 days)", "GB-months", kept, "kinesis.long_term_retention")
    units = context.derive(resource, "put_payload_units_per_month")
    yield CostLine("Records put", "units of 25 KB", units, "kinesis.put_payload_unit")
    each = _metrics_of_a_shard(resource)
    if each is not None:
        yield from shards.lines("Metrics", "shards", "metrics", each, "cloudwatch.metrics.custom")


def _metrics_of_a_shard(resource: Resource) -> Figure | None:
    metrics = resource.properties.get("DesiredShardLevelMetrics") or []
    count = _SHARD_METRICS if "ALL" in metrics else len(metrics)
    return constant(count, f"{count} metrics") if count else None


def _on_demand(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Streams (on demand)", "stream-hours", HOURS, "kinesis.ondemand.stream_hour")
    put = context.derive(resource, "ingested_gb_per_month")
    yield CostLine("Data in (on demand)", "GB", put, "kinesis.ondemand.data_in")
    read = context.derive(resource, "read_gb_per_month")
    yield CostLine("Data out (on demand)", "GB", read, "kinesis.ondemand.data_out")
    hours = _hours_kept(resource)
    for component, start, end, key in (
        ("Retention (on demand, up to 7 days)", _DAY, _WEEK, "kinesis.ondemand.extended_retention"),
        ("Retention (on demand, beyond 7 days)", _WEEK, _FOR_EVER, "kinesis.long_term_retention"),
    ):
        if hours > start:
            extra = min(hours, Decimal(end)) - start
            share = constant(extra / HOURS.value, f"{shown(extra)} h beyond {start} h ÷ 730 h")
            kept = context.derive(resource, "ingested_gb_per_month", by=lambda gb: gb * share)  # noqa: B023
            yield CostLine(component, "GB-months", kept, key)
    each = _metrics_of_a_shard(resource)
    if each is not None:
        sent = context.derive(resource, "open_shards", by=lambda shards: shards * each)
        yield CostLine("Metrics (shards)", "metrics", sent, "cloudwatch.metrics.custom")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    """Where shards provisioned for the peak would cost less than the same traffic on demand."""
    keys = ("ingested_gb_per_month", "read_gb_per_month", "peak_records_per_second", "peak_mb_per_second")
    figures = [context.declared(resource, key) for key in keys]
    if _mode(resource) == "PROVISIONED" or None in figures:
        return
    put, read, records, rate = (figure.value for figure in figures if figure is not None)
    if not put or not records or not rate:
        return
    book = PriceBook.load()
    on_demand = (
        book["kinesis.ondemand.stream_hour"].cost(HOURS.value)
        + book["kinesis.ondemand.data_in"].cost(put)
        + book["kinesis.ondemand.data_out"].cost(read)
    )
    busiest = max(records / _RECORDS, rate / _MB_IN, rate * (read / put) / _MB_OUT)
    shards = busiest.to_integral_value("ROUND_CEILING")
    a_record_kb = rate * 1000 / records
    units = put * 1_000_000 / a_record_kb * (a_record_kb / _UNIT_KB).to_integral_value("ROUND_CEILING")
    provisioned = book["kinesis.shard_hour"].cost(shards * HOURS.value) + book[
        "kinesis.put_payload_unit"
    ].cost(units)
    if on_demand > provisioned:
        yield (
            f"{context.name_of(resource)}: on demand it costs {dollars(on_demand)} a month; "
            f"{shown(shards)} shards, provisioned for the peak, {dollars(provisioned)}, "
            f"{dollars(on_demand - provisioned)} less"
        )


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    provisioned = _mode(resource) == "PROVISIONED"
    for what, limit, usage in (
        ("records", "Records put a second", "peak_records_per_second"),
        ("mb", "Bytes put a second", "peak_mb_per_second"),
    ):
        load = context.derive(resource, usage)
        if provisioned:
            key = f"kinesis.shard_{what}_per_second"
            yield context.against(key, resource, limit, load, shard_count(resource))
        else:
            yield context.against(f"kinesis.ondemand_{what}_per_second", resource, limit, load)
    readers = _readers(resource, context)
    if provisioned and readers and "peak_mb_per_second" in resource.workload:
        each = constant(readers, f"{readers} {'reader' if readers == 1 else 'readers'} without fan-out")
        read = context.derive(resource, "peak_mb_per_second", by=lambda rate: rate * each)
        key = "kinesis.shard_read_mb_per_second"
        yield context.against(key, resource, "Bytes read a second", read, shard_count(resource))


def _readers(resource: Resource, context: Context) -> int:
    """Who of the assembly reads all of the stream from what its shards give to all together."""
    source = "KinesisStreamSourceConfiguration.KinesisStreamARN"
    functions = context.pointing_at(resource, "AWS::Lambda::EventSourceMapping", "EventSourceArn")
    hoses = context.pointing_at(resource, "AWS::KinesisFirehose::DeliveryStream", source)
    return len(functions) + len(hoses)


ROOM = Room(
    type="AWS::Kinesis::Stream",
    classification="mixed",
    usage={
        "put_payload_units_per_month": Usage("units", "provisioned: records put, in steps of 25 KB"),
        "ingested_gb_per_month": Usage("GB", "on demand: bytes put, each record rounded up to 1 KB"),
        "read_gb_per_month": Usage("GB", "on demand: bytes that shared consumers read"),
        "open_shards": Usage("shards", "on demand, with metrics of shards: how many it has", scales=False),
        "long_term_stored_gb": Usage("GB", "provisioned: data kept beyond 7 days"),
        "long_term_read_gb_per_month": Usage("GB", "bytes read that are older than 7 days, if any"),
        "principals": kms.principals("put to and read from a stream whose key is in the account"),
        "peak_records_per_second": Usage("records/s", "records put in the busiest second"),
        "peak_mb_per_second": Usage("MB/s", "bytes put in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
