"""Network firewalls: an endpoint in each zone by the hour, and the bytes that it inspects.

Inspection of TLS, and rules that AWS or others maintain at a price, are refused. Facts:
https://aws.amazon.com/network-firewall/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_EXTRAS = ("TransitGatewayId", "VpcEndpoint", "NatGatewayMappings", "ProxySettings")
# The rule groups of active threat defence, which pay by the gigabyte.
_PAID_RULES = "AttackInfrastructure"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    for name in _EXTRAS:
        if properties.get(name):
            raise refuse(resource, f"{name} is set, which has a price of its own")
    _refuse_policy(resource, context)
    places = zones.count(resource, properties.get("SubnetMappings"), "SubnetMappings")
    fleet = zones.always(places, "zones")
    yield from fleet.lines(
        "Firewall endpoints", "zonal", "endpoint-hours", HOURS, "network_firewall.endpoint"
    )
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data inspected", "GB", processed, "network_firewall.gb")


def _refuse_policy(resource: Resource, context: Context) -> None:
    policy = context.target(resource, resource.properties.get("FirewallPolicyArn"))
    settings = (policy.properties.get("FirewallPolicy") or {}) if policy is not None else {}
    if settings.get("TLSInspectionConfigurationArn"):
        raise refuse(resource, "its policy inspects TLS, which adds to the hour and the gigabyte")
    for group in settings.get("StatefulRuleGroupReferences") or []:
        if _PAID_RULES in str(group.get("ResourceArn")):
            raise refuse(resource, f"its policy has {group['ResourceArn']}, which pays by the gigabyte")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if any(context.all_of("AWS::EC2::NatGateway")):
        yield (
            f"{context.name_of(resource)}: AWS takes off an hour and a gigabyte of NAT for each of a firewall "
            "in its path; the NAT gateways are counted in full"
        )


ROOM = Room(
    type="AWS::NetworkFirewall::Firewall",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "bytes that pass through it, both ways")},
    lines=_lines,
    warnings=_warnings,
)
