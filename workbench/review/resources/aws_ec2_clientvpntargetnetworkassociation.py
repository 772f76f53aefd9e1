"""Subnets that a Client VPN endpoint is associated with: each pays by the hour, whether anybody is connected or not.

Facts: https://aws.amazon.com/vpn/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    key = "vpc.client_vpn.endpoint_association"
    yield CostLine("Client VPN associations", "association-hours", HOURS, key)


ROOM = Room(type="AWS::EC2::ClientVpnTargetNetworkAssociation", classification="baseline", lines=_lines)
