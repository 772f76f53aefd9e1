"""Client VPN endpoints: the hours of each client that is connected, and the bytes that go to them.

Each subnet it is associated with pays too: `AWS::EC2::ClientVpnTargetNetworkAssociation`. Facts:
https://aws.amazon.com/vpn/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("TransitGatewayConfiguration"):
        raise refuse(resource, "TransitGatewayConfiguration pays in zones that no association shows")
    connected = context.derive(resource, "connection_hours_per_month")
    yield CostLine("Client connections", "connection-hours", connected, "vpc.client_vpn.connection")
    egress = context.derive(resource, "egress_gb_per_month")
    yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


ROOM = Room(
    type="AWS::EC2::ClientVpnEndpoint",
    classification="usage",
    usage={
        "connection_hours_per_month": Usage("hours", "hours that clients are connected, of all of them"),
        "egress_gb_per_month": Usage("GB", "bytes sent to the clients"),
    },
    lines=_lines,
)
