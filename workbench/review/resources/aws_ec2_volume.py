"""EBS volumes of their own.

What reads and writes an encrypted volume doesn't call KMS: EC2 asks it once as the volume is attached. Snapshots made
by hand are not in a template; those of AWS Backup are the vault's line.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import ec2, zones
from workbench.review.room import Context, CostLine, Room


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    disk = ec2.volume(resource, resource.properties, "Size", "VolumeType")
    yield from ec2.volume_lines(zones.always(1, "volume"), disk)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    disk = ec2.volume(resource, resource.properties, "Size", "VolumeType")
    if disk.kind == "gp2":
        yield f"{context.name_of(resource)}: {ec2.gp2_advice(disk.gb.value)}"


ROOM = Room(type="AWS::EC2::Volume", classification="baseline", lines=_lines, warnings=_warnings)
