"""Pools of an address manager: free, but for public IPv4 blocks that AWS provides, whose addresses pay by the hour.

Addresses in use are the manager's line. Facts: https://aws.amazon.com/vpc/pricing/ , "IPAM"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    source = str(properties.get("PublicIpSource", "byoip")).lower()
    if str(properties.get("AddressFamily")).lower() == "ipv4" and source != "byoip":
        raise refuse(
            resource, "PublicIpSource gives it public IPv4 addresses of AWS, which all pay by the hour"
        )
    yield from ()


ROOM = Room(type="AWS::EC2::IPAMPool", classification="free", lines=_lines)
