"""Capacity reservations of Athena: their data processing units (DPUs), all the time.

Facts: https://aws.amazon.com/athena/pricing/ , provisioned capacity
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, number


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    count = number(resource, resource.properties.get("TargetDpus"), "TargetDpus")
    units = constant(count, f"{shown(count)} DPU (TargetDpus)")
    yield CostLine("Reserved capacity", "DPU-hours", units * HOURS, "athena.provisioned_dpu")


ROOM = Room(type="AWS::Athena::CapacityReservation", classification="baseline", lines=_lines)
