"""Cloud Map: the hosted zone that a DNS namespace makes, and what is registered in a service.

The tasks that ECS registers are free:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html Facts:
https://aws.amazon.com/cloud-map/pricing/ and https://aws.amazon.com/route53/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Usage, each

ZONE_USAGE = {"queries_per_month": Usage("queries", "DNS queries that the namespace answers")}


def zone_lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    """The hosted zone of a namespace, which no template shows, and its queries."""
    yield CostLine("Hosted zones (namespace)", "zones", each(1, "zone"), "route53.hosted_zone")
    queries = context.derive(resource, "queries_per_month")
    yield CostLine("Queries (standard)", "queries", queries, "route53.queries.standard")


def is_registered_by_ecs(service: Resource, context: Context) -> bool:
    """Whether some ECS service registers its tasks in the Cloud Map service."""
    return bool(context.mentioning(service, "AWS::ECS::Service", "ServiceRegistries"))
