"""Hosted zones: the zone, and the queries that are not for aliases of AWS resources."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Hosted zones", "zones", each(1, "zone"), "route53.hosted_zone")
    queries = context.derive(resource, "queries_per_month")
    yield CostLine("Queries (standard)", "queries", queries, "route53.queries.standard")


ROOM = Room(
    type="AWS::Route53::HostedZone",
    classification="mixed",
    usage={"queries_per_month": Usage("queries", "queries, without those for aliases of AWS resources")},
    lines=_lines,
)
