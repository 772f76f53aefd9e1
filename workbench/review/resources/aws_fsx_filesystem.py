"""FSx file systems: Lustre on SSD without persistence, whose price by the gigabyte includes its throughput.

The others pay for throughput capacity, which the price book hasn't got. Facts: https://aws.amazon.com/fsx/lustre/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number, one_of

_SCRATCH = ("SCRATCH_1", "SCRATCH_2")


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("FileSystemType"), "FileSystemType", ("LUSTRE",))
    settings = properties.get("LustreConfiguration") or {}
    one_of(resource, settings.get("DeploymentType", _SCRATCH[0]), "DeploymentType", _SCRATCH)
    one_of(resource, properties.get("StorageType", "SSD"), "StorageType", ("SSD",))
    size = number(resource, properties.get("StorageCapacity"), "StorageCapacity")
    held = constant(size, f"{shown(size)} GB (StorageCapacity)")
    yield CostLine("Storage (Lustre, scratch)", "GB-months", held, "fsx.lustre.ssd")


ROOM = Room(type="AWS::FSx::FileSystem", classification="baseline", lines=_lines)
