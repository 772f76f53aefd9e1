"""EBS volumes of their own."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    disk = ec2.volume(resource, resource.properties, "Size", "VolumeType")
    yield from ec2.volume_lines(zones.always(1, "volume"), disk)


ROOM = Room(type="AWS::EC2::Volume", classification="baseline", lines=_lines)
