"""Aurora DSQL: processing units (DPUs) of all work, and data held in each region.

With several regions each has a cluster of its own; what is written for the others is DPUs too. Facts:
https://aws.amazon.com/rds/aurora/dsql/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield from by_use.lines(
        resource,
        context,
        ("Processing", "DPUs", "dpus_per_month", "dsql.dpu"),
        ("Stored data", "GB-months", "stored_gb", "dsql.storage"),
    )


ROOM = Room(
    type="AWS::DSQL::Cluster",
    classification="usage",
    usage={
        "dpus_per_month": Usage(
            "DPUs", "units of compute, reads and writes, also of those for other regions"
        ),
        "stored_gb": Usage("GB", "data held in its region, copies between zones not counted"),
    },
    lines=_lines,
)
