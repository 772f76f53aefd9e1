"""VPC endpoints: a gateway is free, others pay by the hour in each zone and by the gigabyte.

Facts: https://aws.amazon.com/privatelink/pricing/ and https://aws.amazon.com/elasticloadbalancing/pricing/ , for
those of a Gateway Load Balancer
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
        ("Gateway", "Interface", "GatewayLoadBalancer"),
    )
    if resource.properties.get("ServiceRegion") not in (None, resource.stack.region):
        raise refuse(resource, "ServiceRegion is another region, which pays for the way there too")
    if kind == "Gateway":
        if "processed_gb_per_month" in resource.workload:
            raise refuse(resource, "a gateway is free, and processed_gb_per_month is declared")
        return
    subnets = zones.count(resource, resource.properties.get("SubnetIds"), "SubnetIds")
    fleet = zones.always(subnets, "zones")
    words, prices = ("interface", "interface") if kind == "Interface" else ("gateway load balancer", "gwlb")
    yield from fleet.lines("Endpoints", words, "zone-hours", HOURS, f"vpc.endpoint.{prices}_hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through endpoints", "GB", processed, f"vpc.endpoint.{prices}_gb")


ROOM = Room(
    type="AWS::EC2::VPCEndpoint",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "interfaces: bytes through it, both ways")},
    lines=_lines,
)
