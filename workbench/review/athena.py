"""Which workgroups of Athena query on reserved capacity.

Facts: https://docs.aws.amazon.com/athena/latest/ug/capacity-management.html
"""

from __future__ import annotations

from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context


def is_on_reserved_capacity(workgroup: Resource, context: Context) -> bool:
    """Whether a reservation of the assembly names `workgroup`: its queries then cost nothing of their own."""
    kind, name = "AWS::Athena::CapacityReservation", "CapacityAssignmentConfiguration"
    named = workgroup.properties.get("Name") in context.once(_reserved_names)
    return named or bool(context.mentioning(workgroup, kind, name))


def _reserved_names(context: Context) -> set[str]:
    """The names of the workgroups that reservations write out."""
    found = set()
    for reservation in context.all_of("AWS::Athena::CapacityReservation"):
        config: dict[str, Any] = reservation.properties.get("CapacityAssignmentConfiguration") or {}
        for assigned in config.get("CapacityAssignments") or []:
            found |= {each for each in assigned.get("WorkgroupNames") or [] if isinstance(each, str)}
    return found
