"""Scheduled queries of logs: what they scan.

Facts: https://aws.amazon.com/cloudwatch/pricing/ ("Logs Insights")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if resource.properties.get("State") != "DISABLED":
        scanned = context.derive(resource, "scanned_gb_per_month")
        yield CostLine("Logs scanned (queries)", "GB", scanned, "cloudwatch.logs.insights_scanned")


ROOM = Room(
    type="AWS::Logs::ScheduledQuery",
    classification="usage",
    usage={"scanned_gb_per_month": Usage("GB", "log bytes that its queries look at")},
    lines=_lines,
)
