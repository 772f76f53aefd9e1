"""EC2 fleets: instances, volumes and addresses of the target capacity, Spot at the price on demand, its ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import fleets
from workbench.review.room import Context, CostLine, Room, one_of, refuse

_MARKETS = {"spot": "Spot", "on-demand": "on demand"}


def _wanted(resource: Resource) -> dict[str, Decimal]:
    if resource.properties.get("ReservedCapacityOptions"):
        raise refuse(resource, "ReservedCapacityOptions fill it from reservations, which are paid already")
    settings = resource.properties.get("TargetCapacitySpecification") or {}
    default = settings.get("DefaultTargetCapacityType", "on-demand")
    market = one_of(resource, default, "DefaultTargetCapacityType", tuple(_MARKETS))
    return fleets.capacity(resource, settings, "TotalTargetCapacity", _MARKETS[market])


def _ways(resource: Resource, context: Context) -> Iterator[fleets.Launch]:
    yield from fleets.launches(resource, context, resource.properties.get("LaunchTemplateConfigs") or [])


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from fleets.fleet_lines(resource, context, _wanted(resource), _ways(resource, context))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from fleets.fleet_warnings(resource, context, _wanted(resource), _ways(resource, context))


ROOM = Room(
    type="AWS::EC2::EC2Fleet",
    classification="mixed",
    usage=fleets.USAGE,
    lines=_lines,
    warnings=_warnings,
)
