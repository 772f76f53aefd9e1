"""Timestream for LiveAnalytics: bytes written, data in memory by the hour and on disk by the month, queries.

Closed to new customers since June 2025. Facts: https://aws.amazon.com/timestream/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.floor import HOURS
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Data written", "GB", "written_gb_per_month", "timestream.liveanalytics.write")
    yield from by_use.lines(resource, context, row)
    held = context.derive(resource, "memory_stored_gb", by=lambda gigabytes: gigabytes * HOURS)
    yield CostLine("Stored data (memory)", "GB-hours", held, "timestream.liveanalytics.memory")
    yield from by_use.lines(
        resource,
        context,
        ("Stored data (magnetic)", "GB-months", "stored_gb", "timestream.liveanalytics.magnetic"),
        ("Queries", "TCU-hours", "query_tcu_hours_per_month", "timestream.liveanalytics.query_tcu"),
    )


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield f"{context.name_of(resource)}: Timestream for LiveAnalytics takes no new customers; for InfluxDB it does"


ROOM = Room(
    type="AWS::Timestream::Table",
    classification="usage",
    usage={
        "written_gb_per_month": Usage("GB", "bytes written, each write rounded up to 1 KB"),
        "memory_stored_gb": Usage("GB", "data in the memory store, averaged over the month"),
        "stored_gb": Usage("GB", "data in the magnetic store"),
        "query_tcu_hours_per_month": Usage(
            "TCU-hours", "compute units × hours of the queries that read it, scheduled ones aside"
        ),
    },
    lines=_lines,
    warnings=_warnings,
)
