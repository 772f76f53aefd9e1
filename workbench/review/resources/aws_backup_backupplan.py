"""Backup plans: free; the vault pays for what they put there. Cold storage and copies elsewhere are refused."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, refuse


def _lines(resource: Resource, _context: Context) -> Iterator[CostLine]:
    for rule in (resource.properties.get("BackupPlan") or {}).get("BackupPlanRule") or []:
        if (rule.get("Lifecycle") or {}).get("MoveToColdStorageAfterDays"):
            raise refuse(resource, "MoveToColdStorageAfterDays moves backups to another price")
        if rule.get("CopyActions"):
            raise refuse(resource, "CopyActions pay for the way to another region")
    yield from ()


ROOM = Room(type="AWS::Backup::BackupPlan", classification="free", lines=_lines)
