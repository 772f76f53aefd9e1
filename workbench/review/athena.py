"""Which workgroups of Athena query on reserved capacity.

Facts: https://docs.aws.amazon.com/athena/latest/ug/capacity-management.html
"""

from __future__ import annotations

from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context


def is_on_reserved_capacity(workgroup: Resource, context: Context) -> bool:
    """Whether a reservation of the assembly names `workgroup`: its queries then cost nothing of their own."""
    for reservation in context.all_of("AWS::Athena::CapacityReservation"):
        name = "CapacityAssignmentConfiguration"
        raw = (reservation.raw.get("Properties") or {}).get(name) or {}
        if workgroup in context.links.mentions(reservation, raw):
            return True
        assigned: list[dict[str, Any]] = (reservation.properties.get(name) or {}).get(
            "CapacityAssignments"
        ) or []
        names = [each for some in assigned for each in some.get("WorkgroupNames") or []]
        if workgroup.properties.get("Name") in names:
            return True
    return False
