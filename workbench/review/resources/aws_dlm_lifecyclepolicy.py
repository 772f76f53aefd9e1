"""Snapshot policies: free by themselves; the snapshots that they make pay for what changed between them.

Facts: https://aws.amazon.com/ebs/pricing/ , snapshots
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_EXTRAS = ("FastRestoreRule", "ArchiveRule", "CrossRegionCopyRules")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    details: dict[str, Any] = resource.properties.get("PolicyDetails") or {}
    if details.get("Actions") or details.get("CrossRegionCopyTargets"):
        raise refuse(resource, "it copies snapshots to another region")
    if resource.properties.get("CrossRegionCopyTargets"):
        raise refuse(resource, "CrossRegionCopyTargets copy snapshots to another region")
    for schedule in details.get("Schedules") or []:
        for extra in _EXTRAS:
            if schedule.get(extra):
                raise refuse(resource, f"{extra} has a price of its own")
    yield from by_use.lines(resource, context, ("Snapshots", "GB-months", "stored_gb", "ebs.snapshot"))


ROOM = Room(
    type="AWS::DLM::LifecyclePolicy",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "snapshots held: the first of a volume in full, of the others what changed")
    },
    lines=_lines,
)
