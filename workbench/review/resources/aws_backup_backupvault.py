"""Backup vaults: what they hold, at the price of what it is a backup of.

That is seen from the selections of the plans that fill the vault; where they name nothing, or several kinds, the
dearest of them is taken, and a warning says so. What a plan moves to cold storage is a line of its own; EFS and
DynamoDB alone have prices of it in the book. Facts: https://aws.amazon.com/backup/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_PRICES = {
    "AWS::EC2::Instance": "ebs",
    "AWS::EC2::Volume": "ebs",
    "AWS::EFS::FileSystem": "efs",
    "AWS::RDS::DBInstance": "rds",
    "AWS::RDS::DBCluster": "aurora",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::DynamoDB::GlobalTable": "dynamodb",
    "AWS::S3::Bucket": "s3",
}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = max(_kinds(resource, context), key=_dollars)
    stored = context.derive(resource, "stored_gb")
    yield CostLine(f"Backups ({kind}, warm)", "GB-months", stored, f"backup.{kind}.warm")
    if "cold_gb" in resource.workload or _is_moved_to_the_cold(resource, context):
        known = [
            each for each in _kinds(resource, context) if f"backup.{each}.cold" in PriceBook.load().prices
        ]
        if not known:
            raise refuse(resource, f"cold storage of backups of {kind} has no price")
        dearest = max(known, key=lambda each: PriceBook.load()[f"backup.{each}.cold"].tiers[0].price)
        cold = context.derive(resource, "cold_gb")
        yield CostLine(f"Backups ({dearest}, cold)", "GB-months", cold, f"backup.{dearest}.cold")


def _is_moved_to_the_cold(resource: Resource, context: Context) -> bool:
    rules = [rule for _, rule in context.once(_rules).get(resource, [])]
    return any((rule.get("Lifecycle") or {}).get("MoveToColdStorageAfterDays") for rule in rules)


def _dollars(kind: str) -> Decimal:
    return PriceBook.load()[f"backup.{kind}.warm"].tiers[0].price


def _kinds(resource: Resource, context: Context) -> list[str]:
    """What may be in the vault, by the short names of the prices; all kinds where nothing says."""
    found = set()
    plans = dict.fromkeys(plan for plan, _ in context.once(_rules).get(resource, []))
    for plan in plans:
        for selection in context.pointing_at(plan, "AWS::Backup::BackupSelection", "BackupPlanId"):
            raw = (selection.raw.get("Properties") or {}).get("BackupSelection") or {}
            if raw.get("ListOfTags") or raw.get("Conditions"):
                found |= set(_PRICES.values())
            named = context.links.mentions(selection, raw.get("Resources") or [])
            found |= {_PRICES[each.type] for each in named if each.type in _PRICES}
    return sorted(found or set(_PRICES.values()))


def _rules(context: Context) -> Mapping[Resource, list[tuple[Resource, dict[str, Any]]]]:
    """Vault → each plan that fills it, with the rule that does."""
    found: dict[Resource, list[tuple[Resource, dict[str, Any]]]] = {}
    for plan in context.all_of("AWS::Backup::BackupPlan"):
        for rule in (plan.properties.get("BackupPlan") or {}).get("BackupPlanRule") or []:
            vault = context.target(plan, rule.get("TargetBackupVault"))
            if vault is not None:
                found.setdefault(vault, []).append((plan, rule))
    return found


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    kinds = _kinds(resource, context)
    if len(kinds) > 1:
        dearest = max(kinds, key=_dollars)
        yield (
            f"{context.name_of(resource)}: it may hold backups of {', '.join(kinds)}; "
            f"all are priced as {dearest}, the dearest"
        )


ROOM = Room(
    type="AWS::Backup::BackupVault",
    classification="usage",
    usage={
        "stored_gb": Usage("GB", "recovery points held in warm storage"),
        "cold_gb": Usage("GB", "recovery points that a plan has moved to cold storage"),
    },
    lines=_lines,
    warnings=_warnings,
)
