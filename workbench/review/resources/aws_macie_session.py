"""Macie: each bucket by the day, and what its discovery jobs read.

Facts: https://aws.amazon.com/macie/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage
from workbench.workload import DAYS_PER_MONTH

_DAYS = constant(DAYS_PER_MONTH, f"{shown(DAYS_PER_MONTH)} days")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("Status") == "PAUSED":
        return
    buckets = context.derive(resource, "buckets", by=lambda count: count * _DAYS)
    yield CostLine("Buckets watched", "bucket-days", buckets, "macie.bucket")
    scanned = context.derive(resource, "scanned_gb_per_month")
    yield CostLine("Data read (discovery)", "GB", scanned, "macie.discovery")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if resource.properties.get("Status") != "PAUSED":
        yield (
            f"{context.name_of(resource)}: automated discovery, which is turned on outside the template, pays by the "
            "object watched, and is not priced"
        )


ROOM = Room(
    type="AWS::Macie::Session",
    classification="usage",
    usage={
        "buckets": Usage("buckets", "buckets of the account in the region", scales=False),
        "scanned_gb_per_month": Usage("GB", "what discovery jobs read"),
    },
    lines=_lines,
    warnings=_warnings,
)
