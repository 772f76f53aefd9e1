"""Replication instances: hours, storage beyond what is included, a public address.

A standby in another zone doubles them. T classes include 50 GB, the others 100 GB. Facts:
https://aws.amazon.com/dms/pricing/ and, for what a template leaves out,
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dms-replicationinstance.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, zones
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number, text

ALLOCATED_GB = 50
_INCLUDED_GB, _INCLUDED_GB_OF_T = 100, 50


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = text(resource, properties.get("ReplicationInstanceClass"), "ReplicationInstanceClass")
    both = by_use.is_true(properties.get("MultiAZ"))
    fleet = zones.always(2, "instances, one a standby") if both else zones.always(1, "instance")
    yield from fleet.lines("Instances", kind, "instance-hours", HOURS, f"dms.instance.{kind}")
    size = number(resource, properties.get("AllocatedStorage"), "AllocatedStorage", default=ALLOCATED_GB)
    included = _INCLUDED_GB_OF_T if kind.startswith("dms.t") else _INCLUDED_GB
    if size > included:
        beyond = constant(size - included, f"{shown(size)} GB less {included} GB included")
        price_key = "dms.storage.gp2.multi_az" if both else "dms.storage.gp2"
        yield CostLine("Storage (gp2)", "GB-months", beyond, price_key)
    if by_use.is_true(properties.get("PubliclyAccessible", True)):
        yield from zones.public_addresses(fleet)


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if "PubliclyAccessible" not in resource.properties:
        yield f"{context.name_of(resource)}: it gets a public address unless PubliclyAccessible is false"


ROOM = Room(type="AWS::DMS::ReplicationInstance", classification="baseline", lines=_lines, warnings=_warnings)
