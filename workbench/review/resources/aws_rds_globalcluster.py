"""Aurora over several regions: the writes that are replicated to the other regions.

Each region's cluster pays for itself where it stands. Facts:
https://aws.amazon.com/rds/aurora/pricing/ , Global Database
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use
from workbench.review.room import Context, CostLine, Room, Usage


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    row = (
        "Replicated writes",
        "writes",
        "replicated_writes_per_month",
        "aurora.global_database.replicated_write",
    )
    yield from by_use.lines(resource, context, row)


ROOM = Room(
    type="AWS::RDS::GlobalCluster",
    classification="usage",
    usage={
        "replicated_writes_per_month": Usage(
            "writes", "write I/O of the primary × the number of other regions"
        )
    },
    lines=_lines,
)
