"""Spot fleets: instances, volumes and addresses of the target capacity, Spot at the price on demand, its ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review import fleets
from workbench.review.room import Context, CostLine, Room


def _config(resource: Resource) -> dict[str, Any]:
    config = resource.properties.get("SpotFleetRequestConfigData")
    return config if isinstance(config, dict) else {}


def _wanted(resource: Resource) -> dict[str, Decimal]:
    return fleets.capacity(resource, _config(resource), "TargetCapacity", "Spot")


def _ways(resource: Resource, context: Context) -> Iterator[fleets.Launch]:
    config = _config(resource)
    for specification in config.get("LaunchSpecifications") or []:
        yield fleets.launch(resource, specification)
    yield from fleets.launches(resource, context, config.get("LaunchTemplateConfigs") or [])


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from fleets.fleet_lines(resource, context, _wanted(resource), _ways(resource, context))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from fleets.fleet_warnings(resource, context, _wanted(resource), _ways(resource, context))


ROOM = Room(
    type="AWS::EC2::SpotFleet",
    classification="mixed",
    usage=fleets.USAGE,
    lines=_lines,
    warnings=_warnings,
)
