"""Peering of transit gateways: the hour of this side, and what is sent to another region.

What is sent over it was already paid where it entered the transit gateway. Facts:
https://aws.amazon.com/transit-gateway/pricing/ and https://aws.amazon.com/ec2/pricing/on-demand/ , "Data Transfer"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, refuse, text

_DEARER = ("ap-southeast-7", "eusc-de-east-1")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    peer, own = text(resource, resource.properties.get("PeerRegion"), "PeerRegion"), resource.stack.region
    if peer in _DEARER:
        raise refuse(resource, f"PeerRegion is {peer}, where a gigabyte has a price of its own")
    yield CostLine("Peering attachments", "attachment-hours", HOURS, "vpc.transit_gateway.peering")
    if peer == own:
        if "sent_gb_per_month" in resource.workload:
            raise refuse(resource, "sent_gb_per_month is declared, and nothing is paid within a region")
        return
    is_near = (own, peer) == ("us-east-1", "us-east-2")
    sent = context.derive(resource, "sent_gb_per_month")
    key = "transfer.inter_region.us_east_2" if is_near else "transfer.inter_region"
    yield CostLine(f"Data to {peer}", "GB", sent, key)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: the other side of a peering pays its own hours, which are not counted"


ROOM = Room(
    type="AWS::EC2::TransitGatewayPeeringAttachment",
    classification="mixed",
    usage={"sent_gb_per_month": Usage("GB", "to another region: bytes sent there")},
    lines=_lines,
    warnings=_warnings,
)
