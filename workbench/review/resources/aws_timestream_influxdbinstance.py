"""Timestream for InfluxDB: the hours of the instance, and its storage with 3,000 IOPS.

A standby in another zone has a price of its own for the pair, and storage of its own. Facts:
https://aws.amazon.com/timestream/pricing/ , Timestream for InfluxDB
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.by_use import is_true
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, each, number, one_of, text

_DEPLOYMENTS = {"SINGLE_AZ": ("single_az", 1), "WITH_MULTIAZ_STANDBY": ("multi_az", 2)}
_STORAGE = "InfluxIOIncludedT1"


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    named = properties.get("DeploymentType", "SINGLE_AZ")
    deployment, copies = _DEPLOYMENTS[one_of(resource, named, "DeploymentType", tuple(_DEPLOYMENTS))]
    kind = text(resource, properties.get("DbInstanceType"), "DbInstanceType")
    words = f"{kind}, with a standby" if copies == 2 else kind
    yield CostLine(
        f"Instances ({words})", "instance-hours", HOURS, f"timestream.influxdb.{deployment}.{kind}"
    )
    one_of(resource, properties.get("DbStorageType", _STORAGE), "DbStorageType", (_STORAGE,))
    size = number(resource, properties.get("AllocatedStorage"), "AllocatedStorage")
    held = constant(size, f"{shown(size)} GB (AllocatedStorage)")
    if copies == 2:
        held = held * each(2, "copies")
    yield CostLine("Storage (3,000 IOPS)", "GB-months", held, "timestream.influxdb.storage_3k.single_az")
    if is_true(properties.get("PubliclyAccessible")):
        yield from zones.public_addresses(zones.always(1, "address"))


ROOM = Room(type="AWS::Timestream::InfluxDBInstance", classification="baseline", lines=_lines)
