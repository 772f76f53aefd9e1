"""Firehose: bytes taken in, each record rounded up to 5 KB; what changes them on the way is refused.

Facts: https://aws.amazon.com/firehose/pricing/ and https://docs.aws.amazon.com/firehose/latest/dev/limits.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Limit, Room, Usage, one_of, refuse

_SOURCES = ("DirectPut", "KinesisStreamAsSource")
_DESTINATION = "ExtendedS3DestinationConfiguration"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("DeliveryStreamType", "DirectPut"), "DeliveryStreamType", _SOURCES)
    destinations = [name for name in properties if name.endswith("DestinationConfiguration")]
    if destinations != [_DESTINATION]:
        raise refuse(resource, f"it delivers to {', '.join(destinations) or 'nothing known'}, and not to S3")
    settings = properties[_DESTINATION]
    for name in ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
        if (settings.get(name) or {}).get("Enabled") is True:
            raise refuse(resource, f"{name} pays by the gigabyte too")
    ingested = context.derive(resource, "ingested_gb_per_month")
    yield CostLine("Data in", "GB", ingested, "firehose.direct_put")


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
        "peak_records_per_second": Usage("records/s", "records in the busiest second"),
        "peak_mb_per_second": Usage("MB/s", "bytes in the busiest second"),
    },
    lines=_lines,
    limits=_limits,
)
