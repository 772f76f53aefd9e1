"""Records of a zone in one resource: free, as are queries for aliases; those by latency or place cost more.

Queries for plain records are the zone's line. One figure can't be of two prices, so a group whose records are
answered by latency and by place is refused. Facts: https://aws.amazon.com/route53/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kinds = {_kind(resource, record) for record in resource.properties.get("RecordSets") or []} - {None}
    if len(kinds) > 1:
        raise refuse(resource, "its records are answered by latency and by place, at two prices")
    if not kinds and "queries_per_month" in resource.workload:
        raise refuse(resource, "queries_per_month is declared, and its records are aliases or plain")
    for kind in kinds:
        words = "place" if kind == "geo" else kind
        queries = context.derive(resource, "queries_per_month")
        yield CostLine(f"Queries ({words})", "queries", queries, f"route53.queries.{kind}")


def _kind(resource: Resource, record: dict[str, Any]) -> str | None:
    """The price of a record's queries, as its key ends; None where the zone or nobody pays."""
    if record.get("CidrRoutingConfig"):
        raise refuse(resource, "CidrRoutingConfig has a price of its own")
    if record.get("AliasTarget"):
        return None
    if record.get("GeoLocation") or record.get("GeoProximityLocation"):
        return "geo"
    return "latency" if record.get("Region") else None


ROOM = Room(
    type="AWS::Route53::RecordSetGroup",
    classification="usage",
    usage={"queries_per_month": Usage("queries", "queries answered by latency or place, aliases aside")},
    lines=_lines,
)
