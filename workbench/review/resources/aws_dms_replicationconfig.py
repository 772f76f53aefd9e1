"""Serverless replications: capacity units (DCUs) while one runs, never fewer than MinCapacityUnits.

One that follows changes runs all the time; a full load runs and ends, so all of it is use. Facts:
https://aws.amazon.com/dms/pricing/ , serverless
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse

_TYPES = ("full-load", "full-load-and-cdc", "cdc")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    settings = resource.properties.get("ComputeConfig") or {}
    if by_use.is_true(settings.get("MultiAZ")):
        raise refuse(resource, "MultiAZ is on")
    kind = one_of(resource, resource.properties.get("ReplicationType"), "ReplicationType", _TYPES)
    most = number(resource, settings.get("MaxCapacityUnits"), "MaxCapacityUnits")
    floor = number(resource, settings.get("MinCapacityUnits"), "MinCapacityUnits", default=1)
    least = constant(floor, f"{shown(floor)} DCU (MinCapacityUnits)")
    if kind == "full-load":
        least = constant(0, "0 DCU between the loads")
    units = grown(
        context, resource, "average_dcus", least, constant(most, f"{shown(most)} DCU (MaxCapacityUnits)")
    )
    yield from units.lines("Capacity", "serverless", "DCU-hours", HOURS, "dms.serverless.dcu")


ROOM = Room(
    type="AWS::DMS::ReplicationConfig",
    classification="mixed",
    usage={"average_dcus": Usage("DCUs", "units of the replication, averaged over all hours of the month")},
    lines=_lines,
)
