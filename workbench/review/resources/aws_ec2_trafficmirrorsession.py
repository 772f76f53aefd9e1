"""Traffic mirroring: the hour of each network interface that is mirrored; filters and targets are free.

What is mirrored into another zone is a part of the VPC's traffic between zones. Facts:
https://aws.amazon.com/vpc/pricing/ , "Traffic Mirroring"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room


def _lines(_resource: Resource, _context: Context) -> Iterator[CostLine]:
    yield CostLine("Mirrored interfaces", "interface-hours", HOURS, "vpc.traffic_mirroring")


ROOM = Room(type="AWS::EC2::TrafficMirrorSession", classification="baseline", lines=_lines)
