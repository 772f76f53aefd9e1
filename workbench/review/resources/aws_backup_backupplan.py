"""Backup plans: the vault pays for what they put there; copies pay for the way to another region.

Facts: https://aws.amazon.com/backup/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    for vault in _copied_to(resource, context):
        if vault is None or vault.stack.region != resource.stack.region:
            moved = context.derive(resource, "copied_gb_per_month")
            yield CostLine("Backups copied (other region)", "GB", moved, "transfer.inter_region")


def _copied_to(resource: Resource, context: Context) -> list[Resource | None]:
    """The vaults of its copy actions; None for one that is not in the assembly, and so taken to be far."""
    rules = (resource.properties.get("BackupPlan") or {}).get("BackupPlanRule") or []
    copies = [copy for rule in rules for copy in rule.get("CopyActions") or []]
    return [context.target(resource, copy.get("DestinationBackupVaultArn")) for copy in copies]


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if None in _copied_to(resource, context):
        yield f"{context.name_of(resource)}: what its copies take in a vault that is in no stack here is not counted"


ROOM = Room(
    type="AWS::Backup::BackupPlan",
    classification="usage",
    usage={"copied_gb_per_month": Usage("GB", "bytes that each copy action sends to another region")},
    lines=_lines,
    warnings=_warnings,
)
