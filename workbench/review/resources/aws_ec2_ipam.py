"""IP address managers: in the advanced tier, which is the default, each address in use pays by the hour.

Facts: https://aws.amazon.com/vpc/pricing/ , "IPAM"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    tier = one_of(resource, resource.properties.get("Tier", "advanced"), "Tier", ("free", "advanced"))
    if tier == "free":
        if "active_addresses" in resource.workload:
            raise refuse(resource, "Tier is free, and active_addresses is declared")
        return
    active = context.derive(resource, "active_addresses", by=lambda count: count * HOURS)
    yield CostLine("Active addresses", "address-hours", active, "vpc.ipam.active_ip")


ROOM = Room(
    type="AWS::EC2::IPAM",
    classification="usage",
    usage={
        "active_addresses": Usage(
            "addresses", "advanced: private and public addresses of network interfaces that it watches", False
        )
    },
    lines=_lines,
)
