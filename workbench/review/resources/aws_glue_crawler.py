"""Crawlers: data processing units (DPUs) by the hour, ten minutes a run at least.

Glue chooses how many DPUs a crawler gets, so their hours are declared. Facts: https://aws.amazon.com/glue/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = ("Crawls", "DPU-hours", "dpu_hours_per_month", "glue.crawler.dpu")
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::Glue::Crawler",
    classification="usage",
    usage={"dpu_hours_per_month": Usage("DPU-hours", "DPUs × hours of all runs, each ten minutes at least")},
    lines=_lines,
)
