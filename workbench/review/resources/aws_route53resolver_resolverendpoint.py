"""Resolver endpoints: each address is a network interface that pays by the hour, and queries pay.

Facts: https://aws.amazon.com/route53/pricing/ , "Resolver"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_EXTRAS = ("OutpostArn", "RniEnhancedMetricsEnabled", "TargetNameServerMetricsEnabled")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    for name in _EXTRAS:
        if properties.get(name):
            raise refuse(resource, f"{name} is set, which has a price of its own")
    addresses = zones.count(resource, properties.get("IpAddresses"), "IpAddresses")
    fleet = zones.always(addresses, "addresses")
    key = "route53.resolver.endpoint_eni"
    yield from fleet.lines("Resolver endpoints", "interfaces", "interface-hours", HOURS, key)
    queries = context.derive(resource, "queries_per_month")
    yield CostLine("Queries (resolver endpoint)", "queries", queries, "route53.resolver.queries")


ROOM = Room(
    type="AWS::Route53Resolver::ResolverEndpoint",
    classification="mixed",
    usage={"queries_per_month": Usage("queries", "queries that pass through it, in or out")},
    lines=_lines,
)
