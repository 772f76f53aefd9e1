"""Routing-control clusters of the Application Recovery Controller: the hour, of five endpoints in five regions.

Their control panels, controls and safety rules are free. Facts:
https://aws.amazon.com/application-recovery-controller/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Routing-control clusters", "cluster-hours", HOURS, "route53.arc.cluster")


ROOM = Room(type="AWS::Route53RecoveryControl::Cluster", classification="baseline", lines=_lines)
