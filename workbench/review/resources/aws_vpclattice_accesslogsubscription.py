"""Access logs of VPC Lattice: the delivery pays by the gigabyte, as vended logs do.

Facts: https://docs.aws.amazon.com/vpc-lattice/latest/ug/monitoring-access-logs.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import vended
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from vended.delivery_lines(resource, context, resource.properties.get("DestinationArn"))


ROOM = Room(
    type="AWS::VpcLattice::AccessLogSubscription",
    classification="usage",
    usage=vended.DELIVERED,
    lines=_lines,
)
