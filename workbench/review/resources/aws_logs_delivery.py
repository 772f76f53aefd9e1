"""Deliveries of vended logs: to a bucket they are paid by the gigabyte, to a log group they are that group's line.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ("Vended Logs")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    written = resource.properties.get("DeliveryDestinationArn")
    destination = context.target(resource, written)
    if destination is None or destination.stack is not resource.stack:
        raise refuse(resource, f"its destination {written} is not in this stack")
    if str(destination.properties.get("OutputFormat")).lower() == "parquet":
        raise refuse(resource, "the OutputFormat of its destination is parquet, and the conversion pays too")
    end = destination.properties.get("DestinationResourceArn")
    if end is None:
        raise refuse(resource, "its destination names no resource, as that of X-Ray does")
    yield from vended.delivery_lines(resource, context, end)


ROOM = Room(
    type="AWS::Logs::Delivery",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
