"""Scheduled queries of Timestream for LiveAnalytics: their compute units (TCUs); what they write is the table's.

Facts: https://aws.amazon.com/timestream/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Queries", "TCU-hours", "query_tcu_hours_per_month", "timestream.liveanalytics.query_tcu")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::Timestream::ScheduledQuery",
    classification="usage",
    usage={"query_tcu_hours_per_month": Usage("TCU-hours", "compute units × hours of all its runs")},
    lines=_lines,
)
