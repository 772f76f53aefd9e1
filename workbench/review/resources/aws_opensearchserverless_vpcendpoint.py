"""Endpoints of serverless collections: an interface endpoint, by the hour in each zone and by the gigabyte.

Facts: https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-vpc.html and
https://aws.amazon.com/privatelink/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    subnets = zones.count(resource, resource.properties.get("SubnetIds"), "SubnetIds")
    fleet = zones.always(subnets, "zones")
    yield from fleet.lines("Endpoints", "interface", "zone-hours", HOURS, "vpc.endpoint.interface_hour")
    row = ("Data through endpoints", "GB", "processed_gb_per_month", "vpc.endpoint.interface_gb")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::OpenSearchServerless::VpcEndpoint",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "bytes through it, both ways")},
    lines=_lines,
)
