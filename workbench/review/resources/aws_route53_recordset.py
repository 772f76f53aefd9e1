"""Records: free, as are queries for aliases of AWS resources; queries answered by latency or place cost more.

Queries for plain records are the zone's line. Facts: https://aws.amazon.com/route53/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_BY_PLACE = ("GeoLocation", "GeoProximityLocation")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("CidrRoutingConfig"):
        raise refuse(resource, "CidrRoutingConfig has a price of its own")
    by_place = any(properties.get(name) for name in _BY_PLACE)
    if properties.get("AliasTarget") or not (properties.get("Region") or by_place):
        if "queries_per_month" in resource.workload:
            raise refuse(
                resource, "queries_per_month is declared on an alias, which is free, or a plain record"
            )
        return
    kind, key = ("place", "geo") if by_place else ("latency", "latency")
    queries = context.derive(resource, "queries_per_month")
    yield CostLine(f"Queries ({kind})", "queries", queries, f"route53.queries.{key}")


ROOM = Room(
    type="AWS::Route53::RecordSet",
    classification="usage",
    usage={"queries_per_month": Usage("queries", "queries answered by latency or place, aliases aside")},
    lines=_lines,
)
