"""Logs of a web ACL: to S3 the delivery pays by the gigabyte, to a log group it is that group's line.

A delivery stream that receives them pays for itself. Facts:
https://docs.aws.amazon.com/waf/latest/developerguide/logging-pricing.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.room import Context, CostLine, Room

_STREAM = "AWS::KinesisFirehose::DeliveryStream"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    for destination in resource.properties.get("LogDestinationConfigs") or []:
        target = context.target(resource, destination)
        if (target is not None and target.type == _STREAM) or ":firehose:" in str(destination):
            vended.refuse_declared(resource, "the delivery stream that receives its logs pays for them")
        else:
            yield from vended.delivery_lines(resource, context, destination)


ROOM = Room(
    type="AWS::WAFv2::LoggingConfiguration",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
