"""Connectors of MSK Connect: the units (MCUs) of every worker, 1 vCPU and 4 GB each, by the hour.

Facts: https://aws.amazon.com/msk/pricing/ , MSK Connect
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS, Grown, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    capacity = resource.properties.get("Capacity") or {}
    scaling, fixed = capacity.get("AutoScaling"), capacity.get("ProvisionedCapacity")
    settings = scaling or fixed
    if not settings:
        raise refuse(resource, "Capacity has neither AutoScaling nor ProvisionedCapacity")
    size = number(resource, settings.get("McuCount"), "McuCount", default=1)
    units = constant(size, f"{shown(size)} MCU a worker") * HOURS
    names = ("MinWorkerCount", "MaxWorkerCount") if scaling else ("WorkerCount", "WorkerCount")
    least, most = (
        constant(number(resource, settings.get(name), name), f"{settings.get(name)} workers ({name})")
        for name in names
    )
    fleet = grown(context, resource, "average_workers", least, most) if scaling else Grown(least)
    yield from fleet.lines("Workers", "MSK Connect", "MCU-hours", units, "msk.connect.mcu")


ROOM = Room(
    type="AWS::KafkaConnect::Connector",
    classification="mixed",
    usage={"average_workers": Usage("workers", "workers that run, averaged over the month, where it scales")},
    lines=_lines,
)
