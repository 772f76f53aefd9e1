"""CloudHSM clusters: free while empty; each HSM in it, which no template makes, pays by the hour.

Facts: https://aws.amazon.com/cloudhsm/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    hours = context.derive(resource, "hsms", by=lambda count: count * HOURS)
    yield CostLine("HSMs", "HSM-hours", hours, "cloudhsm.hour")


ROOM = Room(
    type="AWS::CloudHSM::Cluster",
    classification="usage",
    usage={"hsms": Usage("HSMs", "HSMs that are made in the cluster", scales=False)},
    lines=_lines,
)
