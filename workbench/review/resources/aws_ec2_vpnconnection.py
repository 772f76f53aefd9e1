"""Site-to-site VPN: the hour of the connection, the public address of each tunnel, and the bytes that leave.

On a transit gateway it is an attachment too. Accelerated, large and concentrated connections have prices of their
own. Facts: https://aws.amazon.com/vpn/pricing/ and https://aws.amazon.com/vpc/pricing/ , "Public IPv4 Address"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import transit, zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse

_TUNNELS = 2


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_extras(resource)
    properties = resource.properties
    yield CostLine("VPN connections", "connection-hours", HOURS, "vpc.vpn.connection")
    known = ("PublicIpv4", "PrivateIpv4", "Ipv6")
    outside = one_of(
        resource, properties.get("OutsideIpAddressType", "PublicIpv4"), "OutsideIpAddressType", known
    )
    if outside == "PublicIpv4":
        yield from zones.public_addresses(zones.always(_TUNNELS, "tunnels"))
    if outside != "PrivateIpv4":
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")
    if properties.get("TransitGatewayId"):
        yield from transit.attachment_lines(resource, context)


def _refuse_extras(resource: Resource) -> None:
    properties = resource.properties
    if is_true(properties.get("EnableAcceleration")):
        raise refuse(resource, "EnableAcceleration adds accelerators and their premium")
    if properties.get("VpnConcentratorId"):
        raise refuse(resource, "VpnConcentratorId pays by the concentrator")
    if properties.get("OutsideIpAddressType") == "PrivateIpv4" and "egress_gb_per_month" in resource.workload:
        raise refuse(resource, "egress_gb_per_month is declared, and a private VPN sends over Direct Connect")
    if "processed_gb_per_month" in resource.workload and not properties.get("TransitGatewayId"):
        raise refuse(resource, "processed_gb_per_month is declared, and it is on no transit gateway")
    one_of(resource, properties.get("TunnelBandwidth", "standard"), "TunnelBandwidth", ("standard",))
    storage = properties.get("PreSharedKeyStorage", "Standard")
    one_of(resource, storage, "PreSharedKeyStorage", ("Standard",))


ROOM = Room(
    type="AWS::EC2::VPNConnection",
    classification="mixed",
    usage={
        "egress_gb_per_month": Usage("GB", "bytes sent through the tunnels to the other site"),
        "processed_gb_per_month": Usage("GB", "on a transit gateway: bytes that come in from the other site"),
    },
    lines=_lines,
)
