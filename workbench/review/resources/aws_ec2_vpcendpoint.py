"""VPC endpoints: a gateway is free, an interface pays by the hour in each zone and by the gigabyte.

Facts: https://aws.amazon.com/privatelink/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = one_of(
        resource,
        resource.properties.get("VpcEndpointType", "Gateway"),
        "VpcEndpointType",
        ("Gateway", "Interface"),
    )
    if kind == "Gateway":
        if "processed_gb_per_month" in resource.workload:
            raise refuse(resource, "a gateway is free, and processed_gb_per_month is declared")
        return
    subnets = zones.count(resource, resource.properties.get("SubnetIds"), "SubnetIds")
    fleet = zones.always(subnets, "zones")
    yield from fleet.lines("Endpoints", "interface", "zone-hours", HOURS, "vpc.endpoint.interface_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through endpoints", "GB", processed, "vpc.endpoint.interface_gb")


ROOM = Room(
    type="AWS::EC2::VPCEndpoint",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "interfaces: bytes through it, both ways")},
    lines=_lines,
)
