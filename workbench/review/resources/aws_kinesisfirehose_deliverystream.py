"""Firehose: bytes taken in, each record rounded up to 5 KB, and what changes them or leads them elsewhere on the way.

What it writes to costs there, as does a function that transforms records. Streams to Iceberg tables and Snowflake,
and from MSK or a database, have prices of their own and are refused. Facts: https://aws.amazon.com/firehose/pricing/
and https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse

_SOURCES = ("DirectPut", "KinesisStreamAsSource")
_ON_THE_INTERNET = ("HttpEndpointDestinationConfiguration", "SplunkDestinationConfiguration")
_DESTINATIONS = (
    "ExtendedS3DestinationConfiguration",
    "S3DestinationConfiguration",
    "RedshiftDestinationConfiguration",
    "AmazonopensearchserviceDestinationConfiguration",
    "AmazonOpenSearchServerlessDestinationConfiguration",
    "ElasticsearchDestinationConfiguration",
    *_ON_THE_INTERNET,
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("DeliveryStreamType", "DirectPut"), "DeliveryStreamType", _SOURCES)
    destinations = [name for name in properties if name.endswith("DestinationConfiguration")]
    if len(destinations) != 1 or destinations[0] not in _DESTINATIONS:
        raise refuse(resource, f"it delivers to {', '.join(destinations) or 'nothing known'}")
    settings = properties[destinations[0]]
    ingested = context.derive(resource, "ingested_gb_per_month")
    yield CostLine("Data in", "GB", ingested, "firehose.direct_put")
    if _is_on(settings, "DataFormatConversionConfiguration", default=True):
        yield CostLine("Data converted (format)", "GB", ingested, "firehose.format_conversion")
    if _is_on(settings, "DynamicPartitioningConfiguration"):
        yield CostLine("Data partitioned", "GB", ingested, "firehose.dynamic_partitioning_gb")
        thousand = constant(1_000, "1,000 objects")
        objects = context.derive(resource, "partitioned_objects_per_month", by=lambda count: count / thousand)
        key = "firehose.dynamic_partitioning_objects"
        yield CostLine("Objects partitioned", "thousands of objects", objects, key)
    network = settings.get("VpcConfiguration")
    if network:
        count = zones.count(resource, network.get("SubnetIds"), "SubnetIds")
        yield from zones.always(count, "zones").lines(
            "Delivery", "VPC", "zone-hours", HOURS, "firehose.vpc_az_hour"
        )
        yield CostLine("Data delivered (VPC)", "GB", ingested, "firehose.vpc_gb")
    elif destinations[0] in _ON_THE_INTERNET:
        sent = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", sent, "transfer.internet_out")


def _is_on(settings: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """Whether a way to change records is there and on; `default` is what it is where it doesn't say."""
    found = settings.get(name) or {}
    return bool(found) and is_true(found.get("Enabled", default))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    for name in _DESTINATIONS:
        settings = resource.properties.get(name) or {}
        if "JQ" in str(settings.get("ProcessingConfiguration")) and _is_on(
            settings, "DynamicPartitioningConfiguration"
        ):
            yield f"{context.name_of(resource)}: it parses records with JQ, by the hour, which is not priced"


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if resource.properties.get("DeliveryStreamType", "DirectPut") == "DirectPut":
        for key, limit, usage in (
            ("firehose.records_per_second", "Records a second", "peak_records_per_second"),
            ("firehose.mb_per_second", "Bytes in a second", "peak_mb_per_second"),
        ):
            yield context.against(key, resource, limit, context.derive(resource, usage))


ROOM = Room(
    type="AWS::KinesisFirehose::DeliveryStream",
    classification="usage",
    usage={
        "ingested_gb_per_month": Usage("GB", "bytes taken in, each record rounded up to 5 KB"),
        "partitioned_objects_per_month": Usage("objects", "with dynamic partitioning: objects delivered"),
        "egress_gb_per_month": Usage("GB", "to HTTP endpoints and Splunk: bytes sent to the internet"),
        "peak_records_per_second": Usage("records/s", "records in the busiest second"),
        "peak_mb_per_second": Usage("MB/s", "bytes in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
    warnings=_warnings,
)
