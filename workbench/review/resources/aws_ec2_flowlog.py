"""Flow logs: to CloudWatch they are the log group's line; to S3 the delivery pays by the gigabyte.

Facts: https://aws.amazon.com/cloudwatch/pricing/ , "Vended Logs"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = one_of(
        resource,
        properties.get("LogDestinationType", "cloud-watch-logs"),
        "LogDestinationType",
        ("cloud-watch-logs", "s3"),
    )
    if kind == "cloud-watch-logs":
        return
    if (properties.get("DestinationOptions") or {}).get("FileFormat", "plain-text") != "plain-text":
        raise refuse(resource, "FileFormat parquet pays for the conversion too")
    delivered = context.derive(resource, "delivered_gb_per_month")
    yield CostLine("Logs delivered (to S3)", "GB", delivered, "cloudwatch.logs.vended_to_s3")


ROOM = Room(
    type="AWS::EC2::FlowLog",
    classification="usage",
    usage={"delivered_gb_per_month": Usage("GB", "to S3: log bytes delivered")},
    lines=_lines,
)
