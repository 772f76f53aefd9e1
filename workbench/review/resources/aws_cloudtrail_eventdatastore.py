"""Event data stores of CloudTrail Lake: gigabytes taken in, and scanned by queries.

The price of what is taken in has the first year of keeping in it. Facts: https://aws.amazon.com/cloudtrail/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse

YEAR_DAYS = 366

_EXTENDABLE = "EXTENDABLE_RETENTION_PRICING"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    one_of(resource, properties.get("BillingMode", _EXTENDABLE), "BillingMode", (_EXTENDABLE,))
    days = number(resource, properties.get("RetentionPeriod"), "RetentionPeriod", YEAR_DAYS)
    if days > YEAR_DAYS:
        raise refuse(resource, f"RetentionPeriod is {days}, and what is kept beyond {YEAR_DAYS} days pays")
    if properties.get("InsightSelectors"):
        raise refuse(resource, "InsightSelectors pays by the event analysed")
    if is_true(properties.get("IngestionEnabled", True)):
        taken = context.derive(resource, "ingested_gb_per_month")
        yield CostLine("Events taken in (kept a year)", "GB", taken, "cloudtrail.lake.ingest_1y")
    scanned = context.derive(resource, "scanned_gb_per_month")
    yield CostLine("Events scanned (queries)", "GB", scanned, "cloudtrail.lake.query")


ROOM = Room(
    type="AWS::CloudTrail::EventDataStore",
    classification="usage",
    usage={
        "ingested_gb_per_month": Usage("GB", "events taken in"),
        "scanned_gb_per_month": Usage("GB", "events that queries look at", scales=False),
    },
    lines=_lines,
)
