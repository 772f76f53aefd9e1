"""Query logs of the resolver: the delivery pays by the gigabyte, as vended logs do.

Facts: https://aws.amazon.com/route53/pricing/ , "Resolver query logs"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from vended.delivery_lines(resource, context, resource.properties.get("DestinationArn"))


ROOM = Room(
    type="AWS::Route53Resolver::ResolverQueryLoggingConfig",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
